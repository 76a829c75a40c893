// Importer takes in the tables that partners upload as CSV: rows are read, checked and converted, joined with
// the catalogue, and become columns with types, which are encoded, compressed and kept as a table's newest
// chunk. Small chunks are merged to large ones, the oldest are dropped, and rows that were wrong are
// reported with the reason.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"gcsim.local/programs/internal/load"
)

// productBytes is about what one product in the catalogue keeps reachable; chunks are counted as they are.
// Half of what is to stay is catalogue and half chunks.
const (
	productBytes = 560
	baseBytes    = 16 << 20 // files to upload, those at work, the compressors
	tables       = 24
	files        = 48
	mergeAt      = 8 // small chunks
	reported     = 200
)

// product is what the catalogue knows.
type product struct {
	sku, title, supplier string
	cents                int64
	weight               float64
	groups               []string
	units                map[string]int
}

// table is what one partner uploaded.
type table struct {
	mu     sync.Mutex
	name   string
	small  []*chunk // oldest first, as all
	large  []*chunk
	bytes  int
	errors []*rejected // the last of them
}

// rejected is a row that was wrong.
type rejected struct {
	file   string
	line   int
	column string
	reason string
	row    []string
}

type importer struct {
	catalogue map[string]*product
	skus      []string
	tables    []*table
	most      int // bytes of a table's chunks
	files     []upload
	packers   sync.Pool // of *packer
}

// upload is a file as it came.
type upload struct {
	name string
	body []byte
}

// load imports one file into a table and reports what came of it.
func (m *importer) load(t *table, file upload) (string, error) {
	b, wrong, err := m.read(file)
	if err != nil {
		return "", err
	}
	fresh, err := m.seal(b)
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	t.small = append(t.small, fresh)
	t.bytes += fresh.size()
	var merging []*chunk
	if len(t.small) >= mergeAt {
		merging, t.small = t.small, nil
	}
	t.report(wrong)
	t.mu.Unlock()
	if merging != nil {
		merged, err := m.merge(merging)
		if err != nil {
			return "", err
		}
		t.mu.Lock()
		t.large = append(t.large, merged)
		t.bytes += merged.size()
		for _, c := range merging {
			t.bytes -= c.size()
		}
		for t.bytes > m.most && len(t.large) > 1 {
			t.bytes -= t.large[0].size()
			t.large = append([]*chunk(nil), t.large[1:]...)
		}
		t.mu.Unlock()
	}
	return summary(t.name, file.name, fresh, wrong), nil
}

// report keeps the last rows that were wrong.
func (t *table) report(wrong []*rejected) {
	t.errors = append(t.errors, wrong...)
	if more := len(t.errors) - reported; more > 0 {
		t.errors = append([]*rejected(nil), t.errors[more:]...)
	}
}

// summary is what the partner is told.
func summary(table, file string, c *chunk, wrong []*rejected) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %d rows of %s, %d bytes\n", table, c.rows, file, c.size())
	for _, column := range c.columns {
		fmt.Fprintf(&text, "  %-12s %7d bytes  %s to %s, %d empty\n", column.name, len(column.data), column.least, column.most, column.empty)
	}
	for i, row := range wrong {
		if i == 10 {
			fmt.Fprintf(&text, "  and %d more\n", len(wrong)-i)
			break
		}
		fmt.Fprintf(&text, "  line %d, %s: %s\n", row.line, row.column, row.reason)
	}
	return text.String()
}

func newImporter(r *rand.Rand, liveBytes int64, rows int) *importer {
	m := &importer{catalogue: map[string]*product{}, most: 100 << 10}
	m.packers.New = func() interface{} { return newPacker() }
	count := 2000
	if half := int(liveBytes-baseBytes) / 2; half/productBytes > count {
		count = half / productBytes
		m.most = half / tables
	}
	for i := 0; i < count; i++ {
		p := &product{
			sku: fmt.Sprintf("P%07d", i*37), title: fmt.Sprintf("Screw %d x %d mm, zinc plated", 2+r.Intn(10), 5*r.Intn(40)),
			supplier: "supplier " + strconv.Itoa(r.Intn(500)), cents: int64(5 + r.Intn(9000)), weight: r.Float64() * 30,
			groups: []string{"group-" + strconv.Itoa(r.Intn(80)), "shelf-" + strconv.Itoa(r.Intn(900))},
			units:  map[string]int{"box": 10 * (1 + r.Intn(10)), "pallet": 5000},
		}
		m.catalogue[p.sku] = p
		m.skus = append(m.skus, p.sku)
	}
	for i := 0; i < tables; i++ {
		m.tables = append(m.tables, &table{name: "partner" + strconv.Itoa(i)})
	}
	for i := 0; i < files; i++ {
		m.files = append(m.files, upload{fmt.Sprintf("sales-%03d.csv", i), m.sheet(r, rows/2+r.Intn(rows))})
	}
	return m
}

// fill gives each table chunks up to what it may have: files are as good as others, so they are merged once
// and the large chunk is copied.
func (m *importer) fill() error {
	var small []*chunk
	for i := 0; i < mergeAt; i++ {
		b, _, err := m.read(m.files[i])
		if err != nil {
			return err
		}
		c, err := m.seal(b)
		if err != nil {
			return err
		}
		small = append(small, c)
	}
	large, err := m.merge(small)
	if err != nil {
		return err
	}
	for _, t := range m.tables {
		for t.bytes+large.size() < m.most {
			t.large = append(t.large, large.copy())
			t.bytes += large.size()
		}
	}
	return nil
}

// sheet is a file as partners make them, with some rows wrong.
func (m *importer) sheet(r *rand.Rand, rows int) []byte {
	var out bytes.Buffer
	out.WriteString(strings.Join(columnNames, ",") + "\n")
	at := time.Date(2024, 1, 1, 6, 0, 0, 0, time.UTC).Add(time.Duration(r.Intn(500)) * 24 * time.Hour)
	for i := 0; i < rows; i++ {
		at = at.Add(time.Duration(r.Intn(90)) * time.Second)
		sku, price, note := m.skus[r.Intn(len(m.skus))], strconv.FormatFloat(float64(r.Intn(90000))/100, 'f', 2, 64), ""
		switch r.Intn(200) {
		case 0:
			sku = "X" + sku[1:]
		case 1:
			price = "n/a"
		}
		if r.Intn(6) == 0 {
			note = `"called, wants ""` + strconv.Itoa(r.Intn(20)) + ` boxes"", not more"`
		}
		fmt.Fprintf(&out, "%d,%s,%s,%s,%d,%s,%s,%s,%t,%s\n", 1000000+i, at.Format(time.RFC3339), sku,
			stores[r.Intn(len(stores))], 1+r.Intn(40), price, []string{"EUR", "SEK", "CHF"}[r.Intn(3)],
			"customer-"+strconv.Itoa(r.Intn(3000)), r.Intn(9) == 0, note)
	}
	return out.Bytes()
}

var stores = []string{"Lyon", "Graz", "Ghent", "Malmö", "Porto", "Turin", "Basel", "Brno", "Cork", "Gdańsk"}

func main() {
	options := load.Options{Name: "importer", LiveBytes: 100 << 20}
	rows := flag.Int("rows", 1200, "of a file, on average")
	options.Parse()
	if *rows < 10 {
		fail(errors.New("-rows must be 10 or more"))
	}
	m := newImporter(load.NewRand(options.Seed, -1), options.LiveBytes, *rows)
	if err := m.fill(); err != nil {
		fail(err)
	}
	options.Run(func(w *load.Worker) {
		told, err := m.load(m.tables[w.Rand.Intn(tables)], m.files[w.Rand.Intn(files)])
		if err != nil {
			fail(err)
		}
		load.Use(len(told))
	})
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "importer: %v\n", err)
	os.Exit(1)
}
