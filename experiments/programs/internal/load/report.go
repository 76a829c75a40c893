package load

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Result is the line of JSON that a program ends with. Durations are seconds, sizes bytes.
type Result struct {
	Program       string             `json:"program"`
	GoVersion     string             `json:"go_version"`
	GOMAXPROCS    int                `json:"gomaxprocs"`
	Args          []string           `json:"args"`
	Loop          string             `json:"loop"` // open or closed
	Workers       int                `json:"workers"`
	RateAsked     float64            `json:"rate_asked"`
	Requests      uint64             `json:"requests"`
	Rate          float64            `json:"rate"`            // requests per second of the load
	ReadySeconds  float64            `json:"ready_seconds"`   // live set built, since the start of the runtime
	LoadSeconds   float64            `json:"load_seconds"`    // from ready to the last request's end
	WallSeconds   float64            `json:"wall_seconds"`    // whole process
	CPUSeconds    float64            `json:"cpu_seconds"`     // whole process, user and system
	Latency       Quantiles          `json:"latency_seconds"` // from the arrival
	Service       Quantiles          `json:"service_seconds"` // from the start of service
	RSSPeakBytes  int64              `json:"rss_peak_bytes"`
	MappedPeak    uint64             `json:"mapped_peak_bytes"` // highest sample of what GOMEMLIMIT bounds
	MappedAtPeak  map[string]uint64  `json:"mapped_at_peak"`
	MappedSamples int                `json:"mapped_samples"`
	AtReady       snapshot           `json:"at_ready"`
	MemStats      map[string]uint64  `json:"memstats"`
	GCCPUFraction float64            `json:"gc_cpu_fraction"` // runtime.MemStats, since the start of the process
	Metrics       map[string]float64 `json:"metrics"`
	AllocsBySize  [][2]float64       `json:"allocs_by_size"` // [upper bound, objects], since the start of the process
}

// snapshot is what had been used by the time that the live set was built.
type snapshot struct {
	sinceStart      time.Duration
	CPUSeconds      float64 `json:"cpu_seconds"`
	GCCycles        uint32  `json:"gc_cycles"`
	TotalAllocBytes uint64  `json:"total_alloc_bytes"`
	Mallocs         uint64  `json:"mallocs"`
}

func takeSnapshot() snapshot {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return snapshot{time.Since(processStart), cpuSeconds(), m.NumGC, m.TotalAlloc, m.Mallocs}
}

func (o *Options) report(workers []*Worker, ready snapshot, loadSeconds float64, sampler *sampler) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var latency, service histogram
	for _, w := range workers {
		latency.merge(&w.latency)
		service.merge(&w.service)
	}
	loop := "closed"
	if o.Rate > 0 {
		loop = "open"
	}
	values, sizes := runtimeMetrics()
	result := Result{
		Program: o.Name, GoVersion: runtime.Version(), GOMAXPROCS: runtime.GOMAXPROCS(0), Args: os.Args[1:],
		Loop: loop, Workers: o.Workers, RateAsked: o.Rate,
		Requests: latency.total, Rate: float64(latency.total) / loadSeconds,
		ReadySeconds: ready.sinceStart.Seconds(), LoadSeconds: loadSeconds,
		WallSeconds: time.Since(processStart).Seconds(), CPUSeconds: cpuSeconds(),
		Latency: latency.quantiles(), Service: service.quantiles(),
		RSSPeakBytes: rssPeakBytes(),
		MappedPeak:   sampler.peakBytes, MappedAtPeak: sampler.atPeak(), MappedSamples: sampler.count,
		AtReady: ready, MemStats: memStats(&m), GCCPUFraction: m.GCCPUFraction,
		Metrics: values, AllocsBySize: sizes,
	}
	line, err := json.Marshal(result)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", o.Name, err)
		os.Exit(1)
	}
	os.Stdout.Write(append(line, '\n'))
}

func memStats(m *runtime.MemStats) map[string]uint64 {
	return map[string]uint64{
		"Alloc": m.Alloc, "TotalAlloc": m.TotalAlloc, "Sys": m.Sys, "Mallocs": m.Mallocs, "Frees": m.Frees,
		"HeapAlloc": m.HeapAlloc, "HeapSys": m.HeapSys, "HeapIdle": m.HeapIdle, "HeapInuse": m.HeapInuse,
		"HeapReleased": m.HeapReleased, "HeapObjects": m.HeapObjects,
		"StackInuse": m.StackInuse, "StackSys": m.StackSys, "MSpanInuse": m.MSpanInuse, "MSpanSys": m.MSpanSys,
		"MCacheInuse": m.MCacheInuse, "MCacheSys": m.MCacheSys, "BuckHashSys": m.BuckHashSys,
		"GCSys": m.GCSys, "OtherSys": m.OtherSys, "NextGC": m.NextGC,
		"PauseTotalNs": m.PauseTotalNs, "NumGC": uint64(m.NumGC), "NumForcedGC": uint64(m.NumForcedGC),
	}
}

// runtimeMetrics are all scalar figures about memory, CPU and GC that the running Go version has, and
// the histogram of allocation sizes.
func runtimeMetrics() (values map[string]float64, sizes [][2]float64) {
	const bySize = "/gc/heap/allocs-by-size:bytes"
	var samples []metrics.Sample
	for _, d := range metrics.All() {
		scalar := d.Kind == metrics.KindUint64 || d.Kind == metrics.KindFloat64
		ours := strings.HasPrefix(d.Name, "/gc/") || strings.HasPrefix(d.Name, "/cpu/classes/") ||
			strings.HasPrefix(d.Name, "/memory/classes/") || d.Name == "/sched/goroutines:goroutines"
		if d.Name == bySize || (scalar && ours) {
			samples = append(samples, metrics.Sample{Name: d.Name})
		}
	}
	metrics.Read(samples)
	values = map[string]float64{}
	for _, s := range samples {
		switch s.Value.Kind() {
		case metrics.KindUint64:
			values[s.Name] = float64(s.Value.Uint64())
		case metrics.KindFloat64:
			values[s.Name] = s.Value.Float64()
		case metrics.KindFloat64Histogram:
			sizes = nonEmpty(s.Value.Float64Histogram())
		}
	}
	return values, sizes
}

// nonEmpty lists the buckets that hold something by their (exclusive) upper bound; JSON has no
// infinity, so the last one is written as -1.
func nonEmpty(h *metrics.Float64Histogram) (sizes [][2]float64) {
	for i, count := range h.Counts {
		if count == 0 {
			continue
		}
		upper := h.Buckets[i+1]
		if math.IsInf(upper, 1) {
			upper = -1
		}
		sizes = append(sizes, [2]float64{upper, float64(count)})
	}
	return sizes
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) * 1e-9
}

// rssPeakBytes is VmHWM; 0 where /proc does not tell. getrusage would also count the image that the
// process was forked from.
func rssPeakBytes() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(status), "\n") {
		if rest := strings.TrimPrefix(line, "VmHWM:"); rest != line {
			kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			return kib << 10
		}
	}
	return 0
}
