package main

import (
	"errors"
	"sync"
)

// store is what an informer keeps of some namespaces: objects by key, sets of keys by what they are looked for by, and the newest
// events, by which watchers catch up. An event has the object as it was then.
type store struct {
	mu      sync.RWMutex
	byKey   map[string]*pod
	byApp   map[string]map[string]struct{}
	byNode  map[string]map[string]struct{}
	version uint64
	history []event // a ring; version modulo its length is the next place
}

type event struct {
	kind     string
	pod, was *pod
}

var errConflict = errors.New("the object has changed meanwhile")

func newStore(history int) *store {
	return &store{
		byKey: map[string]*pod{}, byApp: map[string]map[string]struct{}{}, byNode: map[string]map[string]struct{}{},
		history: make([]event, history),
	}
}

func key(p *pod) string { return p.Meta.Namespace + "/" + p.Meta.Name }

// put adds or replaces; the version that the caller began with must still be the newest.
func (s *store) put(p *pod) error {
	k := key(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.byKey[k]
	if was != nil && was.Meta.Version != p.Meta.Version || was == nil && p.Meta.Version != 0 {
		return errConflict
	}
	kind := "ADDED"
	if was != nil {
		kind = "MODIFIED"
	}
	s.record(kind, p, was)
	s.byKey[k] = p
	if was == nil || was.Spec.Node != p.Spec.Node {
		if was != nil {
			remove(s.byNode, was.Spec.Node, k)
		}
		insert(s.byNode, p.Spec.Node, k)
	}
	if was == nil {
		insert(s.byApp, p.Meta.Labels["app"], k)
	}
	return nil
}

func (s *store) get(k string) *pod {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byKey[k]
}

func (s *store) delete(p *pod) {
	k := key(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.byKey[k]
	if was == nil {
		return
	}
	delete(s.byKey, k)
	remove(s.byNode, was.Spec.Node, k)
	remove(s.byApp, was.Meta.Labels["app"], k)
	s.record("DELETED", was, was)
}

// record counts the version up; the caller has the lock.
func (s *store) record(kind string, p, was *pod) {
	s.version++
	if kind != "DELETED" { // what is in the store stays as it is
		p.Meta.Version = s.version
	}
	s.history[s.version%uint64(len(s.history))] = event{kind, p, was}
}

func insert(index map[string]map[string]struct{}, value, k string) {
	set := index[value]
	if set == nil {
		set = map[string]struct{}{}
		index[value] = set
	}
	set[k] = struct{}{}
}

func remove(index map[string]map[string]struct{}, value, k string) {
	set := index[value]
	delete(set, k)
	if len(set) == 0 {
		delete(index, value)
	}
}

func (s *store) ofApp(app string) []*pod   { return s.list(s.byApp, app) }
func (s *store) ofNode(node string) []*pod { return s.list(s.byNode, node) }

func (s *store) list(index map[string]map[string]struct{}, value string) []*pod {
	s.mu.RLock()
	defer s.mu.RUnlock()
	set := index[value]
	all := make([]*pod, 0, len(set))
	for k := range set {
		all = append(all, s.byKey[k])
	}
	return all
}

// since copies the events of the last so many versions.
func (s *store) since(versions int) []event {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if versions > len(s.history) {
		versions = len(s.history)
	}
	events := make([]event, 0, versions)
	for v := s.version - uint64(versions) + 1; v <= s.version; v++ {
		if e := s.history[v%uint64(len(s.history))]; e.pod != nil {
			events = append(events, e)
		}
	}
	return events
}

// workQueue has the apps that a controller must look at; one that is in it already is not put in again.
type workQueue struct {
	mu    sync.Mutex
	dirty map[string]struct{}
	order []string
}

func (q *workQueue) add(app string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, there := q.dirty[app]; !there {
		q.dirty[app] = struct{}{}
		q.order = append(q.order, app)
	}
}

func (q *workQueue) get() (app string, any bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.order) == 0 {
		return "", false
	}
	app, q.order = q.order[0], q.order[1:]
	delete(q.dirty, app)
	return app, true
}
