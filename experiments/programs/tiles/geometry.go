package main

import (
	"encoding/binary"
	"math"
	"math/rand"
	"sort"
)

// point is in units of the map, which is a square with sides of 1.
type point struct{ x, y float64 }

type box struct{ minX, minY, maxX, maxY float64 }

func (b box) meets(o box) bool {
	return b.minX < o.maxX && o.minX < b.maxX && b.minY < o.maxY && o.minY < b.maxY
}

func (b box) grown(by float64) box { return box{b.minX - by, b.minY - by, b.maxX + by, b.maxY + by} }

// feature does not change: an edit puts another in its place.
type feature struct {
	id         uint64
	layer      string
	bounds     box
	line       []point
	properties map[string]string
}

var (
	layers   = []string{"roads", "buildings", "water", "landuse"}
	surfaces = []string{"asphalt", "gravel", "grass", "sand", "unknown"}
)

// draw makes a feature: a line or an outline that wanders from a place.
func draw(r *rand.Rand, id uint64, at point) *feature {
	f := &feature{id: id, layer: layers[r.Intn(len(layers))]}
	count := 4 + int(60*r.ExpFloat64())
	if count > 600 {
		count = 600
	}
	f.line = make([]point, count)
	heading, stride := r.Float64()*2*math.Pi, 0.00002+0.0002*r.Float64()
	f.bounds = box{at.x, at.y, at.x, at.y}
	for i := range f.line {
		f.line[i] = at
		f.bounds.minX, f.bounds.maxX = math.Min(f.bounds.minX, at.x), math.Max(f.bounds.maxX, at.x)
		f.bounds.minY, f.bounds.maxY = math.Min(f.bounds.minY, at.y), math.Max(f.bounds.maxY, at.y)
		heading += r.NormFloat64() * 0.4
		at.x, at.y = at.x+stride*math.Cos(heading), at.y+stride*math.Sin(heading)
	}
	f.properties = map[string]string{"class": surfaces[r.Intn(len(surfaces))]}
	if r.Intn(3) == 0 {
		f.properties["name"] = name(r)
	}
	return f
}

func name(r *rand.Rand) string {
	const syllables = "kalomirenatupisodevu"
	text := make([]byte, 0, 16)
	for n := 2 + r.Intn(4); n > 0; n-- {
		at := 2 * r.Intn(len(syllables)/2)
		text = append(text, syllables[at:at+2]...)
	}
	return string(text) + " street"
}

// clip gives the parts of a line that are inside, as lines of their own.
func clip(line []point, b box) (parts [][]point) {
	var part []point
	for i, p := range line {
		inside := p.x >= b.minX && p.x <= b.maxX && p.y >= b.minY && p.y <= b.maxY
		switch {
		case inside:
			if part == nil && i > 0 {
				part = append(part, line[i-1])
			}
			part = append(part, p)
		case part != nil:
			parts, part = append(parts, append(part, p)), nil
		}
	}
	if part != nil {
		parts = append(parts, part)
	}
	return parts
}

// simplify leaves out what is nearer than tolerance to the line without it (Douglas and Peucker).
func simplify(line []point, tolerance float64) []point {
	if len(line) < 3 {
		return line
	}
	keep := make([]bool, len(line))
	keep[0], keep[len(line)-1] = true, true
	mark(line, keep, 0, len(line)-1, tolerance*tolerance)
	var kept []point
	for i, p := range line {
		if keep[i] {
			kept = append(kept, p)
		}
	}
	return kept
}

func mark(line []point, keep []bool, from, to int, tolerance float64) {
	farthest, at := tolerance, -1
	for i := from + 1; i < to; i++ {
		if d := distance(line[i], line[from], line[to]); d > farthest {
			farthest, at = d, i
		}
	}
	if at >= 0 {
		keep[at] = true
		mark(line, keep, from, at, tolerance)
		mark(line, keep, at, to, tolerance)
	}
}

// distance of a point from a segment, squared.
func distance(p, a, b point) float64 {
	dx, dy := b.x-a.x, b.y-a.y
	if length := dx*dx + dy*dy; length > 0 {
		t := math.Max(0, math.Min(1, ((p.x-a.x)*dx+(p.y-a.y)*dy)/length))
		a = point{a.x + t*dx, a.y + t*dy}
	}
	return (p.x-a.x)*(p.x-a.x) + (p.y-a.y)*(p.y-a.y)
}

// shape is a feature as a tile shows it.
type shape struct {
	feature *feature
	parts   [][]point
}

// encode writes shapes in the manner of vector tiles: a layer's keys and values once, then the features with
// numbers of them, and lines as differences on a grid of 4096.
func encode(shapes []shape, b box) []byte {
	byLayer := map[string][]shape{}
	for _, s := range shapes {
		byLayer[s.feature.layer] = append(byLayer[s.feature.layer], s)
	}
	scale := 4096 / (b.maxX - b.minX)
	var out []byte
	for _, layer := range layers {
		var body []byte
		texts, order := map[string]int{}, []string{}
		number := func(text string) uint64 {
			n, known := texts[text]
			if !known {
				n = len(order)
				texts[text], order = n, append(order, text)
			}
			return uint64(n)
		}
		for _, s := range byLayer[layer] {
			body = binary.AppendUvarint(body, s.feature.id)
			keys := make([]string, 0, len(s.feature.properties))
			for key := range s.feature.properties {
				keys = append(keys, key)
			}
			sort.Strings(keys)
			for _, key := range keys {
				body = binary.AppendUvarint(body, number(key))
				body = binary.AppendUvarint(body, number(s.feature.properties[key]))
			}
			for _, part := range s.parts {
				body = binary.AppendUvarint(body, uint64(len(part)))
				var x, y int64
				for _, p := range part {
					toX, toY := int64((p.x-b.minX)*scale), int64((p.y-b.minY)*scale)
					body = binary.AppendVarint(binary.AppendVarint(body, toX-x), toY-y)
					x, y = toX, toY
				}
			}
		}
		out = append(binary.AppendUvarint(append(out, layer...), uint64(len(order))), 0)
		for _, text := range order {
			out = append(binary.AppendUvarint(out, uint64(len(text))), text...)
		}
		out = append(binary.AppendUvarint(out, uint64(len(body))), body...)
	}
	return out
}
