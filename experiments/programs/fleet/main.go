// Fleet is the control plane of a cluster: nodes report what became of their pods, controllers look whether each
// app has what it should have and replace pods, a scheduler chooses nodes, watchers catch up with events. Objects
// are nested and immutable: every change is a deep copy, the former state stays in the history for a while.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"gcsim.local/programs/internal/load"
)

// podBytes is about what one pod keeps reachable, and baseBytes what apps, nodes and reports do.
const (
	podBytes  = 4000
	baseBytes = 4 << 20
)

const (
	partitions   = 16 // of the store, by namespace
	podsPerApp   = 16
	podsPerNode  = 40
	historyParts = 4 // versions in the history are one in so many of the pods
	candidates   = 30
)

// nodeInfo is the scheduler's view of a node.
type nodeInfo struct {
	name        string
	labels      map[string]string
	cpu, memory int64 // free
}

type app struct {
	name     string
	template *pod
	store    *store // the partition that its namespace is in
}

type plane struct {
	stores  [partitions]*store
	queue   workQueue
	apps    map[string]*app
	list    []*app
	nodes   []*nodeInfo
	byNode  map[string]*nodeInfo
	reports [][]byte
	serial  uint64
	buffers sync.Pool // of *bytes.Buffer
}

func newPlane(r *rand.Rand, pods int) *plane {
	p := &plane{apps: map[string]*app{}, byNode: map[string]*nodeInfo{}}
	p.queue.dirty = map[string]struct{}{}
	p.buffers.New = func() interface{} { return new(bytes.Buffer) }
	for i := range p.stores {
		p.stores[i] = newStore(pods/historyParts/partitions + 1)
	}
	for i := 0; i < 400; i++ {
		p.reports = append(p.reports, report(r))
	}
	for i := 0; i <= pods/podsPerNode; i++ {
		n := &nodeInfo{fmt.Sprintf("node-%05d", i), map[string]string{"zone": fmt.Sprintf("zone-%d", i%3)}, 64000, 256 << 30}
		p.nodes = append(p.nodes, n)
		p.byNode[n.name] = n
	}
	for i := 0; i <= pods/podsPerApp; i++ {
		name := fmt.Sprintf("app-%05d", i)
		a := &app{name, drawPod(r, name), p.stores[i%partitions]}
		a.template.Meta.Namespace = fmt.Sprintf("team-%d", i%(3*partitions))
		p.apps[name], p.list = a, append(p.list, a)
		for n := 0; n < podsPerApp; n++ {
			must(p.create(r, a))
		}
	}
	for i := 0; i < 2*pods; i++ { // every pod has a state, the history is full
		must(p.update(r))
	}
	return p
}

// create makes a pod of an app and finds it a node.
func (p *plane) create(r *rand.Rand, a *app) error {
	made := a.template.deepCopy()
	made.Meta.UID = uid(r)
	made.Meta.Name = fmt.Sprintf("%s-%x", a.name, atomic.AddUint64(&p.serial, 1))
	made.Meta.Created = time.Now()
	made.Status.Phase = "Pending"
	if err := a.store.put(made); err != nil {
		return err
	}
	return p.bind(r, a.store, made)
}

// bind gives a pod its node, again where a report came in between.
func (p *plane) bind(r *rand.Rand, in *store, one *pod) error {
	chosen := p.schedule(r, one)
	if chosen == nil {
		return fmt.Errorf("%s fits on no node", one.Meta.Name)
	}
	for k := key(one); one != nil; one = in.get(k) {
		bound := one.deepCopy()
		bound.Spec.Node = chosen.name
		if err := in.put(bound); err != errConflict {
			return err
		}
	}
	return nil
}

func (p *pod) needs() (cpu, memory int64) {
	for i := range p.Spec.Containers {
		cpu += p.Spec.Containers[i].Requests["cpu"]
		memory += p.Spec.Containers[i].Requests["memory"]
	}
	return cpu, memory
}

type score struct {
	node   *nodeInfo
	points int64
}

// schedule filters some of the nodes, scores the rest and takes the best.
func (p *plane) schedule(r *rand.Rand, one *pod) *nodeInfo {
	cpu, memory := one.needs()
	var fit []score
	for i, from := 0, r.Intn(len(p.nodes)); i < candidates && i < len(p.nodes); i++ {
		n := p.nodes[(from+i)%len(p.nodes)]
		freeCPU, freeMemory := atomic.LoadInt64(&n.cpu), atomic.LoadInt64(&n.memory)
		if freeCPU >= cpu && freeMemory >= memory {
			fit = append(fit, score{n, freeCPU/64 + freeMemory>>28})
		}
	}
	if len(fit) == 0 {
		return nil
	}
	sort.Slice(fit, func(i, j int) bool { return fit[i].points > fit[j].points })
	atomic.AddInt64(&fit[0].node.cpu, -cpu)
	atomic.AddInt64(&fit[0].node.memory, -memory)
	return fit[0].node
}

func (p *plane) remove(from *store, one *pod) {
	if n := p.byNode[one.Spec.Node]; n != nil {
		cpu, memory := one.needs()
		atomic.AddInt64(&n.cpu, cpu)
		atomic.AddInt64(&n.memory, memory)
	}
	from.delete(one)
}

// report is what a node says of a pod.
func report(r *rand.Rand) []byte {
	now := time.Unix(1700000000+int64(r.Intn(100000)), 0).UTC()
	state := podStatus{Phase: "Running", IP: fmt.Sprintf("10.%d.%d.%d", r.Intn(256), r.Intn(256), r.Intn(256))}
	for _, kind := range []string{"PodScheduled", "Initialized", "ContainersReady", "Ready"} {
		state.Conditions = append(state.Conditions, condition{kind, [2]string{"True", "False"}[r.Intn(8)/7], "", now})
	}
	for n := 1 + r.Intn(3); n > 0; n-- {
		state.Containers = append(state.Containers, containerStatus{fmt.Sprintf("part-%d", n), r.Intn(8) > 0, int32(r.Intn(4)), "sha256:" + uid(r), &now})
	}
	text, err := json.Marshal(state)
	must(err)
	return text
}

// update takes a report in, for a pod of some app.
func (p *plane) update(r *rand.Rand) error {
	var state podStatus
	if err := json.Unmarshal(p.reports[r.Intn(len(p.reports))], &state); err != nil {
		return err
	}
	a := p.list[r.Intn(len(p.list))]
	pods := a.store.ofApp(a.name)
	if len(pods) == 0 {
		return nil
	}
	changed := pods[r.Intn(len(pods))].deepCopy()
	changed.Status = state
	if err := a.store.put(changed); err != nil && err != errConflict { // then the next report comes in time
		return err
	}
	p.queue.add(a.name)
	return nil
}

// reconcile looks at one app that changed: too many pods are deleted, too few made, and a pod that fails is
// deleted for another look to replace it.
func (p *plane) reconcile(r *rand.Rand) error {
	name, any := p.queue.get()
	if !any {
		return nil
	}
	a := p.apps[name]
	pods := a.store.ofApp(name)
	for n := len(pods); n < podsPerApp; n++ {
		if err := p.create(r, a); err != nil {
			return err
		}
	}
	sort.Slice(pods, func(i, j int) bool { return pods[i].Meta.Version < pods[j].Meta.Version })
	for i, one := range pods {
		if i >= podsPerApp || one.fails() && r.Intn(16) == 0 {
			p.remove(a.store, one)
			p.queue.add(name)
		}
	}
	return nil
}

func (p *pod) fails() bool {
	ready := 0
	for _, c := range p.Status.Containers {
		if c.Ready {
			ready++
		}
	}
	return p.Status.Phase == "Running" && ready == 0
}

type seen struct {
	Type   string `json:"type"`
	Object *pod   `json:"object"`
}

// watch sends a watcher of a node and some namespaces what happened lately, and a node that starts anew its pods.
func (p *plane) watch(r *rand.Rand, versions, restarts int) (int, error) {
	node := p.nodes[r.Intn(len(p.nodes))].name
	var out []seen
	if r.Intn(restarts) == 0 {
		for _, s := range p.stores {
			for _, one := range s.ofNode(node) {
				out = append(out, seen{"ADDED", one})
			}
		}
	} else {
		for _, e := range p.stores[r.Intn(partitions)].since(versions) {
			if e.pod.Spec.Node == node || e.was != nil && e.was.Spec.Node == node {
				out = append(out, seen{e.kind, e.pod})
			}
		}
	}
	buffer := p.buffers.Get().(*bytes.Buffer)
	defer p.buffers.Put(buffer)
	buffer.Reset()
	encoder := json.NewEncoder(buffer)
	for i := range out {
		if err := encoder.Encode(&out[i]); err != nil {
			return 0, err
		}
	}
	return buffer.Len(), nil
}

func main() {
	options := load.Options{Name: "fleet", LiveBytes: 80 << 20}
	watches := flag.Int("watches", 10, "requests until a watcher catches up, on average")
	versions := flag.Int("versions", 400, "of the store that a watcher is behind")
	restarts := flag.Int("restarts", 50, "watchers until one starts anew, on average")
	options.Parse()
	if *watches < 1 || *versions < 1 || *restarts < 1 {
		must(errors.New("-watches, -versions and -restarts must be 1 or more"))
	}
	pods := 400
	if more := int(options.LiveBytes-baseBytes) / podBytes; more > pods {
		pods = more
	}
	p := newPlane(load.NewRand(options.Seed, -1), pods)
	options.Run(func(w *load.Worker) {
		if w.Rand.Intn(*watches) == 0 {
			n, err := p.watch(w.Rand, *versions, *restarts)
			must(err)
			load.Use(n)
			return
		}
		must(p.update(w.Rand))
		must(p.reconcile(w.Rand))
	})
}

func must(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "fleet: %v\n", err)
		os.Exit(1)
	}
}
