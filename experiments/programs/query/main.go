// Query is an in-memory column store: sales in segments of columns without pointers, a dictionary of
// customers, and queries in a small SQL that are parsed, pruned by the segments' ranges, and run in
// parallel, vector by vector. New rows come in and fill a segment, for which the oldest one goes. Much is
// live and little of it has to be marked; garbage is vectors of kilobytes, tables of groups and rows of text.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"

	"gcsim.local/programs/internal/load"
)

const (
	segmentRows  = 8192
	vectorRows   = 2048
	segmentBytes = 690 << 10 // about
	perTask      = 12        // segments that one goroutine of a query scans
	customers    = 150000    // in the dictionary
	nameBytes    = 85        // about, of one of them
)

// segment is a part of the table, in order of time.
type segment struct {
	day      []int32
	customer []uint32
	country  []uint8
	product  []uint16
	quantity []int32
	amount   []float64
	offsets  []uint32 // where the page of a row ends in pages
	pages    []byte
	last     int32 // the newest day
}

func newSegment() *segment {
	return &segment{
		day: make([]int32, 0, segmentRows), customer: make([]uint32, 0, segmentRows), country: make([]uint8, 0, segmentRows),
		product: make([]uint16, 0, segmentRows), quantity: make([]int32, 0, segmentRows),
		amount: make([]float64, 0, segmentRows), offsets: append(make([]uint32, 0, segmentRows+1), 0),
		pages: make([]byte, 0, segmentRows*56),
	}
}

// dictionary gives names numbers, by which columns hold them.
type dictionary struct {
	names []string
	codes map[string]uint32
}

func (d *dictionary) code(name string) uint32 {
	code, known := d.codes[name]
	if !known {
		code = uint32(len(d.names))
		d.codes[name], d.names = code, append(d.names, name)
	}
	return code
}

func customerName(number int) string { return "Customer " + strconv.Itoa(number) + " & Sons" }

func (s *segment) add(day int32, customer uint32, r *rand.Rand) {
	s.day, s.last = append(s.day, day), day
	s.customer = append(s.customer, customer)
	s.country = append(s.country, uint8(r.Intn(8)*r.Intn(8)))
	product := uint16(r.Intn(40) * r.Intn(40))
	s.product = append(s.product, product)
	s.quantity = append(s.quantity, int32(1+r.Intn(9)))
	s.amount = append(s.amount, float64(r.Intn(100000))/100)
	s.pages = append(s.pages, "https://shop.example/department-"...)
	s.pages = append(strconv.AppendInt(s.pages, int64(product%23), 10), "/article-"...)
	s.pages = strconv.AppendInt(s.pages, r.Int63n(1000000), 10)
	s.offsets = append(s.offsets, uint32(len(s.pages)))
}

// table gives a query the segments as they are; full ones never change, and the open one is not read.
type table struct {
	mu     sync.Mutex
	sealed []*segment // oldest first; the slice is copied on write
	open   *segment
	names  dictionary // has all customers before the first query
	rows   int
	perDay int
}

func (t *table) insert(rows int, r *rand.Rand) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ; rows > 0; rows-- {
		t.open.add(int32(t.rows/t.perDay), t.names.code(customerName(r.Intn(customers))), r)
		t.rows++
		if len(t.open.day) == segmentRows {
			t.sealed = append(append(make([]*segment, 0, len(t.sealed)), t.sealed[1:]...), t.open)
			t.open = newSegment()
		}
	}
}

func (t *table) segments() []*segment {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sealed
}

// plan is a parsed query: select keys, count, sum, average where conditions group by keys order by sum.
type plan struct {
	keys       []string
	conditions []condition
	limit      int
	from, to   int32
}

type condition struct {
	column, operator, text string
	value                  float64
}

// parse reads "select KEY, KEY from sales where COLUMN OP VALUE and ... group by KEY, KEY limit N".
func parse(sql string) (*plan, error) {
	words, p := strings.Fields(strings.ReplaceAll(sql, ",", " , ")), &plan{limit: 100, to: 1 << 30}
	for i := 0; i < len(words); i++ {
		switch strings.ToLower(words[i]) {
		case "where", "and":
			if i+3 >= len(words) {
				return nil, fmt.Errorf("condition cut short: %s", sql)
			}
			c := condition{column: words[i+1], operator: words[i+2], text: strings.Trim(words[i+3], "'%")}
			c.value, _ = strconv.ParseFloat(c.text, 64)
			if c.column == "day" && c.operator == ">=" {
				p.from = int32(c.value)
			} else if c.column == "day" && c.operator == "<=" {
				p.to = int32(c.value)
			}
			p.conditions, i = append(p.conditions, c), i+3
		case "by":
			for i++; i < len(words) && words[i] != "limit"; i++ {
				if words[i] != "," {
					p.keys = append(p.keys, words[i])
				}
			}
			i--
		case "limit":
			if i++; i < len(words) {
				p.limit, _ = strconv.Atoi(words[i])
			}
		}
	}
	if len(p.keys) < 1 || len(p.keys) > 2 {
		return nil, fmt.Errorf("want one or two columns to group by: %s", sql)
	}
	return p, nil
}

// reader gives what reads a column of a row.
func (s *segment) reader(name string) func(row int32) float64 {
	switch name {
	case "day":
		return func(row int32) float64 { return float64(s.day[row]) }
	case "customer":
		return func(row int32) float64 { return float64(s.customer[row]) }
	case "country":
		return func(row int32) float64 { return float64(s.country[row]) }
	case "product":
		return func(row int32) float64 { return float64(s.product[row]) }
	case "quantity":
		return func(row int32) float64 { return float64(s.quantity[row]) }
	}
	return func(row int32) float64 { return s.amount[row] }
}

// column gives a vector of a column's values for the chosen rows.
func (s *segment) column(name string, rows []int32) []float64 {
	out, read := make([]float64, len(rows)), s.reader(name)
	for i, row := range rows {
		out[i] = read(row)
	}
	return out
}

// filter keeps those of the rows for which a condition holds, in place.
func (s *segment) filter(c condition, rows []int32) []int32 {
	kept := rows[:0]
	if c.operator == "like" {
		part := []byte(c.text)
		for _, row := range rows {
			if bytes.Contains(s.pages[s.offsets[row]:s.offsets[row+1]], part) {
				kept = append(kept, row)
			}
		}
		return kept
	}
	if c.column == "day" && ((c.operator == ">=" && float64(s.day[0]) >= c.value) || (c.operator == "<=" && float64(s.last) <= c.value)) {
		return rows // all of the segment
	}
	read := s.reader(c.column)
	for _, row := range rows {
		value := read(row)
		if (c.operator == ">=" && value >= c.value) || (c.operator == "<=" && value <= c.value) || (c.operator == "=" && value == c.value) {
			kept = append(kept, row)
		}
	}
	return kept
}

type group struct {
	key   [2]float64
	count int
	sum   float64
	units float64
}

// scan groups what one segment has, into groups.
func (p *plan) scan(s *segment, groups map[[2]float64]*group) {
	selection := make([]int32, vectorRows)
	for first := 0; first < len(s.day); first += vectorRows {
		rows := selection
		for i := range rows {
			rows[i] = int32(first + i)
		}
		for _, c := range p.conditions {
			if rows = s.filter(c, rows); len(rows) == 0 {
				break
			}
		}
		if len(rows) == 0 {
			continue
		}
		var keys [2][]float64
		for i := range p.keys {
			keys[i] = s.column(p.keys[i], rows)
		}
		amounts, units := s.column("amount", rows), s.column("quantity", rows)
		for i := range rows {
			key := [2]float64{keys[0][i]}
			if keys[1] != nil {
				key[1] = keys[1][i]
			}
			g := groups[key]
			if g == nil {
				g = &group{key: key}
				groups[key] = g
			}
			g.count++
			g.sum += amounts[i] * units[i]
			g.units += units[i]
		}
	}
}

// run answers a query: segments in parallel, then the groups of all of them together.
func (t *table) run(sql string) string {
	p, err := parse(sql)
	if err != nil {
		fmt.Fprintf(os.Stderr, "query: %v\n", err)
		os.Exit(1)
	}
	all := t.segments()
	from := sort.Search(len(all), func(i int) bool { return all[i].last >= p.from })
	to := from + sort.Search(len(all)-from, func(i int) bool { return all[from+i].day[0] > p.to })
	partial := make(chan map[[2]float64]*group)
	tasks := 0
	for ; from < to; from += perTask {
		part := all[from:to]
		if len(part) > perTask {
			part = part[:perTask]
		}
		tasks++
		go func() {
			groups := map[[2]float64]*group{}
			for _, s := range part {
				p.scan(s, groups)
			}
			partial <- groups
		}()
	}
	total := map[[2]float64]*group{}
	for ; tasks > 0; tasks-- {
		for key, g := range <-partial {
			if sum := total[key]; sum != nil {
				sum.count, sum.sum, sum.units = sum.count+g.count, sum.sum+g.sum, sum.units+g.units
			} else {
				total[key] = g
			}
		}
	}
	rows := make([]*group, 0, len(total))
	for _, g := range total {
		rows = append(rows, g)
	}
	sort.Slice(rows, func(i, j int) bool { return rows[i].sum > rows[j].sum })
	var out strings.Builder
	for i := 0; i < len(rows) && i < p.limit; i++ {
		g := rows[i]
		for k, name := range p.keys {
			if name == "customer" {
				out.WriteString(t.names.names[int(g.key[k])] + "\t")
			} else {
				out.WriteString(strconv.FormatFloat(g.key[k], 'g', -1, 64) + "\t")
			}
		}
		fmt.Fprintf(&out, "%d\t%.2f\t%.3f\n", g.count, g.sum, g.sum/g.units)
	}
	return out.String()
}

// report is a query as people make them; days are counted from the oldest that is kept.
func report(oldest, days int, r *rand.Rand) string {
	from := oldest + r.Intn(days)
	to := from + r.Intn(days/6+1)
	where := fmt.Sprintf("where day >= %d and day <= %d", from, to)
	switch r.Intn(7) {
	case 0:
		return fmt.Sprintf("select country, product from sales %s and quantity >= 7 and amount >= %d group by country, product limit 50", where, 850+r.Intn(140))
	case 1, 2, 3, 4: // what people ask most
		return fmt.Sprintf("select product from sales %s and page like '%%department-%d/%%' group by product limit 20", where, r.Intn(23))
	case 5:
		return fmt.Sprintf("select customer from sales %s and country = %d and quantity >= 7 group by customer limit 200", where, 1+r.Intn(30))
	}
	return fmt.Sprintf("select day, country from sales %s and quantity >= %d group by day, country", where, 6+r.Intn(4))
}

func main() {
	options := load.Options{Name: "query", LiveBytes: 140 << 20}
	inserts := flag.Float64("inserts", 0.3, "share of requests that add rows")
	rows := flag.Int("rows", 400, "rows that one of them adds")
	options.Parse()
	count := 2
	if more := int((options.LiveBytes - customers*nameBytes) / segmentBytes); more > count {
		count = more
	}
	const days = 60
	t := &table{open: newSegment(), sealed: make([]*segment, count), perDay: count*segmentRows/days + 1}
	t.names.codes = map[string]uint32{}
	for i := 0; i < customers; i++ {
		t.names.code(customerName(i))
	}
	setup := load.NewRand(options.Seed, -1)
	t.insert(count*segmentRows, setup) // each one that is full takes the place of an empty one
	options.Run(func(w *load.Worker) {
		if w.Rand.Float64() < *inserts {
			t.insert(*rows, w.Rand)
			return
		}
		oldest := int(t.segments()[0].day[0])
		load.Use(len(t.run(report(oldest, days, w.Rand))))
	})
}
