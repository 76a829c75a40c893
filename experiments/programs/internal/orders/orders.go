// Package orders is the order-aggregation service: batches of JSON orders come in, totals by symbol
// go out, and an order book of a given size stays live.
package orders

import (
	"encoding/json"
	"fmt"
	"math/rand"
)

// Order is one line of a batch.
type Order struct {
	ID       uint64   `json:"id"`
	Customer string   `json:"customer"`
	Symbol   string   `json:"symbol"`
	Side     string   `json:"side"`
	Quantity int64    `json:"quantity"`
	Price    float64  `json:"price"`
	Venue    string   `json:"venue"`
	Tags     []string `json:"tags"`
	Legs     []Leg    `json:"legs"`
}

// Leg is one part of a compound order.
type Leg struct {
	Symbol   string `json:"symbol"`
	Quantity int64  `json:"quantity"`
}

// Batch is a request's body.
type Batch struct {
	Source string  `json:"source"`
	Orders []Order `json:"orders"`
}

// Total is what a reply says about one symbol.
type Total struct {
	Symbol   string  `json:"symbol"`
	Orders   int     `json:"orders"`
	Quantity int64   `json:"quantity"`
	Value    float64 `json:"value"`
}

// Corpus is a set of encoded batches to choose requests from.
func Corpus(rng *rand.Rand, batches, ordersPerBatch int) [][]byte {
	corpus := make([][]byte, batches)
	for i := range corpus {
		batch := Batch{Source: fmt.Sprintf("gateway-%d", rng.Intn(16)), Orders: make([]Order, ordersPerBatch)}
		for j := range batch.Orders {
			batch.Orders[j] = randomOrder(rng)
		}
		body, err := json.Marshal(batch)
		if err != nil {
			panic(err) // a type that cannot be encoded: a mistake in this file
		}
		corpus[i] = body
	}
	return corpus
}

func randomOrder(rng *rand.Rand) Order {
	order := Order{
		ID:       rng.Uint64() >> 12, // exact in a float64, as JSON readers elsewhere want
		Customer: fmt.Sprintf("customer-%06d", rng.Intn(1000000)),
		Symbol:   symbol(rng), Side: [2]string{"buy", "sell"}[rng.Intn(2)],
		Quantity: 1 + rng.Int63n(500), Price: float64(rng.Intn(100000)) / 100,
		Venue: fmt.Sprintf("venue-%d", rng.Intn(8)),
	}
	for n := rng.Intn(4); n > 0; n-- {
		order.Tags = append(order.Tags, fmt.Sprintf("tag-%d", rng.Intn(64)))
	}
	for n := rng.Intn(3); n > 0; n-- {
		order.Legs = append(order.Legs, Leg{symbol(rng), 1 + rng.Int63n(50)})
	}
	return order
}

func symbol(rng *rand.Rand) string { return fmt.Sprintf("SYM%03d", rng.Intn(200)) }
