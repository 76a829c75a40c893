// Idle is a reporting service that few ask: large requests at a low rate, most of the machine unused,
// so that idle Ps do the marking. Its default is an open loop.
package main

import (
	"flag"
	"fmt"
	"sort"
	"strings"
	"time"

	"gcsim.local/programs/internal/load"
)

// rowBytes is about what one row keeps reachable.
const rowBytes = 112

type row struct {
	region, product string
	units           int
	when            *time.Time
}

func main() {
	options := load.Options{Name: "idle", LiveBytes: 50 << 20, Rate: 40}
	selected := flag.Int("rows", 3000, "rows of one report")
	options.Parse()
	rng := load.NewRand(options.Seed, -1)
	rows := make([]*row, options.LiveBytes/rowBytes+1)
	for i := range rows {
		when := time.Unix(rng.Int63n(1<<31), 0).UTC()
		rows[i] = &row{fmt.Sprintf("region-%02d", rng.Intn(40)), fmt.Sprintf("product-%04d", rng.Intn(3000)), rng.Intn(100), &when}
	}
	options.Run(func(w *load.Worker) {
		report := make([]*row, 0, *selected)
		for start := w.Rand.Intn(len(rows)); len(report) < *selected; start++ {
			report = append(report, rows[start%len(rows)])
		}
		sort.Slice(report, func(i, j int) bool { return report[i].when.Before(*report[j].when) })
		var out strings.Builder
		for _, r := range report {
			fmt.Fprintf(&out, "%s,%s,%s,%d\n", r.when.Format(time.RFC3339), r.region, r.product, r.units)
		}
		load.Use(out.Len())
	})
}
