// Fanout is a chat gateway: a request posts one message to a room and builds a frame for each shard of connections.
// Switches change three allocation sites: the frames' buffers, the slice of targets, and the verdict on a member.
package main

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand"
	"strconv"
	"strings"
	"sync"

	"gcsim.local/programs/internal/changes"
	"gcsim.local/programs/internal/load"
)

const (
	frameBytes    = 1280     // capacity of a frame
	shards        = 4        // connection servers that get a frame
	historyLength = 48       // messages that a room keeps
	receiptLength = 8        // receipts that a member keeps
	smallest      = 10.0     // members of the smallest room
	largest       = 300.0    // members of the largest room
	roomBytes     = 56 << 10 // about what a room keeps alive
)

// Levels of notification. A member at none gets no frame.
const none, silent, alert = 0, 1, 3

type member struct {
	id       uint64
	user     string
	shard    int
	setting  int
	online   bool
	tokens   float64
	seen     uint64
	cursor   int
	receipts [receiptLength]*receipt
}

// receipt is kept until newer ones replace it.
type receipt struct {
	message  *message
	sequence uint64
	level    int
	score    float64
}

type message struct {
	sequence uint64
	author   *member
	text     string
	mentions []string
	spam     float64
}

type room struct {
	mu       sync.Mutex
	name     string
	members  []*member
	history  [historyLength]*message
	sequence uint64
	targets  int // of the last message
}

// envelope is what a client sends.
type envelope struct {
	Text     string
	Mentions []string
}

// target is a member that gets the message.
type target struct {
	member *member
	level  int
	unread int32
	score  float64
}

// verdict is the decision on one member and message.
type verdict struct {
	member    *member
	message   *message
	reason    string
	score     float64
	tokens    float64
	level     int32
	unread    int32
	mentioned bool
}

type service struct {
	*changes.Switches
	rooms  []*room
	bodies [][]byte
	words  map[string]float64
	frames sync.Pool
}

func main() {
	options := load.Options{Name: "fanout", LiveBytes: 60 << 20, Rate: 18000}
	switches := changes.Flags()
	options.Parse()
	rng := load.NewRand(options.Seed, -1)
	s := &service{Switches: switches, words: map[string]float64{}}
	s.fillCorpus(rng, 1024)
	for i := 0; i < 1+int(options.LiveBytes/roomBytes); i++ {
		r := newRoom(rng, i, int(smallest*math.Pow(largest/smallest, rng.Float64())))
		s.rooms = append(s.rooms, r)
		for k := 0; k < historyLength; k++ {
			s.post(rng, r)
		}
	}
	s.Profile(options.Duration)
	options.Run(func(w *load.Worker) { s.serve(w.Rand) })
}

func (s *service) fillCorpus(rng *rand.Rand, n int) {
	vocabulary := make([]string, 3000)
	for i := range vocabulary {
		vocabulary[i] = strings.ToLower(strconv.FormatUint(rng.Uint64()>>uint(24+rng.Intn(30)), 36))
		if rng.Intn(6) == 0 {
			s.words[vocabulary[i]] = rng.Float64()
		}
	}
	for i := 0; i < n; i++ {
		text, mentions := make([]string, 3+int(rng.ExpFloat64()*25)%120), []string(nil)
		for k := range text {
			text[k] = vocabulary[rng.Intn(len(vocabulary))]
			if k < 3 && rng.Intn(2) == 0 {
				mentions = append(mentions, fmt.Sprintf("user%03d", rng.Intn(largest)))
			}
		}
		body, _ := json.Marshal(envelope{strings.Join(text, " "), mentions})
		s.bodies = append(s.bodies, body)
	}
}

func newRoom(rng *rand.Rand, number, size int) *room {
	r := &room{name: fmt.Sprintf("room-%05d", number), members: make([]*member, size)}
	for i := range r.members {
		r.members[i] = &member{id: rng.Uint64() >> 30, user: fmt.Sprintf("user%03d", i), shard: rng.Intn(shards),
			setting: rng.Intn(4), online: rng.Intn(10) < 7, tokens: 4}
	}
	return r
}

func (s *service) serve(rng *rand.Rand) {
	r := s.rooms[rng.Intn(len(s.rooms))]
	m, targets := s.post(rng, r)
	load.Use(s.send(r, m, targets))
}

// post adds a message to the room and returns who gets it.
func (s *service) post(rng *rand.Rand, r *room) (*message, []target) {
	var e envelope
	if json.Unmarshal(s.bodies[rng.Intn(len(s.bodies))], &e) != nil {
		panic("bad body") // the corpus is our own
	}
	m := &message{text: e.Text, mentions: e.Mentions, spam: s.spam(e.Text)}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := 0; i < 2; i++ { // members come and go
		r.members[rng.Intn(len(r.members))].online = rng.Intn(10) < 7
	}
	r.sequence++
	m.sequence = r.sequence
	m.author = r.members[rng.Intn(len(r.members))]
	r.history[r.sequence%historyLength] = m
	var rows []target
	if s.Prealloc {
		rows = make([]target, 0, r.targets+8) // 8 is more than the changes since the last message
	}
	rows = s.addTargets(rows, r, m)
	r.targets = len(rows)
	return m, rows
}

// spam is the mean weight of the words that are on the list.
func (s *service) spam(text string) float64 {
	sum, words := 0.0, strings.Fields(strings.ToLower(text))
	for _, word := range words {
		sum += s.words[strings.Trim(word, ".,!?")]
	}
	return sum / float64(len(words)+1)
}

//go:noinline
func (s *service) addTargets(rows []target, r *room, m *message) []target {
	for _, to := range r.members {
		if !to.online || to == m.author {
			continue
		}
		var row target
		if s.Stack {
			row = new(verdict).judge(to, m)
		} else {
			row = newVerdict().judge(to, m)
		}
		if row.level != none {
			to.note(m, row)
			rows = append(rows, row)
		}
	}
	return rows
}

//go:noinline
func newVerdict() *verdict { return new(verdict) }

// judge decides the level of the notification from the member's setting, the mentions and a token bucket.
//
//go:noinline
func (v *verdict) judge(to *member, m *message) target {
	v.member, v.message = to, m
	for _, name := range m.mentions {
		v.mentioned = v.mentioned || name == to.user
	}
	v.tokens = math.Min(8, to.tokens+0.6*float64(m.sequence-to.seen))
	v.score = math.Exp(-2*m.spam) * (0.5 + 0.1*v.tokens)
	v.level, v.reason = int32(to.setting), "setting"
	switch {
	case v.mentioned:
		v.level, v.reason = alert, "mention"
	case to.setting != none && (v.tokens < 1 || v.score < 0.2):
		v.level, v.reason = silent, "limited"
	}
	if v.level > silent {
		v.tokens--
	}
	v.unread = int32(to.cursor) + 1
	to.tokens, to.seen = v.tokens, m.sequence
	return target{v.member, int(v.level), v.unread, v.score + float64(len(v.reason))}
}

//go:noinline
func (to *member) note(m *message, row target) {
	to.cursor = (to.cursor + 1) % receiptLength
	to.receipts[to.cursor] = &receipt{m, m.sequence, row.level, row.score}
}

// send builds the frames of all shards, then writes them; the frames are held until all are written.
func (s *service) send(r *room, m *message, targets []target) int {
	var frames []*[]byte
	for shard := 0; shard < shards; shard++ {
		var frame *[]byte
		for i := range targets {
			to := &targets[i]
			if to.member.shard != shard {
				continue
			}
			if frame == nil || len(*frame)+64 > cap(*frame) {
				frame = s.frame(r, m)
				frames = append(frames, frame)
			}
			out := strconv.AppendUint(append(*frame, '\n'), to.member.id, 36)
			out = strconv.AppendInt(append(out, ' '), int64(to.level), 10)
			out = strconv.AppendInt(append(out, ' '), int64(to.unread), 10)
			*frame = strconv.AppendFloat(append(out, ' '), to.score, 'f', 3, 64)
		}
	}
	sum := uint32(0)
	for _, frame := range frames {
		sum = crc32.Update(sum, crc32.IEEETable, *frame)
	}
	for i := 0; s.Pool && i < len(frames); i++ {
		s.frames.Put(frames[i])
	}
	return int(sum & 0xff)
}

// frame has the part that is the same for all members; a long text is cut.
func (s *service) frame(r *room, m *message) *[]byte {
	var frame *[]byte
	if s.Pool {
		frame, _ = s.frames.Get().(*[]byte)
	}
	if frame == nil {
		frame = newFrame()
	}
	end := len(m.text)
	if end > 600 {
		end = 600
	}
	out := append(append((*frame)[:0], r.name...), ' ')
	out = append(strconv.AppendUint(out, m.sequence, 10), ' ')
	out = append(append(out, m.author.user...), ' ')
	*frame = strconv.AppendQuote(out, m.text[:end])
	return frame
}

//go:noinline
func newFrame() *[]byte {
	frame := make([]byte, 0, frameBytes)
	return &frame
}
