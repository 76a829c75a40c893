// Orders is an order-aggregation service: JSON batches in, totals out, an order book that stays live.
package main

import (
	"flag"

	"gcsim.local/programs/internal/load"
	"gcsim.local/programs/internal/orders"
)

func main() {
	options := load.Options{Name: "orders", LiveBytes: 60 << 20}
	pool := flag.Bool("pool", false, "reuse batches and reply buffers through sync.Pool")
	prealloc := flag.Bool("prealloc", false, "size slices and maps up front")
	batch := flag.Int("batch", 32, "orders in a batch")
	keep := flag.Int("keep", 4, "orders of a batch that enter the book")
	options.Parse()
	service := orders.NewService(load.NewRand(options.Seed, -1), options.LiveBytes, *batch, *keep)
	service.Pool, service.Prealloc = *pool, *prealloc
	options.Run(func(w *load.Worker) { service.Serve(w.Rand) })
}
