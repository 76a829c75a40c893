package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

var columnNames = []string{"id", "time", "sku", "store", "quantity", "price", "currency", "customer", "returned", "note"}

// builder gathers a file's rows by column.
type builder struct {
	ids, times, quantities, cents []int64
	prices, weights               []float64
	returned                      []bool
	skus, stores, currencies      *dictionary
	suppliers, customers, notes   *dictionary
}

// dictionary numbers the values of a column in the order of their coming.
type dictionary struct {
	numbers map[string]uint32
	values  []string
	rows    []uint32
}

func newDictionary() *dictionary { return &dictionary{numbers: map[string]uint32{}} }

func (d *dictionary) add(value string) {
	number, known := d.numbers[value]
	if !known {
		number = uint32(len(d.values))
		d.values = append(d.values, value)
		d.numbers[value] = number
	}
	d.rows = append(d.rows, number)
}

func newBuilder() *builder {
	return &builder{
		skus: newDictionary(), stores: newDictionary(), currencies: newDictionary(),
		suppliers: newDictionary(), customers: newDictionary(), notes: newDictionary(),
	}
}

// read takes a file apart. Rows that are wrong are left out.
func (m *importer) read(file upload) (*builder, []*rejected, error) {
	in := csv.NewReader(bytes.NewReader(file.body))
	header, err := in.Read()
	if err != nil {
		return nil, nil, err
	}
	at := map[string]int{}
	for i, name := range header {
		at[strings.ToLower(strings.TrimSpace(name))] = i
	}
	for _, name := range columnNames {
		if _, ok := at[name]; !ok {
			return nil, nil, fmt.Errorf("%s: no column %q", file.name, name)
		}
	}
	b, wrong := newBuilder(), []*rejected(nil)
	for line := 2; ; line++ {
		row, err := in.Read()
		if err == io.EOF {
			return b, wrong, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", file.name, err)
		}
		if column, err := m.add(b, at, row); err != nil {
			wrong = append(wrong, &rejected{file.name, line, column, err.Error(), row})
		}
	}
}

// add checks and converts all of a row before any column gets it, and names the column that was wrong.
func (m *importer) add(b *builder, at map[string]int, row []string) (column string, err error) {
	id, err := strconv.ParseInt(row[at["id"]], 10, 64)
	if err != nil {
		return "id", err
	}
	when, err := time.Parse(time.RFC3339, row[at["time"]])
	if err != nil {
		return "time", err
	}
	found := m.catalogue[row[at["sku"]]]
	if found == nil {
		return "sku", fmt.Errorf("%q is not in the catalogue", row[at["sku"]])
	}
	quantity, err := strconv.ParseInt(row[at["quantity"]], 10, 64)
	if err != nil {
		return "quantity", err
	}
	price, err := strconv.ParseFloat(row[at["price"]], 64)
	if err != nil {
		return "price", err
	}
	returned, err := strconv.ParseBool(row[at["returned"]])
	if err != nil {
		return "returned", err
	}
	b.ids = append(b.ids, id)
	b.times = append(b.times, when.Unix())
	b.quantities = append(b.quantities, quantity)
	b.cents = append(b.cents, found.cents*quantity)
	b.prices = append(b.prices, price)
	b.weights = append(b.weights, found.weight*float64(quantity))
	b.returned = append(b.returned, returned)
	b.skus.add(found.sku)
	b.suppliers.add(found.supplier)
	b.stores.add(row[at["store"]])
	b.currencies.add(strings.ToUpper(row[at["currency"]]))
	b.customers.add(row[at["customer"]])
	b.notes.add(row[at["note"]])
	return "", nil
}
