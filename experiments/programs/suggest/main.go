// Suggest completes what people type into a search box: each keystroke asks for phrases that begin so, from
// any of their first words, mistyped or not. Phrases are in a trie whose nodes list the most popular beneath
// them; what a visitor picked before comes first. Picks make phrases popular, new phrases come and old ones go.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"html"
	"math/rand"
	"net/url"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"gcsim.local/programs/internal/load"
)

const (
	phraseBytes = 380     // about what one phrase keeps reachable, with its nodes and its share of visitors
	baseBytes   = 6 << 20 // the words and the visitors without phrases
	indexed     = 2       // words of a phrase that it is found by
	remembered  = 12      // picks of a visitor
	visitors    = 20000
	locks       = 64
	alphabet    = "abcdefghijklmnopqrstuvwxyz"
)

// letter is the part of the index where keys begin with one letter.
type letter struct {
	mu   sync.RWMutex
	root node
}

type visitor struct {
	recent []string // newest first
}

type service struct {
	letters [len(alphabet)]letter
	words   []string

	mu   sync.RWMutex // of the ring
	ring []*phrase    // oldest at next
	next int

	visitorLocks [locks]sync.Mutex
	visitors     [visitors]visitor
}

// normal is how phrases are kept: lower case, single spaces, letters alone.
func normal(text string) string {
	fields := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r < 'a' || r > 'z' })
	return strings.Join(fields, " ")
}

// keys are a phrase from its first word, its second and so on.
func keys(text string) (all []string) {
	for rest := text; rest != "" && len(all) < indexed; {
		all = append(all, rest)
		space := strings.IndexByte(rest, ' ')
		if space < 0 {
			break
		}
		rest = rest[space+1:]
	}
	return all
}

func (s *service) change(p *phrase, do func(n *node, key string, p *phrase)) {
	for _, key := range keys(p.text) {
		part := &s.letters[key[0]-'a']
		part.mu.Lock()
		do(&part.root, key, p)
		part.mu.Unlock()
	}
}

// learn takes a phrase in; the oldest goes.
func (s *service) learn(p *phrase) {
	s.mu.Lock()
	oldest := s.ring[s.next]
	s.ring[s.next] = p
	s.next = (s.next + 1) % len(s.ring)
	s.mu.Unlock()
	if oldest != nil {
		atomic.StoreInt32(&oldest.gone, 1)
		s.change(oldest, (*node).remove)
	}
	s.change(p, (*node).insert)
}

// lookup adds what begins with a prefix to the candidates, each with how it fits.
func (s *service) lookup(prefix string, fits float64, found map[*phrase]float64) {
	if prefix == "" || prefix[0] == ' ' {
		return
	}
	part := &s.letters[prefix[0]-'a']
	part.mu.RLock()
	defer part.mu.RUnlock()
	n := part.root.find(prefix)
	if n == nil {
		return
	}
	for _, p := range n.best {
		if score := fits * float64(1+p.popularity()); score > found[p] {
			found[p] = score
		}
	}
}

// misspelt tries what may have been meant: letters swapped, doubled, left out or hit wrongly.
func (s *service) misspelt(prefix string, found map[*phrase]float64) {
	for i := 1; i < len(prefix); i++ {
		s.lookup(prefix[:i]+prefix[i+1:], 0.05, found)
		if i+1 < len(prefix) {
			s.lookup(prefix[:i]+prefix[i+1:i+2]+prefix[i:i+1]+prefix[i+2:], 0.1, found)
		}
		for _, vowel := range []string{"a", "e", "i", "o", "u"} {
			s.lookup(prefix[:i]+vowel+prefix[i+1:], 0.02, found)
		}
	}
}

type suggestion struct {
	Text     string `json:"text"`
	Markup   string `json:"markup"`
	Link     string `json:"link"`
	Category string `json:"category,omitempty"`
	Results  int    `json:"results,omitempty"`
	Recent   bool   `json:"recent,omitempty"`
	score    float64
}

type reply struct {
	Query       string        `json:"query"`
	Visitor     int           `json:"visitor"`
	Suggestions []*suggestion `json:"suggestions"`
	Categories  []string      `json:"categories"`
}

// markup is the text with what was typed emphasised.
func markup(text, prefix string) string {
	at := strings.Index(text, prefix)
	if at < 0 {
		return html.EscapeString(text)
	}
	end := at + len(prefix)
	return html.EscapeString(text[:at]) + "<b>" + html.EscapeString(text[at:end]) + "</b>" + html.EscapeString(text[end:])
}

func link(text, visitor string) string {
	values := url.Values{"q": {text}, "from": {"suggest"}, "v": {visitor}}
	return "/search?" + values.Encode()
}

// complete answers one keystroke: a query string as it stands in the request's line.
func (s *service) complete(request string) ([]byte, error) {
	values, err := url.ParseQuery(request)
	if err != nil {
		return nil, err
	}
	who, err := strconv.Atoi(values.Get("v"))
	if err != nil || who < 0 || who >= visitors {
		return nil, fmt.Errorf("bad visitor %q", values.Get("v"))
	}
	prefix := normal(values.Get("q"))
	result := &reply{Query: prefix, Visitor: who}
	taken := map[string]bool{}
	s.visitorLocks[who%locks].Lock()
	for _, text := range s.visitors[who].recent {
		if strings.HasPrefix(text, prefix) && len(result.Suggestions) < 3 {
			taken[text] = true
			result.Suggestions = append(result.Suggestions, &suggestion{Text: text, Recent: true})
		}
	}
	s.visitorLocks[who%locks].Unlock()
	found := map[*phrase]float64{}
	s.lookup(prefix, 1, found)
	if len(prefix) >= 4 && len(found) < 3 {
		s.misspelt(prefix, found)
	}
	var ranked []*suggestion
	for p, score := range found {
		if !taken[p.text] {
			ranked = append(ranked, &suggestion{Text: p.text, Category: p.category, Results: p.results, score: score})
		}
	}
	sort.Slice(ranked, func(i, j int) bool {
		if ranked[i].score != ranked[j].score {
			return ranked[i].score > ranked[j].score
		}
		return ranked[i].Text < ranked[j].Text
	})
	if len(ranked) > listed {
		ranked = ranked[:listed]
	}
	result.Suggestions = append(result.Suggestions, ranked...)
	seen := map[string]bool{"": true}
	for _, one := range result.Suggestions {
		one.Markup, one.Link = markup(one.Text, prefix), link(one.Text, values.Get("v"))
		if !seen[one.Category] {
			seen[one.Category] = true
			result.Categories = append(result.Categories, one.Category)
		}
	}
	return json.Marshal(result)
}

// pick notes that a visitor searched for a phrase.
func (s *service) pick(who int, p *phrase) {
	atomic.AddInt64(&p.weight, 1)
	s.change(p, (*node).raise)
	s.visitorLocks[who%locks].Lock()
	defer s.visitorLocks[who%locks].Unlock()
	recent := append([]string{p.text}, s.visitors[who].recent...)
	if len(recent) > remembered {
		recent = append([]string(nil), recent[:remembered]...)
	}
	s.visitors[who].recent = recent
}

// choose draws a phrase: few are looked for often.
func (s *service) choose(r *rand.Rand) *phrase {
	u := r.Float64()
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.ring[int(u*u*float64(len(s.ring)))]
}

// invent makes a phrase of two to four words.
func (s *service) invent(r *rand.Rand) *phrase {
	var text []string
	for n := 2 + r.Intn(3); n > 0; n-- {
		u := r.Float64()
		text = append(text, s.words[int(u*u*float64(len(s.words)))])
	}
	return &phrase{
		text: strings.Join(text, " "), category: categories[r.Intn(len(categories))],
		results: r.Intn(5000), weight: int64(20 * r.ExpFloat64()),
	}
}

var categories = []string{"", "", "books", "garden", "kitchen", "music", "shoes", "sports", "tools", "toys"}

// typed is a request for what a visitor has typed of a phrase so far, one in eight with a slip.
func typed(r *rand.Rand, p *phrase) string {
	length := 2 + r.Intn(12)
	if length > len(p.text) {
		length = len(p.text)
	}
	text := []byte(p.text[:length])
	if at := 1 + r.Intn(length); at < length && r.Intn(8) == 0 {
		text[at] = alphabet[r.Intn(len(alphabet))]
	}
	return "q=" + url.QueryEscape(string(text)) + "&v=" + strconv.Itoa(r.Intn(visitors)) + "&lang=en"
}

func vocabulary(r *rand.Rand, count int) (words []string) {
	const consonants, vowels = "bcdfghjklmnprstvwz", "aeiou"
	for ; count > 0; count-- {
		var word []byte
		for n := 2 + r.Intn(3); n > 0; n-- {
			word = append(word, consonants[r.Intn(len(consonants))], vowels[r.Intn(len(vowels))])
			if r.Intn(3) == 0 {
				word = append(word, consonants[r.Intn(len(consonants))])
			}
		}
		words = append(words, string(word))
	}
	return words
}

func main() {
	options := load.Options{Name: "suggest", LiveBytes: 38 << 20, Rate: 16000}
	picks := flag.Int("picks", 8, "keystrokes until somebody picks a phrase, on average")
	fresh := flag.Int("fresh", 5, "picks until one is of a phrase not seen before, on average")
	options.Parse()
	if *picks < 1 || *fresh < 1 {
		fail(fmt.Errorf("-picks and -fresh must be 1 or more"))
	}
	setup := load.NewRand(options.Seed, -1)
	size := 1000
	if more := int(options.LiveBytes-baseBytes) / phraseBytes; more > size {
		size = more
	}
	s := &service{words: vocabulary(setup, 12000), ring: make([]*phrase, size)}
	for i := 0; i < size; i++ {
		s.learn(s.invent(setup))
	}
	for i := 0; i < visitors*remembered; i++ { // visitors have been here before
		who := setup.Intn(visitors)
		if recent := s.visitors[who].recent; len(recent) < remembered {
			s.visitors[who].recent = append(recent, s.choose(setup).text)
		}
	}
	options.Run(func(w *load.Worker) {
		body, err := s.complete(typed(w.Rand, s.choose(w.Rand)))
		if err != nil {
			fail(err)
		}
		load.Use(len(body))
		if w.Rand.Intn(*picks) == 0 {
			p := s.choose(w.Rand)
			if w.Rand.Intn(*fresh) == 0 {
				p = s.invent(w.Rand)
				s.learn(p)
			}
			s.pick(w.Rand.Intn(visitors), p)
		}
	})
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "suggest: %v\n", err)
	os.Exit(1)
}
