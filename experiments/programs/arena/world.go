package main

import (
	"container/heap"
	"math/rand"
)

const (
	cellSize     = 16.0
	perCell      = 4.0 // entities, on average
	projectileOf = 30  // ticks that a shot flies
	lootOf       = 60  // ticks that loot lies
	fullHealth   = 60
)

type kind uint8

const (
	creature kind = iota
	avatar        // of a player
	shot
	loot
)

type entity struct {
	id       uint32
	kind     kind
	health   int16
	x, y     float32
	dx, dy   float32
	cell     *cell
	mind     *mind // of creatures
	owner    *player
	until    uint64 // tick at which it goes; 0 is never
	contents []string
}

// mind is what a creature wants.
type mind struct {
	path []step
	prey *entity
	mood map[string]float32
}

type step struct{ x, y int16 }

type cell struct{ entities []*entity }

func (c *cell) add(e *entity) {
	c.entities = append(c.entities, e)
	e.cell = c
}

func (c *cell) remove(e *entity) {
	for i, other := range c.entities {
		if other == e {
			last := len(c.entities) - 1
			c.entities[i], c.entities[last] = c.entities[last], nil
			c.entities = c.entities[:last]
			return
		}
	}
}

// world is a square that ends where it begins.
type world struct {
	side      int // in cells
	cells     []cell
	creatures []*entity
	passing   []*entity // shots and loot
	players   []*player
	nextID    uint32
	tick      uint64
	rng       *rand.Rand // of the tick
}

func (w *world) at(x, y float32) *cell {
	cx, cy := int(x/cellSize), int(y/cellSize)
	return w.cellAt(cx, cy)
}

func (w *world) cellAt(cx, cy int) *cell {
	return &w.cells[(cy+w.side)%w.side*w.side+(cx+w.side)%w.side]
}

func (w *world) width() float32 { return float32(w.side) * cellSize }

func (w *world) put(e *entity) *entity {
	w.nextID++
	e.id = w.nextID
	w.at(e.x, e.y).add(e)
	return e
}

// spawn makes a creature somewhere.
func (w *world) spawn() *entity {
	e := w.put(&entity{kind: creature, health: fullHealth, x: w.rng.Float32() * w.width(), y: w.rng.Float32() * w.width()})
	e.mind = &mind{}
	if w.rng.Intn(4) == 0 {
		e.mind.mood = map[string]float32{"hunger": w.rng.Float32(), "fear": 0}
	}
	w.think(e)
	return e
}

// move carries an entity on by what it does in one tick.
func (w *world) move(e *entity) {
	if e.dx == 0 && e.dy == 0 {
		return
	}
	e.x, e.y = wrap(e.x+e.dx, w.width()), wrap(e.y+e.dy, w.width())
	if c := w.at(e.x, e.y); c != e.cell {
		e.cell.remove(e)
		c.add(e)
	}
}

func wrap(at, width float32) float32 {
	if at < 0 {
		at += width
	}
	if at >= width {
		at -= width
	}
	return at
}

// think gives a creature another way to go: the easiest one over ground of different height.
func (w *world) think(e *entity) {
	const reach = 6
	from := step{int16(e.x / cellSize), int16(e.y / cellSize)}
	to := step{from.x + int16(w.rng.Intn(2*reach+1)-reach), from.y + int16(w.rng.Intn(2*reach+1)-reach)}
	e.mind.path = w.path(from, to)
	e.mind.prey = nil
	for _, other := range e.cell.entities {
		if other.kind == avatar {
			e.mind.prey = other
			if e.mind.mood != nil {
				e.mind.mood["hunger"] += 0.1
			}
		}
	}
}

// walk turns a creature to the next step of its way.
func (w *world) walk(e *entity) {
	path := e.mind.path
	if len(path) == 0 {
		e.dx, e.dy = 0, 0
		return
	}
	next := path[0]
	e.mind.path = path[1:]
	e.dx = (float32(next.x)*cellSize + cellSize/2 - e.x) / 10
	e.dy = (float32(next.y)*cellSize + cellSize/2 - e.y) / 10
	if e.dx > cellSize || e.dx < -cellSize || e.dy > cellSize || e.dy < -cellSize { // over the world's end
		e.dx, e.dy = 0, 0
	}
}

// place on the way that is looked for.
type place struct {
	step
	cost, guess int
	from        *place
}

type frontier []*place

func (f frontier) Len() int            { return len(f) }
func (f frontier) Less(i, j int) bool  { return f[i].cost+f[i].guess < f[j].cost+f[j].guess }
func (f frontier) Swap(i, j int)       { f[i], f[j] = f[j], f[i] }
func (f *frontier) Push(x interface{}) { *f = append(*f, x.(*place)) }
func (f *frontier) Pop() interface{} {
	old := *f
	last := old[len(old)-1]
	*f = old[:len(old)-1]
	return last
}

// path is A* with a bound on what it looks at.
func (w *world) path(from, to step) []step {
	open := frontier{{step: from, guess: distance(from, to)}}
	seen := map[step]int{from: 0}
	best := open[0]
	for looked := 0; len(open) > 0 && looked < 24; looked++ {
		here := heap.Pop(&open).(*place)
		if here.guess < best.guess {
			best = here
		}
		if here.guess == 0 {
			break
		}
		for _, d := range [4]step{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
			next := step{here.x + d.x, here.y + d.y}
			cost := here.cost + 1 + height(next)
			if known, ok := seen[next]; ok && known <= cost {
				continue
			}
			seen[next] = cost
			heap.Push(&open, &place{next, cost, distance(next, to), here})
		}
	}
	var way []step
	for ; best.from != nil; best = best.from {
		way = append(way, best.step)
	}
	for i, j := 0, len(way)-1; i < j; i, j = i+1, j-1 {
		way[i], way[j] = way[j], way[i]
	}
	return way
}

func distance(a, b step) int { return abs(int(a.x-b.x)) + abs(int(a.y-b.y)) }

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// height of the ground, 0 to 3.
func height(s step) int {
	mixed := uint32(s.x)*2654435761 ^ uint32(s.y)*2246822519
	return int((mixed ^ mixed>>15) * 3266489917 >> 30)
}
