package main

import (
	"encoding/json"
	"sync"
	"time"
)

// reservation is a bid that may yet win.
type reservation struct {
	id, domain string
	user       *profile
	campaign   *campaign
	creative   *creative
	price      float64 // of one impression
	made       time.Time
}

// reservations forgets those of which no notice came in time.
type reservations struct {
	mu    sync.Mutex
	byID  map[string]*reservation
	queue []*reservation // oldest first
}

func (rs *reservations) add(one *reservation) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.byID[one.id], rs.queue = one, append(rs.queue, one)
}

func (rs *reservations) take(id string) *reservation {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	one := rs.byID[id]
	delete(rs.byID, id)
	return one
}

func (rs *reservations) lapse(before time.Time) (lost []*reservation) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for len(rs.queue) > 0 && rs.queue[0].made.Before(before) {
		one := rs.queue[0]
		rs.queue[0], rs.queue = nil, rs.queue[1:]
		if rs.byID[one.id] != nil {
			delete(rs.byID, one.id)
			lost = append(lost, one)
		}
	}
	return lost
}

// ledger sums up sales for the reports that are made each second; the last ones can be asked for.
type ledger struct {
	mu      sync.Mutex
	rows    map[saleKey]*sale
	reports [20][]byte
	next    int
}

type saleKey struct {
	campaign int
	domain   string
}

type sale struct {
	Campaign    int     `json:"campaign"`
	Domain      string  `json:"domain"`
	Creative    string  `json:"creative"`
	Impressions int     `json:"impressions"`
	Spent       float64 `json:"spent"`
}

func (l *ledger) book(won *reservation, paid float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := saleKey{won.campaign.ID, won.domain}
	row := l.rows[key]
	if row == nil {
		row = &sale{Campaign: key.campaign, Domain: key.domain}
		l.rows[key] = row
	}
	row.Creative = won.creative.ID
	row.Impressions++
	row.Spent += paid
}

func (l *ledger) report() (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*sale
	for _, row := range l.rows {
		all = append(all, row)
	}
	l.rows = make(map[saleKey]*sale)
	l.reports[l.next], err = json.Marshal(all)
	l.next = (l.next + 1) % len(l.reports)
	return err
}
