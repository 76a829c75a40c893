// Search is a full-text search service: inverted indexes in shards with compressed postings, queries of
// several words with the best ten and their snippets, and documents that are replaced. A shard with too
// many replaced documents is merged: for a moment there are two of it. Much stays live.
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"math/rand"
	"sort"
	"strings"
	"sync"

	"gcsim.local/programs/internal/load"
)

const (
	documentBytes = 1800 // about what one document keeps reachable, its postings included
	shards        = 12
	vocabulary    = 20000
	best          = 10
)

type document struct {
	id, title, body string
	source          []byte // as it came; stored, not searched
	words           int
	replaced        bool
}

// postings is a list of (document, frequency), as differences in varints.
type postings struct {
	data  []byte
	last  uint32
	count int
}

func (p *postings) add(number uint32, frequency int) {
	p.data = binary.AppendUvarint(p.data, uint64(number-p.last))
	p.data = binary.AppendUvarint(p.data, uint64(frequency))
	p.last = number
	p.count++
}

// shard is a part of the index. Its documents are numbered as they came.
type shard struct {
	mu        sync.RWMutex
	terms     map[string]*postings
	documents []*document
	byID      map[string]uint32
	replaced  int
}

func newShard() *shard { return &shard{terms: map[string]*postings{}, byID: map[string]uint32{}} }

// add indexes a document; one of the same identifier is replaced.
func (s *shard) add(d *document) {
	frequencies := make(map[string]int, 64)
	for _, word := range strings.Fields(d.body) {
		frequencies[strings.ToLower(strings.Trim(word, ".,"))]++
		d.words++
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	number := uint32(len(s.documents))
	if before, known := s.byID[d.id]; known {
		s.documents[before].replaced = true
		s.replaced++
	}
	s.documents, s.byID[d.id] = append(s.documents, d), number
	for word, frequency := range frequencies {
		list := s.terms[word]
		if list == nil {
			list = &postings{}
			s.terms[strings.Clone(word)] = list // else the key would keep the body
		}
		list.add(number, frequency)
	}
}

// merge gives the shard anew without its replaced documents. Postings are renumbered, not made again.
func (s *shard) merge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh, numbers := newShard(), make([]uint32, len(s.documents))
	for old, d := range s.documents {
		if !d.replaced {
			numbers[old] = uint32(len(fresh.documents))
			fresh.byID[d.id] = numbers[old]
			fresh.documents = append(fresh.documents, d)
		}
	}
	for word, list := range s.terms {
		kept := &postings{data: make([]byte, 0, len(list.data))}
		for _, p := range list.all() {
			if !s.documents[p.number].replaced {
				kept.add(numbers[p.number], int(p.frequency))
			}
		}
		if kept.count > 0 {
			fresh.terms[word] = kept
		}
	}
	s.terms, s.documents, s.byID, s.replaced = fresh.terms, fresh.documents, fresh.byID, 0
}

type posting struct{ number, frequency uint32 }

func (p *postings) all() []posting {
	found := make([]posting, 0, p.count)
	for data, number := p.data, uint32(0); len(data) > 0; {
		gap, n := binary.Uvarint(data)
		frequency, m := binary.Uvarint(data[n:])
		number += uint32(gap)
		found, data = append(found, posting{number, uint32(frequency)}), data[n+m:]
	}
	return found
}

type hit struct {
	document *document
	score    float64
}

// insert keeps the best hits in order.
func insert(top []hit, h hit) []hit {
	at := sort.Search(len(top), func(i int) bool { return top[i].score < h.score })
	if top = append(top, hit{}); len(top) > best {
		top = top[:best]
	}
	if at < len(top) {
		copy(top[at+1:], top[at:])
		top[at] = h
	}
	return top
}

// search ranks the documents of a shard that have any of the words, and keeps the best of them.
func (s *shard) search(words []string, top []hit) []hit {
	s.mu.RLock()
	defer s.mu.RUnlock()
	scores := map[uint32]float64{}
	for _, word := range words {
		list := s.terms[word]
		if list == nil {
			continue
		}
		rarity := math.Log(1 + float64(len(s.documents))/float64(list.count))
		for _, p := range list.all() {
			if d := s.documents[p.number]; !d.replaced {
				scores[p.number] += rarity * float64(p.frequency) / (float64(p.frequency) + float64(d.words)/60)
			}
		}
	}
	for number, score := range scores {
		if len(top) < best || score > top[best-1].score {
			top = insert(top, hit{s.documents[number], score})
		}
	}
	return top
}

// snippet marks the words in the first part of a body that has one of them.
func snippet(d *document, words []string) string {
	for _, sentence := range strings.Split(d.body, ". ") {
		for _, word := range words {
			if strings.Contains(sentence, word) {
				return strings.ReplaceAll(sentence, word, "<em>"+word+"</em>")
			}
		}
	}
	return d.title
}

// find answers a query.
func find(index []*shard, query string) string {
	words, top := strings.Fields(strings.ToLower(query)), []hit{}
	for _, s := range index {
		top = s.search(words, top)
	}
	var out strings.Builder
	for i, h := range top {
		fmt.Fprintf(&out, "%d. %s (%s) %.3f\n%s\n", i+1, h.document.title, h.document.id, h.score, snippet(h.document, words))
	}
	return out.String()
}

// text has words as often as language does: by a rank that is even on a scale of logarithms.
type text [1 << 16]string

func newText() *text {
	t, rank := &text{}, 0
	for i := range t {
		if next := int(math.Pow(vocabulary, float64(i)/float64(len(t)))); next > rank || i == 0 {
			rank = next
			t[i] = fmt.Sprintf("%c%c%s%d", 'a'+rank%26, 'a'+rank/26%26, "ion", rank)
		} else {
			t[i] = t[i-1]
		}
	}
	return t
}

// word draws one; the rarest ones are above 0.9.
func (t *text) word(r *rand.Rand, above float64) string {
	return t[int(float64(len(t))*(above+(1-above)*r.Float64()))]
}

func (t *text) document(id string, r *rand.Rand) *document {
	var body strings.Builder
	body.Grow(640)
	for i, words := 0, 20+r.Intn(50); i < words; i++ {
		body.WriteString(t.word(r, 0))
		if i%12 == 11 {
			body.WriteByte('.')
		}
		body.WriteByte(' ')
	}
	d := &document{id: id, title: "On " + t.word(r, 0.3) + " and " + t.word(r, 0.3), body: body.String()}
	d.source = make([]byte, 200+r.Intn(1000))
	copy(d.source, d.body)
	return d
}

func main() {
	options := load.Options{Name: "search", LiveBytes: 200 << 20}
	updates := flag.Float64("updates", 0.5, "share of requests that replace a document")
	merge := flag.Float64("merge", 0.08, "share of a shard's documents that is replaced when it is merged")
	options.Parse()
	language, index := newText(), make([]*shard, shards)
	each := int(options.LiveBytes/documentBytes)/shards + 1
	var group sync.WaitGroup
	for i := range index {
		index[i] = newShard()
		group.Add(1)
		go func(i int) {
			defer group.Done()
			setup := load.NewRand(options.Seed, -10-i)
			for j := 0; j < each; j++ {
				index[i].add(language.document(fmt.Sprintf("doc-%d-%d", i, j), setup))
			}
		}(i)
	}
	group.Wait()
	options.Run(func(w *load.Worker) {
		if w.Rand.Float64() >= *updates {
			query := language.word(w.Rand, 0.5) + " " + language.word(w.Rand, 0.5) + " " + language.word(w.Rand, 0.7)
			load.Use(len(find(index, query)))
			return
		}
		i := w.Rand.Intn(shards)
		s := index[i]
		s.add(language.document(fmt.Sprintf("doc-%d-%d", i, w.Rand.Intn(each)), w.Rand))
		s.mu.RLock()
		due := float64(s.replaced) > *merge*float64(len(s.documents))
		s.mu.RUnlock()
		if due {
			s.merge()
		}
	})
}
