// Broker is a message broker: publishers send to topics, and each of some thousand subscribers has a
// goroutine that waits at its channel, filters, frames and acknowledges. The last messages of a topic
// are retained. Its goroutines' stacks are as large as its heap, as with any server of many connections.
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"hash/crc32"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gcsim.local/programs/internal/load"
)

// About what one message retained and one subscriber keep reachable on the heap.
const (
	messageBytes    = 1450
	subscriberBytes = 2200
)

type message struct {
	id      uint64
	topic   string
	key     string
	at      time.Time
	headers map[string]string
	body    []byte
}

// topic retains its last messages in a ring and knows who listens.
type topic struct {
	mu          sync.Mutex
	name        string
	next        uint64
	ring        []*message
	subscribers []*subscriber
	dropped     int // for subscribers that were too slow
}

type subscriber struct {
	topic   *topic
	prefix  string // only messages whose key begins so
	inbox   chan *message
	unacked map[uint64]*message
	sent    int64
	out     []byte // the connection's write buffer
}

const (
	inboxLength = 32
	mostUnacked = 16
)

// publish retains a message and hands it to the topic's subscribers, without waiting for a slow one.
func (t *topic) publish(m *message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m.id, m.topic = t.next, t.name
	t.next++
	t.ring[m.id%uint64(len(t.ring))] = m
	for _, s := range t.subscribers {
		select {
		case s.inbox <- m:
		default:
			t.dropped++
		}
	}
}

// replay reads the last that are retained, as a consumer that comes back does.
func (t *topic) replay(last int) (found []*message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id := t.next - uint64(last); id < t.next; id++ {
		if m := t.ring[id%uint64(len(t.ring))]; m != nil && m.id == id {
			found = append(found, m)
		}
	}
	return found
}

// serve is the goroutine of one subscriber. Its frame holds the scratch of the protocol, as such loops
// do, so that its stack is 8 KiB while it waits.
func (s *subscriber) serve(delivered *int64) {
	var header [3 << 10]byte
	var window [16]*message // sent last: a negative acknowledgement sends one again
	for m := range s.inbox {
		if !strings.HasPrefix(m.key, s.prefix) {
			continue
		}
		window[s.sent%int64(len(window))] = m
		again := window[(s.sent*7)%int64(len(window))]
		n := s.deliver(m, header[:0])
		if s.sent%50 == 49 && again != nil {
			n += s.deliver(again, header[:0])
		}
		atomic.AddInt64(delivered, int64(n))
	}
}

// deliver frames a message for the connection and counts it until it is acknowledged.
func (s *subscriber) deliver(m *message, header []byte) int {
	frame := s.frame(m, header)
	s.out = append(s.out[:0], frame...)
	s.sent++
	s.unacked[m.id] = m
	if len(s.unacked) > mostUnacked { // the acknowledgement of all so far arrives
		for id := range s.unacked {
			delete(s.unacked, id)
		}
	}
	return len(s.out)
}

func (s *subscriber) frame(m *message, header []byte) []byte {
	header = append(header, "MSG "...)
	header = append(append(header, m.topic...), ' ')
	header = append(strconv.AppendUint(header, m.id, 10), '\n')
	for name, value := range m.headers {
		header = append(append(append(append(header, name...), ": "...), value...), '\n')
	}
	header = append(header, "delivered: "...)
	header = append(time.Now().UTC().AppendFormat(header, time.RFC3339Nano), '\n')
	frame := make([]byte, 0, len(header)+len(m.body)+8)
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(header)))
	frame = append(append(frame, header...), m.body...)
	return binary.BigEndian.AppendUint32(frame, crc32.ChecksumIEEE(m.body))
}

// newMessage is what the parser of a publisher's frame makes.
func newMessage(r *rand.Rand, smallest, largest int) *message {
	m := &message{key: fmt.Sprintf("%c/device-%d", 'a'+r.Intn(4), r.Intn(100000)), at: time.Now()}
	m.headers = map[string]string{
		"trace": fmt.Sprintf("%016x", r.Uint64()), "type": "reading", "source": "gateway-" + strconv.Itoa(r.Intn(200)),
	}
	m.body = make([]byte, smallest+int(float64(largest-smallest)*r.Float64()*r.Float64()))
	for i := 0; i+8 <= len(m.body); i += 8 {
		binary.LittleEndian.PutUint64(m.body[i:], r.Uint64())
	}
	return m
}

func main() {
	options := load.Options{Name: "broker", LiveBytes: 32 << 20, Rate: 8000}
	subscribers := flag.Int("subscribers", 4000, "subscribers, each with a goroutine")
	topics := flag.Int("topics", 400, "topics")
	smallest := flag.Int("smallest", 100, "bytes of a message, at least")
	largest := flag.Int("largest", 3000, "bytes of a message, at most")
	options.Parse()
	if *subscribers < 1 || *topics < 1 || *smallest < 0 || *largest < *smallest {
		fmt.Fprintln(os.Stderr, "broker: want subscribers, topics and sizes above zero, -smallest not above -largest")
		os.Exit(2)
	}
	setup := load.NewRand(options.Seed, -1)
	retained := int(options.LiveBytes-int64(*subscribers*subscriberBytes)) / messageBytes / *topics
	if retained < 4 {
		retained = 4
	}
	all := make([]*topic, *topics)
	for i := range all {
		all[i] = &topic{name: fmt.Sprintf("plant/%d/line/%d", i/20, i%20), ring: make([]*message, retained)}
		for j := 0; j < retained; j++ {
			all[i].publish(newMessage(setup, *smallest, *largest))
		}
	}
	var delivered int64
	for i := 0; i < *subscribers; i++ {
		s := &subscriber{topic: all[i%*topics], inbox: make(chan *message, inboxLength), unacked: map[uint64]*message{}}
		if i%3 == 0 {
			s.prefix = string(rune('a' + setup.Intn(4)))
		}
		s.topic.subscribers = append(s.topic.subscribers, s)
		go s.serve(&delivered)
	}
	options.Run(func(w *load.Worker) {
		t := all[int(float64(len(all))*w.Rand.Float64()*w.Rand.Float64())] // some are busier than others
		if w.Rand.Intn(100) == 0 {
			load.Use(len(t.replay(w.Rand.Intn(retained))))
			return
		}
		t.publish(newMessage(w.Rand, *smallest, *largest))
	})
	load.Use(int(atomic.LoadInt64(&delivered)))
}
