// Jobs schedules workflows: steps that depend on one another, each tried until it succeeds, at growing distances and
// under deadlines; some only sleep. What a step gives is JSON and goes to the steps that need it. Clients start
// workflows, ask how they are, list them by state, cancel. A workflow lives for a second or two while it is open,
// with contexts and timers, then with all its history for some seconds more; then it is compressed into an archive
// whose oldest segments are dropped. What an attempt reads, decodes and encodes dies with it.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"sync"
	"time"

	"gcsim.local/programs/internal/load"
)

// workflowBytes is about what a finished workflow keeps reachable, and baseBytes what definitions, compressors
// and the open workflows do.
const (
	workflowBytes = 7500
	baseBytes     = 6 << 20
	archiveParts  = 10 // one in so many of -live is archived
)

var errUnknown = errors.New("no such workflow")

// service is what clients see.
type service struct {
	*engine
	archive *archive
	keep    time.Duration // between the end of a workflow and the archive
	most    int           // that ended and are kept, which bounds memory where more end than was thought of
	old     []*workflow   // to be archived
}

type submission struct {
	Workflow string          `json:"workflow"`
	Input    json.RawMessage `json:"input"`
}

func (s *service) submit(body []byte) (id string, reply []byte, err error) {
	var asked submission
	if err := json.Unmarshal(body, &asked); err != nil {
		return "", nil, err
	}
	d := s.definitions[asked.Workflow]
	if d == nil {
		return "", nil, errUnknown
	}
	w := s.start(d, asked.Input)
	reply, err = json.Marshal(map[string]interface{}{"id": w.ID, "created": w.Created})
	return w.ID, reply, err
}

// status tells all of a workflow, wherever it is.
func (s *service) status(id string) ([]byte, error) {
	w := s.store.find(id)
	if w == nil {
		return s.archive.find(id)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return json.Marshal(w)
}

type summary struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`
	State   state     `json:"state"`
	Created time.Time `json:"created"`
	Last    *event    `json:"last"`
}

func (s *service) list(which state, most int) ([]byte, error) {
	found := s.store.in(which, most)
	all := make([]summary, 0, len(found))
	for _, w := range found {
		w.mu.Lock()
		last := *w.History[len(w.History)-1]
		last.Payload = nil
		all = append(all, summary{w.ID, w.Kind, w.State, w.Created, &last})
		w.mu.Unlock()
	}
	return json.Marshal(all)
}

func (s *service) cancel(id, why string) ([]byte, error) {
	w := s.store.find(id)
	if w == nil {
		return nil, errUnknown
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s.finish(w, cancelled, errors.New(why))
	return json.Marshal(w.State)
}

// clients are what the service's users send, and the identities that they got for it.
type clients struct {
	bodies [][]byte // of submissions
	mu     sync.Mutex
	ids    [8192]string
	next   int
}

func newClients(r *rand.Rand) (*clients, error) {
	c := &clients{}
	for _, d := range definitions() {
		for n := 0; n < d.share*64; n++ {
			body, err := json.Marshal(map[string]interface{}{"workflow": d.name, "input": d.sample(r)})
			if err != nil {
				return nil, err
			}
			c.bodies = append(c.bodies, body)
		}
	}
	return c, nil
}

func (c *clients) body(r *rand.Rand) []byte { return c.bodies[r.Intn(len(c.bodies))] }

func (c *clients) remember(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids[c.next%len(c.ids)] = id
	c.next++
}

// anyID is mostly of a workflow that was started lately.
func (c *clients) anyID(r *rand.Rand) string {
	age := int(r.ExpFloat64() * 700)
	if r.Intn(200) == 0 {
		age = r.Intn(len(c.ids))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ids[(c.next+len(c.ids)-1-age%len(c.ids))%len(c.ids)]
}

// ask is one request; starts is the share that starts a workflow.
func (c *clients) ask(s *service, r *rand.Rand, starts float64) ([]byte, error) {
	if r.Float64() < starts {
		id, reply, err := s.submit(c.body(r))
		if err == nil {
			c.remember(id)
		}
		return reply, err
	}
	switch n := r.Intn(40); {
	case n < 28:
		return s.status(c.anyID(r))
	case n < 39:
		return s.list(running+state(r.Intn(int(states-running))), 20)
	}
	return s.cancel(c.anyID(r), "no longer wanted")
}

// fill makes older workflows that are archived, some that ended lately, and some that are open.
func (s *service) fill(c *clients, r *rand.Rand, count int) error {
	var ends []*time.Time
	submit := func() error {
		id, _, err := s.submit(c.body(r))
		c.remember(id)
		if s.replaying && err == nil {
			ends = append(ends, s.store.find(id).Ended)
		}
		return err
	}
	s.replaying = true
	for s.archive.bytes < s.archive.most*9/10 {
		if err := submit(); err != nil {
			return err
		}
		*ends[len(ends)-1] = time.Time{}
		if err := s.tidy(); err != nil {
			return err
		}
	}
	for ends = nil; len(ends) < count; {
		if err := submit(); err != nil {
			return err
		}
	}
	s.replaying = false
	for n := 0; n < count/4; n++ {
		if err := submit(); err != nil {
			return err
		}
	}
	now := time.Now()
	for n, end := range ends {
		*end = now.Add(time.Duration(n-count) * s.keep / time.Duration(count))
	}
	return nil
}

// tidy brings into the archive what ended long ago.
func (s *service) tidy() error {
	s.old = append(s.old, s.store.expired(time.Now().Add(-s.keep), s.most)...)
	for len(s.old) >= segmentWorkflows {
		if err := s.archive.add(s.old[:segmentWorkflows]); err != nil {
			return err
		}
		s.old = append([]*workflow(nil), s.old[segmentWorkflows:]...)
	}
	return nil
}

func main() {
	options := load.Options{Name: "jobs", LiveBytes: 60 << 20, Rate: 3600}
	starts := flag.Float64("starts", 0.4, "share of requests that start a workflow")
	keep := flag.Duration("keep", 4500*time.Millisecond, "how long a finished workflow is kept before it is archived")
	open := flag.Int("open", 6000, "workflows that are open at a time, at most")
	options.Parse()
	if !(*starts >= 0 && *starts <= 1) || *keep <= 0 || *open < 1 {
		fail(errors.New("-starts must be 0 to 1, -keep more than 0, -open 1 or more"))
	}
	setup := load.NewRand(options.Seed, -1)
	archived := options.LiveBytes / archiveParts
	count := 100
	if more := int(options.LiveBytes-archived-baseBytes) / workflowBytes; more > count {
		count = more
	}
	archive, err := newArchive(int(archived))
	if err != nil {
		fail(err)
	}
	s := &service{engine: newEngine(uint64(options.Seed), *open), archive: archive, keep: *keep, most: count * 5 / 4}
	c, err := newClients(setup)
	if err == nil {
		err = s.fill(c, setup, count)
	}
	if err != nil {
		fail(err)
	}
	go func() {
		for range time.Tick(50 * time.Millisecond) {
			if err := s.tidy(); err != nil {
				fail(err)
			}
		}
	}()
	options.Run(func(w *load.Worker) {
		reply, err := c.ask(s, w.Rand, *starts)
		if err != nil && err != errUnknown {
			fail(err)
		}
		load.Use(len(reply))
	})
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "jobs: %v\n", err)
	os.Exit(1)
}
