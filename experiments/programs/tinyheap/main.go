// Tinyheap is a token service whose live heap is under Go's minimum heap: it collects at 4 MiB x
// GOGC/100 whatever is live.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"gcsim.local/programs/internal/load"
)

// sessionBytes is about what one session keeps reachable.
const sessionBytes = 280

type claims struct {
	Subject string   `json:"sub"`
	Issued  int64    `json:"iat"`
	Scopes  []string `json:"scopes"`
}

type session struct {
	token  string
	claims *claims
}

type store struct {
	mu       sync.Mutex
	sessions map[int]*session
}

func (s *store) swap(slot int, fresh *session) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.sessions[slot]
	s.sessions[slot] = fresh
	return old
}

func sign(key []byte, payload []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(payload)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func issue(key []byte, slot int, issued int64) *session {
	c := &claims{Subject: fmt.Sprintf("user-%d", slot), Issued: issued, Scopes: []string{"read", "write"}}
	payload, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return &session{token: sign(key, payload), claims: c}
}

func verify(key []byte, s *session) bool {
	payload, err := json.Marshal(s.claims)
	if err != nil {
		return false
	}
	var decoded claims
	if err := json.Unmarshal(payload, &decoded); err != nil {
		return false
	}
	return hmac.Equal([]byte(sign(key, payload)), []byte(s.token))
}

func main() {
	options := load.Options{Name: "tinyheap", LiveBytes: 2 << 20, Calls: 16}
	options.Parse()
	key := []byte("a key of this test program only")
	slots := int(options.LiveBytes/sessionBytes) + 1
	held := &store{sessions: make(map[int]*session, slots)}
	for slot := 0; slot < slots; slot++ {
		held.swap(slot, issue(key, slot, 0))
	}
	options.Run(func(w *load.Worker) {
		slot := w.Rand.Intn(slots)
		old := held.swap(slot, issue(key, slot, int64(w.Elapsed/time.Microsecond)))
		if verify(key, old) {
			load.Use(slot)
		}
	})
}
