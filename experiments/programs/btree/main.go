// Btree is an in-memory table store with what a carrier keeps of its parcels in it: B-trees in order of encoded
// keys, secondary indexes, rows in several versions, transactions that look at a snapshot. Parcels are tracked,
// listed by customer and by depot, moved on, accepted, and archived in the order of their coming. What stays is
// nodes, keys and rows, all small; what dies at once is rows copied out; what dies some time later is versions
// that a vacuum drops, and a log of changes that a checkpoint cuts.
package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand"
	"os"
	"strconv"
	"sync/atomic"

	"gcsim.local/programs/internal/load"
)

const (
	parcelBytes  = 960     // about what one keeps reachable, with its events
	baseBytes    = 6 << 20 // about what a log and stale versions keep
	depots       = 60
	delivered    = 4 // the last status
	listRows     = 50
	followedRows = 200
)

var statuses = []string{"accepted", "sorted", "in transit", "out for delivery", "delivered"}

// Columns of the parcels; two texts follow, name and address.
const (
	parcelID = iota
	parcelCustomer
	parcelDepot
	parcelStatus
	parcelDue
)

// carrier is the service on top of the store.
type carrier struct {
	*store
	parcels, events     *table
	byCustomer, byDepot *index
	customers, count    int64  // of parcels to keep
	oldest, newest      int64  // numbers of parcels: from oldest on, before newest
	followed            uint64 // the commit that followers have seen
}

func newCarrier(count, staleStep, logMost int) *carrier {
	c := &carrier{count: int64(count), customers: int64(1 + count/8)}
	c.byCustomer = &index{columns: []int{parcelCustomer}}
	c.byDepot = &index{columns: []int{parcelDepot, parcelStatus, parcelDue}}
	c.parcels = &table{
		kinds:   []kind{integer, integer, integer, integer, integer, text, text},
		primary: []int{parcelID}, indexes: []*index{c.byCustomer, c.byDepot},
	}
	c.events = &table{kinds: []kind{integer, integer, integer, integer, text}, primary: []int{0, 1}} // parcel, step, time, depot, note
	c.store = &store{
		tables: []*table{c.parcels, c.events}, open: map[uint64]int{}, disk: io.Discard,
		staleStep: staleStep, untilVacuum: staleStep, logMost: logMost,
	}
	return c
}

// fill brings the parcels on their way as far as they would be.
func (c *carrier) fill(r *rand.Rand) {
	for ; c.newest < c.count; c.newest++ {
		c.run(func(t *transaction) {
			p, age := c.insert(r, t, c.newest), float64(c.count-c.newest)/float64(c.count)
			for p[parcelStatus].number < delivered && r.Float64() < age+0.4 {
				p = c.moveOn(r, t, p)
			}
		})
	}
}

// anyParcel is rather a new one than an old one.
func (c *carrier) anyParcel(r *rand.Rand) value {
	newest := atomic.LoadInt64(&c.newest)
	return number(newest - 1 - int64(r.Float64()*r.Float64()*float64(newest-atomic.LoadInt64(&c.oldest))))
}

func (c *carrier) insert(r *rand.Rand, t *transaction, id int64) row {
	one := func(from []string) string { return from[r.Intn(len(from))] }
	name := one(given) + " " + one(beginnings) + one(endings)
	address := fmt.Sprintf("%s %d, %05d %s", one(streets), 1+r.Intn(180), r.Intn(100000), one(towns))
	p := row{
		number(id), number(r.Int63n(c.customers)), number(r.Int63n(depots)), number(0), number(1700000000 + id),
		{text: name}, {text: address},
	}
	t.put(c.parcels, p)
	t.put(c.events, row{p[parcelID], number(0), p[parcelDue], p[parcelDepot], {text: "data received for " + name}})
	return p
}

// moveOn changes a parcel's row, its place in the index by depot with it, and notes an event.
func (c *carrier) moveOn(r *rand.Rand, t *transaction, p row) row {
	p = append(row(nil), p...)
	p[parcelStatus].number++
	p[parcelDue].number += r.Int63n(4 * 3600)
	p[parcelDepot].number = r.Int63n(depots)
	t.put(c.parcels, p)
	note := statuses[p[parcelStatus].number] + ", line " + strconv.Itoa(1+r.Intn(40))
	t.put(c.events, row{p[parcelID], p[parcelStatus], p[parcelDue], p[parcelDepot], {text: note}})
	return p
}

// accept takes a new parcel, and the oldest one leaves.
func (c *carrier) accept(r *rand.Rand) []byte {
	id := atomic.AddInt64(&c.newest, 1) - 1
	c.run(func(t *transaction) { c.insert(r, t, id) })
	return c.track(number(atomic.AddInt64(&c.oldest, 1)-1), true)
}

// track shows a parcel with its events, for the last time if it is to be archived.
func (c *carrier) track(id value, archive bool) (out []byte) {
	c.run(func(t *transaction) {
		p := t.get(c.parcels, id)
		if p == nil {
			return
		}
		out = c.parcels.appendText(out[:0], p)
		for _, e := range t.scan(withPrefix(c.events, nil, -1, id)) {
			out = c.events.appendText(out, e)
			if archive {
				t.remove(c.events, e)
			}
		}
		if archive {
			t.remove(c.parcels, p)
		}
	})
	return out
}

// move is what somebody in a depot reports.
func (c *carrier) move(r *rand.Rand) (out []byte) {
	id := c.anyParcel(r)
	c.run(func(t *transaction) {
		p := t.get(c.parcels, id)
		if p != nil && p[parcelStatus].number < delivered {
			p = c.moveOn(r, t, p)
			out = c.parcels.appendText(out[:0], p)
		}
	})
	return out
}

// list shows parcels in the order of an index.
func (c *carrier) list(x *index, values ...value) (out []byte) {
	c.run(func(t *transaction) {
		for _, p := range t.scan(withPrefix(c.parcels, x, listRows, values...)) {
			out = c.parcels.appendText(out, p)
		}
	})
	return out
}

// follow tells a follower what has changed since one last asked.
func (c *carrier) follow() (out []byte) {
	for _, change := range c.since(atomic.LoadUint64(&c.followed), followedRows) {
		out = append(strconv.AppendUint(out, change.at, 10), "\tdeleted\n"...)
		if change.data != nil {
			out = change.table.appendText(out[:len(out)-len("deleted\n")], change.table.decode(change.data))
		}
		atomic.StoreUint64(&c.followed, change.at)
	}
	return out
}

// appendText is a line with a row's values.
func (t *table) appendText(to []byte, r row) []byte {
	for i, k := range t.kinds {
		if k == integer {
			to = strconv.AppendInt(to, r[i].number, 10)
		} else {
			to = append(to, r[i].text...)
		}
		to = append(to, '\t')
	}
	return append(to, '\n')
}

func (c *carrier) serve(r *rand.Rand) []byte {
	switch n := r.Intn(100); {
	case n < 8:
		return c.accept(r)
	case n < 38:
		return c.move(r)
	case n < 50:
		return c.list(c.byCustomer, number(r.Int63n(c.customers)))
	case n < 58:
		return c.list(c.byDepot, number(r.Int63n(depots)), number(r.Int63n(delivered)))
	case n < 60:
		return c.follow()
	}
	return c.track(c.anyParcel(r), false)
}

var (
	given      = []string{"Ada", "Bruno", "Clara", "David", "Edith", "Felix", "Greta", "Hugo", "Irene", "Jakob", "Katharina", "Ludwig", "Maria"}
	beginnings = []string{"Al", "Bren", "Cor", "Dahl", "Eich", "Farn", "Gold", "Hart", "Klein", "Lind", "Mor", "Nord", "Rosen", "Stein", "Win"}
	endings    = []string{"bach", "berg", "burg", "feld", "hoff", "mann", "meier", "ner", "son", "stein", "thal", "wald"}
	streets    = []string{"Station Road", "Mill Lane", "Church Street", "Garden Path", "Old Market", "Canal Street", "Chestnut Avenue", "North Ring"}
	towns      = []string{"Aldenhoven", "Bad Kestel", "Drossen", "Friedewald", "Gransee", "Hohenbruck", "Ilsenburg", "Langenfeld am See", "Neustadt"}
)

func main() {
	options := load.Options{Name: "btree", LiveBytes: 80 << 20}
	vacuum := flag.Int("vacuum", 10000, "stale rows that wake the vacuum")
	logMost := flag.Int("log", 60000, "changes in the log that make a checkpoint")
	options.Parse()
	if *vacuum < 1 || *logMost < 1 {
		fmt.Fprintln(os.Stderr, "btree: -vacuum and -log must be 1 or more")
		os.Exit(2)
	}
	count := 1000
	if more := int((options.LiveBytes - baseBytes) / parcelBytes); more > count {
		count = more
	}
	c := newCarrier(count, *vacuum, *logMost)
	c.fill(load.NewRand(options.Seed, -1))
	options.Run(func(w *load.Worker) { load.Use(len(c.serve(w.Rand))) })
}
