package main

import (
	"container/list"
	"hash/fnv"
	"sync"
	"time"
)

const (
	shards       = 32
	segmentLife  = 40 * time.Second // what a data provider told us of somebody is believed for so long
	exposureLife = 60 * time.Second // longest window of a frequency cap
	mostVisits   = 10
	mostTopics   = 12
	inMarket     = 2.5 // interest in a topic from which on somebody is in its segment
)

// profile is what we know of one browser or phone.
type profile struct {
	mu                       sync.Mutex
	id, country, city, agent string
	segments                 []held
	interests                map[string]float64 // by category
	recent                   []*visit           // newest last
	exposures                map[int]*exposure  // by campaign
	seen                     time.Time          // the shard's
}

// held is a segment that somebody is in for some time.
type held struct {
	segment string
	until   time.Time
}

type visit struct {
	domain, page, title string
	at                  time.Time
}

// exposure is when a campaign was shown, oldest first.
type exposure struct {
	times    []time.Time
	creative string
}

// observe takes from a request what it says of its user.
func (p *profile) observe(in *bidRequest, now time.Time) {
	p.prune(now)
	p.agent, p.country, p.city = in.Device.UA, in.Device.Geo.Country, in.Device.Geo.City
	for _, provider := range in.User.Data {
		for _, s := range provider.Segment {
			p.enter(s.ID, now.Add(segmentLife))
		}
	}
	if len(p.recent) == mostVisits {
		copy(p.recent, p.recent[1:])
		p.recent = p.recent[:mostVisits-1]
	}
	p.recent = append(p.recent, &visit{in.Site.Domain, in.Site.Page, in.Site.Content.Title, now})
	for _, category := range in.Site.Cat {
		p.like(category, now)
	}
}

// like notes interest in a topic; the older ones fade.
func (p *profile) like(category string, now time.Time) {
	weakest, least := "", 1e9
	for topic, weight := range p.interests {
		p.interests[topic] = weight * 0.97
		if weight < least {
			weakest, least = topic, weight
		}
	}
	if _, ok := p.interests[category]; !ok && len(p.interests) >= mostTopics {
		delete(p.interests, weakest)
	}
	p.interests[category]++
	if p.interests[category] >= inMarket {
		p.enter(category, now.Add(segmentLife/2))
	}
}

func (p *profile) enter(segment string, until time.Time) {
	for i := range p.segments {
		if p.segments[i].segment == segment {
			p.segments[i].until = until
			return
		}
	}
	p.segments = append(p.segments, held{segment, until})
}

func (p *profile) in(segment string) bool {
	for _, h := range p.segments {
		if h.segment == segment {
			return true
		}
	}
	return false
}

// prune drops segments that lapsed and impressions that no cap looks at any more.
func (p *profile) prune(now time.Time) {
	kept := p.segments[:0]
	for _, h := range p.segments {
		if h.until.After(now) {
			kept = append(kept, h)
		}
	}
	p.segments = kept
	for id, e := range p.exposures {
		if now.Sub(e.times[len(e.times)-1]) > exposureLife {
			delete(p.exposures, id)
		}
	}
}

// shown books an impression.
func (p *profile) shown(campaign int, creative string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.exposures[campaign]
	if e == nil {
		e = &exposure{}
		p.exposures[campaign] = e
	}
	for len(e.times) > 0 && now.Sub(e.times[0]) > exposureLife {
		e.times = e.times[1:]
	}
	e.times, e.creative = append(e.times, now), creative
}

// capped says whether somebody has seen enough of a campaign.
func (p *profile) capped(c *campaign, now time.Time) bool {
	e := p.exposures[c.ID]
	if e == nil {
		return false
	}
	count := 0
	for i := len(e.times) - 1; i >= 0 && now.Sub(e.times[i]) < time.Duration(c.Cap.Seconds)*time.Second; i-- {
		count++
	}
	return count >= c.Cap.Most
}

// profiles are in shards, each with a list by when they were seen. One that nobody saw for the time to live
// expires; where there are too many the one not seen for longest goes.
type profiles struct {
	shards [shards]shard
	ttl    time.Duration
	most   int // in a shard
}

type shard struct {
	mu     sync.Mutex
	byID   map[string]*list.Element
	recent *list.List // of *profile
	_      [64]byte   // keeps the locks on separate cache lines
}

func newProfiles(most int, ttl time.Duration) *profiles {
	ps := &profiles{ttl: ttl, most: most/shards + 1}
	for i := range ps.shards {
		ps.shards[i].byID, ps.shards[i].recent = make(map[string]*list.Element), list.New()
	}
	return ps
}

// see finds or makes the profile of somebody who is there now.
func (ps *profiles) see(id string, now time.Time) *profile {
	h := fnv.New32a()
	h.Write([]byte(id))
	s := &ps.shards[h.Sum32()%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byID[id]
	if e == nil {
		e = s.recent.PushFront(&profile{id: id, interests: make(map[string]float64), exposures: make(map[int]*exposure)})
		s.byID[id] = e
		if len(s.byID) > ps.most {
			s.remove(s.recent.Back())
		}
	} else {
		s.recent.MoveToFront(e)
	}
	p := e.Value.(*profile)
	p.seen = now
	return p
}

func (s *shard) remove(e *list.Element) { delete(s.byID, s.recent.Remove(e).(*profile).id) }

// expire removes who has not been seen for long.
func (ps *profiles) expire(now time.Time) {
	for i := range ps.shards {
		s := &ps.shards[i]
		s.mu.Lock()
		for e := s.recent.Back(); e != nil && now.Sub(e.Value.(*profile).seen) > ps.ttl; e = s.recent.Back() {
			s.remove(e)
		}
		s.mu.Unlock()
	}
}
