// Jsonapi is a pricing API: a JSON order in, a product table asked, a JSON answer out. Decoding and
// encoding by reflection make most of the garbage; maps and strings stay live, and some requests
// replace a product by a newly decoded one, so that the live set is renewed but does not grow.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"sync"

	"gcsim.local/programs/internal/load"
)

// productBytes is about what one product keeps reachable, its place in the table included.
const productBytes = 1220

type product struct {
	ID         string             `json:"id"`
	Name       string             `json:"name"`
	Category   string             `json:"category"`
	Stock      int                `json:"stock"`
	Tags       []string           `json:"tags"`
	Prices     map[string]float64 `json:"prices"`
	Attributes map[string]string  `json:"attributes"`
}

type query struct {
	Client   string                 `json:"client"`
	Currency string                 `json:"currency"`
	Items    []item                 `json:"items"`
	Options  map[string]interface{} `json:"options"`
}

type item struct {
	ID       string `json:"id"`
	Quantity int    `json:"quantity"`
}

type answer struct {
	Client   string                 `json:"client"`
	Lines    []answerLine           `json:"lines"`
	Missing  []string               `json:"missing,omitempty"`
	Totals   map[string]float64     `json:"totals"` // by category
	Warnings []string               `json:"warnings,omitempty"`
	Options  map[string]interface{} `json:"options"`
}

type answerLine struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Price      float64           `json:"price"`
	Total      float64           `json:"total"`
	Tags       []string          `json:"tags"`
	Attributes map[string]string `json:"attributes"`
}

// table is the catalogue. A product never changes once it is in; an update replaces it.
type table struct {
	mu   sync.RWMutex
	byID map[string]*product
}

var currencies = [...]string{"EUR", "USD", "GBP", "CHF"}

func productID(number int) string { return fmt.Sprintf("p-%07d", number) }

// appendProduct writes the document of a product, as the catalogue's owner would send it.
func appendProduct(to []byte, id string, r *rand.Rand) []byte {
	to = fmt.Appendf(to, `{"id":%q,"name":"article no. %d of series %d","category":"category-%02d","stock":%d,"tags":[`,
		id, r.Intn(1e6), r.Intn(500), r.Intn(40), r.Intn(200))
	for i, tags := 0, 1+r.Intn(4); i < tags; i++ {
		if i > 0 {
			to = append(to, ',')
		}
		to = fmt.Appendf(to, `"tag-%d"`, r.Intn(1000))
	}
	to = append(to, `],"prices":{`...)
	for i, currency := range currencies {
		if i > 0 {
			to = append(to, ',')
		}
		to = fmt.Appendf(to, `%q:%.2f`, currency, 1+99*r.Float64())
	}
	to = append(to, `},"attributes":{`...)
	for i, attributes := 0, 3+r.Intn(5); i < attributes; i++ {
		if i > 0 {
			to = append(to, ',')
		}
		to = fmt.Appendf(to, `"attribute-%d":"value %d, as it was measured"`, i, r.Intn(1e5))
	}
	return append(to, "}}"...)
}

// appendQuery writes an order of several products, some of which the table does not have.
func appendQuery(to []byte, products, items int, r *rand.Rand) []byte {
	to = fmt.Appendf(to, `{"client":"client-%d","currency":%q,"items":[`, r.Intn(5000), currencies[r.Intn(len(currencies))])
	for i := 0; i < items; i++ {
		if i > 0 {
			to = append(to, ',')
		}
		to = fmt.Appendf(to, `{"id":%q,"quantity":%d}`, productID(r.Intn(products+products/50)), 1+r.Intn(9))
	}
	return fmt.Appendf(to, `],"options":{"language":"en","discount":%.3f,"express":%t,"notes":["note %d",null],"address":{"city":"city %d","zip":"%05d"}}}`,
		0.2*r.Float64(), r.Intn(2) == 0, r.Intn(1000), r.Intn(300), r.Intn(1e5))
}

// update takes a product's document into the table.
func (t *table) update(document []byte) {
	p := &product{}
	must(json.Unmarshal(document, p))
	t.mu.Lock()
	t.byID[p.ID] = p
	t.mu.Unlock()
}

// price answers an order.
func (t *table) price(document []byte) []byte {
	var q query
	must(json.Unmarshal(document, &q))
	a := answer{Client: q.Client, Totals: map[string]float64{}, Options: q.Options}
	discount, _ := q.Options["discount"].(float64)
	for _, wanted := range q.Items {
		t.mu.RLock()
		p := t.byID[wanted.ID]
		t.mu.RUnlock()
		if p == nil {
			a.Missing = append(a.Missing, wanted.ID)
			continue
		}
		if p.Stock < wanted.Quantity {
			a.Warnings = append(a.Warnings, fmt.Sprintf("only %d of %s are in stock", p.Stock, p.Name))
		}
		price := p.Prices[q.Currency] * (1 - discount)
		total := price * float64(wanted.Quantity)
		a.Totals[p.Category] += total
		a.Lines = append(a.Lines, answerLine{p.ID, p.Name, price, total, p.Tags, p.Attributes})
	}
	reply, err := json.Marshal(a)
	must(err)
	return reply
}

// must ends the program where a document of its own making is refused.
func must(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "jsonapi: %v\n", err)
		os.Exit(1)
	}
}

func main() {
	options := load.Options{Name: "jsonapi", LiveBytes: 25 << 20}
	items := flag.Int("items", 12, "products in an order")
	updates := flag.Float64("updates", 0.15, "share of requests that replace a product")
	options.Parse()
	products := int(options.LiveBytes/productBytes) + 1
	t := &table{byID: map[string]*product{}}
	setup := load.NewRand(options.Seed, -1)
	var document []byte
	for i := 0; i < products; i++ {
		document = appendProduct(document[:0], productID(i), setup)
		t.update(document)
	}
	bodies := make([][]byte, options.Workers) // one per worker, as a connection's buffer
	options.Run(func(w *load.Worker) {
		body := bodies[w.ID][:0]
		if w.Rand.Float64() < *updates {
			body = appendProduct(body, productID(w.Rand.Intn(products)), w.Rand)
			t.update(body)
		} else {
			body = appendQuery(body, products, *items, w.Rand)
			load.Use(len(t.price(body)))
		}
		bodies[w.ID] = body
	})
}
