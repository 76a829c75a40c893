package main

import (
	"errors"
	"math"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// campaign is what an advertiser books. It does not change: an edit brings another with the same account.
type campaign struct {
	ID         int         `json:"id"`
	Name       string      `json:"name"`
	Domain     string      `json:"domain"` // the advertiser's
	Categories []string    `json:"categories"`
	PerClick   float64     `json:"per_click"`  // what a click is worth, in dollars
	PerMinute  float64     `json:"per_minute"` // budget, in dollars
	Segments   []string    `json:"segments"`   // one of them is needed; none is everybody
	Without    []string    `json:"without"`
	Countries  []string    `json:"countries"`
	NotSites   []string    `json:"not_sites"`
	Creatives  []*creative `json:"creatives"`
	Cap        struct {
		Most    int `json:"most"`
		Seconds int `json:"seconds"`
	} `json:"cap"`

	countries, notSites map[string]bool
	account             *account
}

type creative struct {
	ID      string `json:"id"`
	Width   int    `json:"width"`
	Height  int    `json:"height"`
	Landing string `json:"landing"`
	Markup  string `json:"markup"` // with macros
}

func set(lists ...[]string) map[string]bool {
	m := make(map[string]bool)
	for _, all := range lists {
		for _, s := range all {
			m[s] = true
		}
	}
	return m
}

// fits finds the creative for a place.
func (c *campaign) fits(places []size) *creative {
	for _, one := range c.Creatives {
		for _, f := range places {
			if one.Width == f.W && one.Height == f.H {
				return one
			}
		}
	}
	return nil
}

// admits says whether a campaign may be shown to somebody at all, whatever the place.
func (c *campaign) admits(in *bidRequest, p *profile, blocked map[string]bool, now time.Time) bool {
	if !c.countries[p.country] || c.notSites[in.Site.Domain] || blocked[c.Domain] {
		return false
	}
	for _, category := range c.Categories {
		if blocked[category] {
			return false
		}
	}
	for _, segment := range c.Without {
		if p.in(segment) {
			return false
		}
	}
	return !p.capped(c, now)
}

// account is the money of a campaign. A bid reserves what it may cost; how often we bid at all follows how
// far spending is ahead of time.
type account struct {
	mu        sync.Mutex
	perMinute float64
	begun     time.Time // the minute
	spent     float64
	reserved  float64
	throttle  float64 // share of chances that are taken
}

// reserve says whether there is money for a bid.
func (a *account) reserve(price float64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.spent+a.reserved+price > a.perMinute {
		return false
	}
	a.reserved += price
	return true
}

// settle ends a reservation; what was paid is 0 if the auction was lost.
func (a *account) settle(price, paid float64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reserved, a.spent = a.reserved-price, a.spent+paid
}

// takes says whether a chance is taken, with a number from 0 to 1 drawn for it.
func (a *account) takes(draw float64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return draw < a.throttle && a.spent < a.perMinute
}

// pace is called a few times a second.
func (a *account) pace(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.begun) >= time.Minute {
		a.begun, a.spent = now, 0
	}
	if a.spent > a.perMinute*(now.Sub(a.begun).Minutes()+0.02) {
		a.throttle = math.Max(0.02, a.throttle*0.85)
	} else {
		a.throttle = math.Min(1, a.throttle*1.1)
	}
}

// index finds campaigns by the segments that they want.
type index struct {
	bySegment map[string][]*campaign
	everybody []*campaign
}

// book has all campaigns; its index is built anew when some changed.
type book struct {
	mu      sync.Mutex
	byID    map[int]*campaign
	dirty   bool
	current atomic.Value // *index
}

// put brings a campaign or replaces it.
func (b *book) put(c *campaign, now time.Time) error {
	if len(c.Creatives) == 0 || c.PerClick <= 0 || c.PerMinute <= 0 {
		return errors.New("a campaign needs creatives, a price and a budget")
	}
	c.countries, c.notSites = set(c.Countries), set(c.NotSites)
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.byID[c.ID]; old != nil {
		c.account = old.account
		c.account.mu.Lock()
		c.account.perMinute = c.PerMinute
		c.account.mu.Unlock()
	} else {
		c.account = &account{perMinute: c.PerMinute, begun: now, throttle: 0.5}
	}
	b.byID[c.ID], b.dirty = c, true
	return nil
}

// tend paces all campaigns and publishes what was put since the last time.
func (b *book) tend(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.byID {
		c.account.pace(now)
	}
	if !b.dirty {
		return
	}
	next := &index{bySegment: make(map[string][]*campaign)}
	for _, c := range b.byID {
		for _, segment := range c.Segments {
			next.bySegment[segment] = append(next.bySegment[segment], c)
		}
		if len(c.Segments) == 0 {
			next.everybody = append(next.everybody, c)
		}
	}
	b.current.Store(next)
	b.dirty = false
}

// candidate is a campaign that may be shown.
type candidate struct {
	campaign *campaign
	worth    float64 // of a thousand impressions
}

// candidates are the campaigns that target somebody, best first.
func (ix *index) candidates(in *bidRequest, p *profile, model model, draw func() float64, now time.Time) []*candidate {
	matched := make(map[*campaign]int)
	for _, h := range p.segments {
		for _, c := range ix.bySegment[h.segment] {
			matched[c]++
		}
	}
	for _, c := range ix.everybody {
		matched[c]++
	}
	var all []*candidate
	blocked, context := set(in.BCat, in.BAdv), model.context(in, p)
	for c, n := range matched {
		if c.admits(in, p, blocked, now) && c.account.takes(draw()) {
			all = append(all, &candidate{c, math.Min(model.clicks(context, c, p, n)*c.PerClick*1000, 20)})
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].worth > all[j].worth })
	return all
}

// model is a logistic regression whose features are hashed; it has a power of two of weights.
type model []float32

func (m model) at(feature uint64) float64 {
	feature ^= feature >> 29
	feature *= 0xbf58476d1ce4e5b9
	return float64(m[(feature^feature>>32)&uint64(len(m)-1)])
}

func hashOf(kind int, text string) uint64 {
	h := 14695981039346656037 ^ uint64(kind)*0x9e3779b97f4a7c15
	for i := 0; i < len(text); i++ {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return h
}

// context hashes what is the same for all candidates.
func (m model) context(in *bidRequest, p *profile) (features []uint64) {
	d := &in.Device
	for i, text := range append([]string{in.Site.Domain, in.Imp[0].TagID, p.country, p.city, d.OS, d.Make, d.Model}, in.Site.Cat...) {
		features = append(features, hashOf(i, text))
	}
	return features
}

// clicks predicts how likely an impression is clicked, given how many of the wanted segments somebody is in.
func (m model) clicks(context []uint64, c *campaign, p *profile, matched int) float64 {
	own := hashOf(-1, c.Domain) + uint64(c.ID)
	sum := -6.2 + 0.3*float64(matched) + m.at(own)
	for _, feature := range context {
		sum += m.at(feature) + m.at(feature*31+own)
	}
	for _, category := range c.Categories {
		sum += 0.15 * p.interests[category]
	}
	if e := p.exposures[c.ID]; e != nil {
		sum -= 0.2 * float64(len(e.times))
	}
	return 1 / (1 + math.Exp(-sum))
}
