// Tiles is a map server: features with lines of many points are cut, simplified and encoded to the tile that a
// client looks at, at one of several levels; the tile is compressed and cached until it is the least recently used
// or somebody edits the map beneath it. Mappers edit all the time: a feature then gives way to another.
package main

import (
	"bytes"
	"compress/flate"
	"container/list"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"os"
	"sync"
	"sync/atomic"

	"gcsim.local/programs/internal/load"
)

// featureBytes is about what one feature keeps reachable, and the cache has so many parts of -live.
const (
	featureBytes  = 1900
	cacheParts    = 10 // one in so many
	margin        = 0.002
	shallowest    = 4 // of the levels
	indexed       = 6 // the level whose tiles are the index's cells
	deepest       = 9
	cells         = 1 << indexed
	overheadBytes = 1 << 20
)

// cell of the index; its features are copied on write.
type cell struct {
	mu       sync.Mutex
	features []*feature
	version  uint32
}

type server struct {
	cells   [cells][cells]cell
	cache   cache
	writers sync.Pool // of *flate.Writer
	perCell int
	lastID  uint64
}

// address of a tile.
type address struct {
	level, x, y int
}

// tile is what the cache has of one; version is the sum of those of the cells beneath.
type tile struct {
	address address
	version uint32
	body    []byte
}

// cache keeps so many bytes of tiles.
type cache struct {
	mu        sync.Mutex
	byAddress map[address]*list.Element
	order     list.List // the last used first
	bytes     int
	most      int
}

func (c *cache) get(a address) *tile {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.byAddress[a]
	if found == nil {
		return nil
	}
	c.order.MoveToFront(found)
	return found.Value.(*tile)
}

func (c *cache) put(t *tile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.byAddress[t.address]; old != nil {
		c.drop(old)
	}
	c.byAddress[t.address] = c.order.PushFront(t)
	c.bytes += len(t.body)
	for c.bytes > c.most && c.order.Len() > 1 {
		c.drop(c.order.Back())
	}
}

func (c *cache) drop(e *list.Element) {
	t := c.order.Remove(e).(*tile)
	delete(c.byAddress, t.address)
	c.bytes -= len(t.body)
}

// beneath visits the cells of a tile, or the one that it is a part of.
func (s *server) beneath(a address, visit func(*cell)) {
	if a.level > indexed {
		visit(&s.cells[a.y>>(a.level-indexed)][a.x>>(a.level-indexed)])
		return
	}
	span := 1 << (indexed - a.level)
	for y := a.y * span; y < (a.y+1)*span; y++ {
		for x := a.x * span; x < (a.x+1)*span; x++ {
			visit(&s.cells[y][x])
		}
	}
}

func (s *server) version(a address) (sum uint32) {
	s.beneath(a, func(c *cell) {
		c.mu.Lock()
		sum += c.version
		c.mu.Unlock()
	})
	return sum
}

// render makes a tile.
func (s *server) render(a address) ([]byte, error) {
	side := 1 / float64(int(1)<<a.level)
	bounds := box{float64(a.x) * side, float64(a.y) * side, float64(a.x+1) * side, float64(a.y+1) * side}
	shown := s.perCell // from afar only some are
	if a.level < indexed {
		shown >>= indexed - a.level
	}
	var found []*feature
	s.beneath(a, func(c *cell) {
		c.mu.Lock()
		features := c.features
		c.mu.Unlock()
		for i, f := range features {
			if i <= shown && f.bounds.meets(bounds) {
				found = append(found, f)
			}
		}
	})
	shapes := make([]shape, 0, len(found))
	for _, f := range found {
		var parts [][]point
		for _, part := range clip(f.line, bounds.grown(side*margin)) {
			parts = append(parts, simplify(part, side/4096))
		}
		if parts != nil {
			shapes = append(shapes, shape{f, parts})
		}
	}
	return s.compress(encode(shapes, bounds))
}

func (s *server) compress(plain []byte) ([]byte, error) {
	writer := s.writers.Get().(*flate.Writer)
	defer s.writers.Put(writer)
	var out bytes.Buffer
	writer.Reset(&out)
	if _, err := writer.Write(plain); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return append([]byte(nil), out.Bytes()...), nil
}

// serve gives a tile's compressed body.
func (s *server) serve(a address) ([]byte, error) {
	version := s.version(a)
	if found := s.cache.get(a); found != nil && found.version == version {
		return found.body, nil
	}
	body, err := s.render(a)
	if err != nil {
		return nil, err
	}
	s.cache.put(&tile{a, version, body})
	return body, nil
}

// edit replaces one feature of a cell.
func (s *server) edit(r *rand.Rand, x, y int) {
	fresh := draw(r, atomic.AddUint64(&s.lastID, 1), point{(float64(x) + r.Float64()) / cells, (float64(y) + r.Float64()) / cells})
	c := &s.cells[y][x]
	c.mu.Lock()
	defer c.mu.Unlock()
	features := append([]*feature(nil), c.features...)
	features[r.Intn(len(features))] = fresh
	c.features = features
	c.version++
}

// look draws what a client looks at: towns more than the country, near more than far.
func look(r *rand.Rand) address {
	level := deepest - r.Intn(1+r.Intn(deepest-shallowest+1))
	x, y := r.Float64()*r.Float64(), r.Float64()*r.Float64()
	return address{level, int(x * float64(int(1)<<level)), int(y * float64(int(1)<<level))}
}

func (s *server) fill(r *rand.Rand) {
	for y := range s.cells {
		for x := range s.cells[y] {
			c := &s.cells[y][x]
			for n := 0; n < s.perCell; n++ {
				s.lastID++
				at := point{(float64(x) + r.Float64()) / cells, (float64(y) + r.Float64()) / cells}
				c.features = append(c.features, draw(r, s.lastID, at))
			}
		}
	}
}

func main() {
	options := load.Options{Name: "tiles", LiveBytes: 140 << 20}
	edits := flag.Int("edits", 12, "requests until somebody edits, on average")
	options.Parse()
	if *edits < 1 {
		fail(fmt.Errorf("-edits must be 1 or more"))
	}
	s := &server{perCell: 2}
	s.cache.byAddress, s.cache.most = map[address]*list.Element{}, int(options.LiveBytes/cacheParts)
	s.writers.New = func() interface{} {
		writer, err := flate.NewWriter(io.Discard, flate.BestSpeed)
		if err != nil {
			fail(err)
		}
		return writer
	}
	if more := (int(options.LiveBytes) - s.cache.most - overheadBytes) / featureBytes / (cells * cells); more > 2 {
		s.perCell = more
	}
	setup := load.NewRand(options.Seed, -1)
	s.fill(setup)
	for s.cache.bytes < s.cache.most*9/10 {
		if _, err := s.serve(look(setup)); err != nil {
			fail(err)
		}
	}
	options.Run(func(w *load.Worker) {
		a := look(w.Rand)
		if w.Rand.Intn(*edits) == 0 {
			s.edit(w.Rand, a.x<<(deepest-a.level)>>(deepest-indexed), a.y<<(deepest-a.level)>>(deepest-indexed))
			return
		}
		body, err := s.serve(a)
		if err != nil {
			fail(err)
		}
		load.Use(len(body))
	})
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "tiles: %v\n", err)
	os.Exit(1)
}
