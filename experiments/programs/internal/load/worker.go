package load

import (
	"math/rand"
	"time"
)

// Worker is one of the goroutines that serve requests; what it holds is its own.
type Worker struct {
	ID      int
	Rand    *rand.Rand
	Elapsed time.Duration // since the load began, when the request was started

	latency histogram // from the arrival
	service histogram // from the start of service
}

func newWorker(id int, seed int64) *Worker {
	return &Worker{ID: id, Rand: NewRand(seed, id)}
}

// finish records one request. In a closed loop arrived and started are the same.
func (w *Worker) finish(arrived, started, ended time.Duration) {
	w.latency.record(ended - arrived)
	w.service.record(ended - started)
}

// splitMix is the SplitMix64 generator: eight bytes of state instead of math/rand's five thousand,
// and the same numbers in every Go version.
type splitMix uint64

func (s *splitMix) Uint64() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (s *splitMix) Int63() int64    { return int64(s.Uint64() >> 1) }
func (s *splitMix) Seed(seed int64) { *s = splitMix(seed) }

// NewRand is the generator of one stream of a seed: streams of one seed do not overlap.
func NewRand(seed int64, stream int) *rand.Rand {
	mixed := splitMix(seed)
	state := splitMix(mixed.Uint64() ^ uint64(stream+1)*0xd1342543de82ef95)
	return rand.New(&state)
}
