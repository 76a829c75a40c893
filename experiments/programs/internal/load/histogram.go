package load

import (
	"math/bits"
	"time"
)

const (
	subBits    = 6 // 64 buckets to an octave: a quantile is right within 0.8 %
	octaves    = 36 - subBits
	numBuckets = (octaves + 1) << subBits
)

// histogram counts durations in log-linear buckets from 1 ns to 68 s. It is a fixed array, so that
// measuring allocates nothing while the load runs.
type histogram struct {
	counts [numBuckets]uint32
	total  uint64
	sum    float64 // seconds
	max    time.Duration
}

func (h *histogram) record(d time.Duration) {
	if d < 0 {
		d = 0
	}
	h.counts[bucketOf(uint64(d))]++
	h.total++
	h.sum += d.Seconds()
	if d > h.max {
		h.max = d
	}
}

// bucketOf: below 64 ns a bucket a nanosecond; above, the top seven bits choose it.
func bucketOf(ns uint64) int {
	shift := bits.Len64(ns) - subBits - 1
	if shift < 0 {
		return int(ns)
	}
	index := (shift+1)<<subBits + int(ns>>uint(shift)) - 1<<subBits
	if index >= numBuckets {
		return numBuckets - 1
	}
	return index
}

// middleOf is the middle of a bucket, in nanoseconds: the inverse of bucketOf.
func middleOf(index int) float64 {
	if index < 1<<subBits {
		return float64(index)
	}
	shift := uint(index>>subBits - 1)
	low := uint64(index&(1<<subBits-1)+1<<subBits) << shift
	return float64(low) + float64(uint64(1)<<shift)/2
}

func (h *histogram) merge(other *histogram) {
	for i, count := range other.counts {
		h.counts[i] += count
	}
	h.total += other.total
	h.sum += other.sum
	if other.max > h.max {
		h.max = other.max
	}
}

// quantile in seconds; 0 when nothing was recorded.
func (h *histogram) quantile(q float64) float64 {
	rank, seen := uint64(q*float64(h.total)), uint64(0)
	for i, count := range h.counts {
		seen += uint64(count)
		if seen > rank {
			middle := middleOf(i) * 1e-9
			if limit := h.max.Seconds(); middle > limit {
				return limit
			}
			return middle
		}
	}
	return h.max.Seconds()
}

// Quantiles is how a distribution of durations is reported, in seconds.
type Quantiles struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

func (h *histogram) quantiles() Quantiles {
	mean := 0.0
	if h.total > 0 {
		mean = h.sum / float64(h.total)
	}
	return Quantiles{mean, h.quantile(0.5), h.quantile(0.9), h.quantile(0.99), h.quantile(0.999), h.max.Seconds()}
}
