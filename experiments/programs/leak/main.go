// Leak keeps a session for every client and forgets to drop some: the live heap grows slowly, at a
// rate in bytes per second.
package main

import (
	"container/list"
	"encoding/base32"
	"encoding/binary"
	"flag"
	"fmt"
	"hash/fnv"
	"strings"
	"sync"
	"time"

	"gcsim.local/programs/internal/load"
)

// sessionBytes is about what one session keeps reachable.
const sessionBytes = 510

type session struct {
	id      string
	history *list.List // of *visit
}

type visit struct {
	page string
	at   time.Duration
}

func newSession(id uint64) *session {
	var raw [8]byte
	binary.LittleEndian.PutUint64(raw[:], id)
	s := &session{id: base32.StdEncoding.EncodeToString(raw[:]), history: list.New()}
	for i := uint64(0); i < 4; i++ {
		s.history.PushBack(&visit{page: fmt.Sprintf("/page/%d/part/%d", (id+i)%997, i)})
	}
	return s
}

// render makes a page from a session's history, all of it garbage by the end of the request.
func (s *session) render() int {
	hash := fnv.New64a()
	var parts []string
	for e := s.history.Front(); e != nil; e = e.Next() {
		v := e.Value.(*visit)
		for _, word := range strings.Split(v.page, "/") {
			parts = append(parts, fmt.Sprintf("<li>%s</li>", strings.ToUpper(word)))
		}
	}
	page := strings.Join(parts, "\n")
	hash.Write([]byte(page))
	return len(page) + int(hash.Sum64()&0xff)
}

type table struct {
	mu       sync.Mutex
	sessions []*session
	leaked   []*session
}

func main() {
	options := load.Options{Name: "leak", LiveBytes: 30 << 20, Calls: 8}
	growth := int64(2 << 20)
	flag.Var((*load.ByteSize)(&growth), "leak", "bytes leaked in a second")
	options.Parse()
	t := &table{}
	for id := uint64(0); id < uint64(options.LiveBytes/sessionBytes)+1; id++ {
		t.sessions = append(t.sessions, newSession(id))
	}
	options.Run(func(w *load.Worker) {
		slot := w.Rand.Intn(len(t.sessions))
		fresh := newSession(w.Rand.Uint64())
		t.mu.Lock()
		old := t.sessions[slot]
		t.sessions[slot] = fresh
		if int64(len(t.leaked))*sessionBytes < int64(w.Elapsed.Seconds()*float64(growth)) {
			t.leaked = append(t.leaked, old)
		}
		t.mu.Unlock()
		load.Use(old.render() + fresh.render())
	})
}
