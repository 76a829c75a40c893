package main

import (
	"net/netip"
	"sync"
	"time"
)

// client is limited in what it may ask.
type client struct {
	mu     sync.Mutex
	tokens float64
	filled time.Time
	asked  int
}

func (s *resolver) allowed(from netip.Addr) bool {
	const perSecond, most = 10000, 20000
	c, now := s.clients[from], time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens += now.Sub(c.filled).Seconds() * perSecond
	if c.tokens > most {
		c.tokens = most
	}
	c.filled = now
	c.asked++
	c.tokens--
	return c.tokens >= 0
}

func clientAddress(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
