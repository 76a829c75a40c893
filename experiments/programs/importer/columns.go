package main

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"sort"
	"strconv"
)

// chunk is some rows of a table by column; it does not change.
type chunk struct {
	rows    int
	columns []*column
}

type column struct {
	name        string
	kind        byte // i, f, b or s
	least, most string
	empty       int
	data        []byte // compressed
}

func (c *chunk) size() (bytes int) {
	for _, column := range c.columns {
		bytes += len(column.data)
	}
	return bytes
}

func (c *chunk) copy() *chunk {
	same := &chunk{rows: c.rows}
	for _, column := range c.columns {
		another := *column
		another.data = append([]byte(nil), column.data...)
		same.columns = append(same.columns, &another)
	}
	return same
}

// packer compresses and expands; what it holds is large, so that packers are used again.
type packer struct {
	plain, packed bytes.Buffer
	writer        *flate.Writer
	reader        io.ReadCloser
}

func newPacker() *packer {
	p := &packer{}
	p.writer, _ = flate.NewWriter(&p.packed, flate.BestSpeed) // fails for bad levels alone
	p.reader = flate.NewReader(&p.packed)
	return p
}

// pack compresses what is in plain.
func (p *packer) pack() ([]byte, error) {
	p.packed.Reset()
	p.writer.Reset(&p.packed)
	if _, err := p.writer.Write(p.plain.Bytes()); err != nil {
		return nil, err
	}
	if err := p.writer.Close(); err != nil {
		return nil, err
	}
	return append([]byte(nil), p.packed.Bytes()...), nil
}

// expand gives what pack was given; it is good until the packer's next use.
func (p *packer) expand(data []byte) ([]byte, error) {
	p.plain.Reset()
	if err := p.reader.(flate.Resetter).Reset(bytes.NewReader(data), nil); err != nil {
		return nil, err
	}
	if _, err := p.plain.ReadFrom(p.reader); err != nil {
		return nil, err
	}
	return p.plain.Bytes(), nil
}

func (p *packer) number(n uint64) {
	var bytes [binary.MaxVarintLen64]byte
	p.plain.Write(bytes[:binary.PutUvarint(bytes[:], n)])
}

// integers are kept as differences.
func (p *packer) integers(name string, values []int64) (*column, error) {
	p.plain.Reset()
	var before, least, most int64
	for i, v := range values {
		p.number(uint64((v-before)<<1) ^ uint64((v-before)>>63))
		if i == 0 || v < least {
			least = v
		}
		if i == 0 || v > most {
			most = v
		}
		before = v
	}
	data, err := p.pack()
	return &column{name, 'i', strconv.FormatInt(least, 10), strconv.FormatInt(most, 10), 0, data}, err
}

func (p *packer) floats(name string, values []float64) (*column, error) {
	p.plain.Reset()
	least, most := math.Inf(1), math.Inf(-1)
	var bytes [8]byte
	for _, v := range values {
		binary.LittleEndian.PutUint64(bytes[:], math.Float64bits(v))
		p.plain.Write(bytes[:])
		least, most = math.Min(least, v), math.Max(most, v)
	}
	data, err := p.pack()
	return &column{name, 'f', fmt.Sprint(least), fmt.Sprint(most), 0, data}, err
}

func (p *packer) flags(name string, values []bool) (*column, error) {
	p.plain.Reset()
	for _, v := range values {
		bit := byte(0)
		if v {
			bit = 1
		}
		p.plain.WriteByte(bit)
	}
	data, err := p.pack()
	return &column{name, 'b', "false", "true", 0, data}, err
}

// words are kept as a sorted dictionary and the rows' numbers in it.
func (p *packer) words(name string, d *dictionary) (*column, error) {
	p.plain.Reset()
	order := make([]int, len(d.values))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(i, j int) bool { return d.values[order[i]] < d.values[order[j]] })
	number, out := make([]uint64, len(order)), &column{name: name, kind: 's'}
	p.number(uint64(len(order)))
	for i, from := range order {
		number[from] = uint64(i)
		p.number(uint64(len(d.values[from])))
		p.plain.WriteString(d.values[from])
	}
	for _, from := range d.rows {
		p.number(number[from])
		if d.values[from] == "" {
			out.empty++
		}
	}
	if len(order) > 0 {
		out.least, out.most = d.values[order[0]], d.values[order[len(order)-1]]
	}
	var err error
	out.data, err = p.pack()
	return out, err
}

// seal makes a chunk of the rows.
func (m *importer) seal(b *builder) (*chunk, error) {
	p := m.packers.Get().(*packer)
	defer m.packers.Put(p)
	c := &chunk{rows: len(b.ids)}
	var failed error
	add := func(made *column, err error) {
		c.columns = append(c.columns, made)
		if err != nil {
			failed = err
		}
	}
	add(p.integers("id", b.ids))
	add(p.integers("time", b.times))
	add(p.integers("quantity", b.quantities))
	add(p.integers("cents", b.cents))
	add(p.floats("price", b.prices))
	add(p.floats("weight", b.weights))
	add(p.flags("returned", b.returned))
	add(p.words("sku", b.skus))
	add(p.words("supplier", b.suppliers))
	add(p.words("store", b.stores))
	add(p.words("currency", b.currencies))
	add(p.words("customer", b.customers))
	add(p.words("note", b.notes))
	return c, failed
}

// merge makes one chunk of several: dictionaries become one, the rows follow each other.
func (m *importer) merge(chunks []*chunk) (*chunk, error) {
	b := newBuilder()
	p := m.packers.Get().(*packer)
	defer m.packers.Put(p)
	integers := map[string]*[]int64{"id": &b.ids, "time": &b.times, "quantity": &b.quantities, "cents": &b.cents}
	floats := map[string]*[]float64{"price": &b.prices, "weight": &b.weights}
	words := map[string]*dictionary{
		"sku": b.skus, "supplier": b.suppliers, "store": b.stores, "currency": b.currencies, "customer": b.customers, "note": b.notes,
	}
	for _, c := range chunks {
		for _, from := range c.columns {
			plain, err := p.expand(from.data)
			if err != nil {
				return nil, err
			}
			switch from.kind {
			case 'i':
				into, value := integers[from.name], int64(0)
				for len(plain) > 0 {
					coded, n := binary.Uvarint(plain)
					value += int64(coded>>1) ^ -int64(coded&1)
					*into, plain = append(*into, value), plain[n:]
				}
			case 'f':
				into := floats[from.name]
				for ; len(plain) >= 8; plain = plain[8:] {
					*into = append(*into, math.Float64frombits(binary.LittleEndian.Uint64(plain)))
				}
			case 'b':
				for _, bit := range plain {
					b.returned = append(b.returned, bit == 1)
				}
			case 's':
				addWords(words[from.name], plain)
			}
		}
	}
	return m.seal(b)
}

// addWords reads a column of words, dictionary first.
func addWords(into *dictionary, plain []byte) {
	next := func() int {
		value, n := binary.Uvarint(plain)
		plain = plain[n:]
		return int(value)
	}
	values := make([]string, next())
	for i := range values {
		size := next()
		values[i] = string(plain[:size])
		plain = plain[size:]
	}
	for len(plain) > 0 {
		into.add(values[next()])
	}
}
