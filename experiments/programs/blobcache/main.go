// Blobcache keeps large values without pointers: marking them costs nothing a byte, only a bit each.
package main

import (
	"flag"
	"hash/crc32"
	"math/rand"
	"sync"

	"gcsim.local/programs/internal/load"
)

type cache struct {
	mu    sync.RWMutex
	blobs [][]byte
}

// sizeOf draws a size with a long tail: most values near smallest, a few up to largest.
func sizeOf(rng *rand.Rand, smallest, largest int) int {
	size := float64(smallest) * (1 + rng.ExpFloat64()*2)
	if size > float64(largest) {
		return largest
	}
	return int(size)
}

func fetch(rng *rand.Rand, size int) []byte {
	blob := make([]byte, size)
	rng.Read(blob[:size/8]) // a header that differs; the rest is like a padded file
	return blob
}

func main() {
	options := load.Options{Name: "blobcache", LiveBytes: 200 << 20, Calls: 32}
	smallest := flag.Int("smallest", 4<<10, "smallest value, bytes")
	largest := flag.Int("largest", 256<<10, "largest value, bytes")
	misses := flag.Float64("misses", 0.25, "share of requests that fetch a new value")
	options.Parse()
	rng := load.NewRand(options.Seed, -1)
	c := &cache{}
	for held := int64(0); held < options.LiveBytes; {
		blob := fetch(rng, sizeOf(rng, *smallest, *largest))
		c.blobs = append(c.blobs, blob)
		held += int64(len(blob))
	}
	options.Run(func(w *load.Worker) {
		slot := w.Rand.Intn(len(c.blobs))
		c.mu.RLock()
		blob := c.blobs[slot]
		c.mu.RUnlock()
		if w.Rand.Float64() < *misses {
			blob = fetch(w.Rand, sizeOf(w.Rand, *smallest, *largest))
			c.mu.Lock()
			c.blobs[slot] = blob
			c.mu.Unlock()
		}
		reply := append([]byte(nil), blob[:len(blob)/4]...) // a range request
		load.Use(int(crc32.ChecksumIEEE(blob)) + len(reply))
	})
}
