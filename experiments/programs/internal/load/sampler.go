package load

import (
	"runtime/metrics"
	"time"
)

// The memory classes that make up what GOMEMLIMIT bounds: total less released.
var sampledNames = []string{
	"/memory/classes/total:bytes",
	"/memory/classes/heap/released:bytes",
	"/memory/classes/heap/objects:bytes",
	"/memory/classes/heap/unused:bytes",
	"/memory/classes/heap/free:bytes",
	"/memory/classes/heap/stacks:bytes",
	"/memory/classes/metadata/mspan/inuse:bytes",
	"/memory/classes/metadata/other:bytes",
}

// sampler keeps the highest (total - released) that it saw, with what it was made of. Reading these
// metrics stops nothing (runtime/metrics aggregates per-P counters) and takes microseconds.
type sampler struct {
	quit, done chan struct{}
	now, peak  []metrics.Sample
	peakBytes  uint64
	count      int
}

func startSampler(interval time.Duration) *sampler {
	s := &sampler{quit: make(chan struct{}), done: make(chan struct{})}
	if interval <= 0 {
		close(s.done)
		return s
	}
	s.now, s.peak = make([]metrics.Sample, len(sampledNames)), make([]metrics.Sample, len(sampledNames))
	for i, name := range sampledNames {
		s.now[i].Name, s.peak[i].Name = name, name
	}
	go s.run(interval)
	return s
}

func (s *sampler) run(interval time.Duration) {
	defer close(s.done)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		s.sample()
		select {
		case <-ticker.C:
		case <-s.quit:
			return
		}
	}
}

func (s *sampler) sample() {
	metrics.Read(s.now)
	s.count++
	if mapped := s.now[0].Value.Uint64() - s.now[1].Value.Uint64(); mapped > s.peakBytes {
		s.peakBytes = mapped
		copy(s.peak, s.now)
	}
}

func (s *sampler) stop() {
	close(s.quit)
	<-s.done
}

func (s *sampler) atPeak() map[string]uint64 {
	classes := map[string]uint64{}
	for _, sample := range s.peak {
		if sample.Value.Kind() == metrics.KindUint64 {
			classes[sample.Name] = sample.Value.Uint64()
		}
	}
	return classes
}
