// Serves the diagnostic pages of a service: net/http/pprof, expvar, and /metrics by hand.
//
// The file joins a program of experiments/programs at its build (go build -overlay). /metrics has the documented names
// of the Prometheus client for Go: those of its default collectors, and those that it makes of runtime/metrics.
package main

import (
	"bufio"
	_ "expvar"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

var processStart = time.Now()

func init() {
	address := os.Getenv("PAGES_ADDRESS")
	if address == "" {
		return
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "pages at %s\n", listener.Addr())
	http.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		writeMetrics(w)
	})
	go http.Serve(listener, nil)
}

// pageWriter writes one family at a time.
type pageWriter struct{ *bufio.Writer }

func (w pageWriter) family(name, kind string) { fmt.Fprintf(w, "# TYPE %s %s\n", name, kind) }

func (w pageWriter) one(name, kind string, value float64) {
	w.family(name, kind)
	w.value(name, value)
}

func (w pageWriter) value(name string, value float64) {
	fmt.Fprintf(w, "%s %s\n", name, strconv.FormatFloat(value, 'g', -1, 64))
}

func writeMetrics(out io.Writer) {
	w := pageWriter{bufio.NewWriter(out)}
	defer w.Flush()
	writeDefault(w)
	writeProcess(w)
	if os.Getenv("PAGES_RUNTIME_METRICS") != "off" {
		writeRuntime(w)
	}
}

// writeDefault writes what the client's default Go collector has.
func writeDefault(w pageWriter) {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	gc := debug.GCStats{PauseQuantiles: make([]time.Duration, 5)}
	debug.ReadGCStats(&gc)
	w.family("go_gc_duration_seconds", "summary")
	for i, quantile := range []string{"0", "0.25", "0.5", "0.75", "1"} {
		w.value(fmt.Sprintf("go_gc_duration_seconds{quantile=%q}", quantile), gc.PauseQuantiles[i].Seconds())
	}
	w.value("go_gc_duration_seconds_sum", gc.PauseTotal.Seconds())
	w.value("go_gc_duration_seconds_count", float64(gc.NumGC))
	w.one("go_goroutines", "gauge", float64(runtime.NumGoroutine()))
	w.family("go_info", "gauge")
	w.value(fmt.Sprintf("go_info{version=%q}", runtime.Version()), 1)
	for _, each := range []struct {
		name, kind string
		value      uint64
	}{
		{"alloc_bytes", "gauge", stats.Alloc},
		{"alloc_bytes_total", "counter", stats.TotalAlloc},
		{"buck_hash_sys_bytes", "gauge", stats.BuckHashSys},
		{"frees_total", "counter", stats.Frees},
		{"gc_sys_bytes", "gauge", stats.GCSys},
		{"heap_alloc_bytes", "gauge", stats.HeapAlloc},
		{"heap_idle_bytes", "gauge", stats.HeapIdle},
		{"heap_inuse_bytes", "gauge", stats.HeapInuse},
		{"heap_objects", "gauge", stats.HeapObjects},
		{"heap_released_bytes", "gauge", stats.HeapReleased},
		{"heap_sys_bytes", "gauge", stats.HeapSys},
		{"mallocs_total", "counter", stats.Mallocs},
		{"mcache_inuse_bytes", "gauge", stats.MCacheInuse},
		{"mcache_sys_bytes", "gauge", stats.MCacheSys},
		{"mspan_inuse_bytes", "gauge", stats.MSpanInuse},
		{"mspan_sys_bytes", "gauge", stats.MSpanSys},
		{"next_gc_bytes", "gauge", stats.NextGC},
		{"other_sys_bytes", "gauge", stats.OtherSys},
		{"stack_inuse_bytes", "gauge", stats.StackInuse},
		{"stack_sys_bytes", "gauge", stats.StackSys},
		{"sys_bytes", "gauge", stats.Sys},
	} {
		w.one("go_memstats_"+each.name, each.kind, float64(each.value))
	}
	w.one("go_memstats_last_gc_time_seconds", "gauge", float64(stats.LastGC)/1e9)
	samples := []metrics.Sample{{Name: "/gc/gogc:percent"}, {Name: "/gc/gomemlimit:bytes"}, {Name: "/sched/gomaxprocs:threads"}}
	metrics.Read(samples)
	for i, name := range []string{"go_gc_gogc_percent", "go_gc_gomemlimit_bytes", "go_sched_gomaxprocs_threads"} {
		if samples[i].Value.Kind() == metrics.KindUint64 {
			w.one(name, "gauge", float64(samples[i].Value.Uint64()))
		}
	}
}

// writeProcess writes what the client's process collector has.
func writeProcess(w pageWriter) {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	number := func(i int) float64 { value, _ := strconv.ParseFloat(fields[i], 64); return value }
	w.one("process_cpu_seconds_total", "counter", (number(11)+number(12))/100)
	w.one("process_resident_memory_bytes", "gauge", number(21)*float64(os.Getpagesize()))
	w.one("process_start_time_seconds", "gauge", float64(processStart.UnixMilli())/1e3)
	w.one("process_virtual_memory_bytes", "gauge", number(20))
}

// writeRuntime writes what the client makes of all of runtime/metrics.
func writeRuntime(w pageWriter) {
	var samples []metrics.Sample
	kinds := map[string]metrics.Description{}
	for _, each := range metrics.All() {
		if strings.HasPrefix(each.Name, "/godebug/") {
			continue
		}
		kinds[each.Name] = each
		samples = append(samples, metrics.Sample{Name: each.Name})
	}
	metrics.Read(samples)
	replace := strings.NewReplacer("/", "_", "-", "_", "*", "_")
	for _, each := range samples {
		path, unit, _ := strings.Cut(each.Name, ":")
		name := "go" + replace.Replace(path) + "_" + strings.NewReplacer("/", "_per_", "-", "_", "*", "_").Replace(unit)
		kind := "gauge"
		if kinds[each.Name].Cumulative {
			kind = "counter"
		}
		if name == "go_gc_gogc_percent" || name == "go_gc_gomemlimit_bytes" || name == "go_sched_gomaxprocs_threads" {
			continue // the default collector has them
		}
		switch each.Value.Kind() {
		case metrics.KindUint64:
			if kind == "counter" {
				name += "_total"
			}
			w.one(name, kind, float64(each.Value.Uint64()))
		case metrics.KindFloat64:
			if kind == "counter" {
				name += "_total"
			}
			w.one(name, kind, each.Value.Float64())
		case metrics.KindFloat64Histogram:
			writeHistogram(w, name, each.Value.Float64Histogram())
		}
	}
}

// writeHistogram writes the buckets that the client keeps: times at powers of two.
func writeHistogram(w pageWriter, name string, found *metrics.Float64Histogram) {
	w.family(name, "histogram")
	count, next := uint64(0), 64e-9
	for i, each := range found.Counts {
		count += each
		upper := found.Buckets[i+1]
		if math.IsInf(upper, 1) {
			break
		}
		if upper >= next {
			w.value(fmt.Sprintf("%s_bucket{le=%q}", name, strconv.FormatFloat(upper, 'g', -1, 64)), float64(count))
			for next <= upper {
				next *= 2
			}
		}
	}
	w.value(name+`_bucket{le="+Inf"}`, float64(count))
	w.value(name+"_sum", math.NaN())
	w.value(name+"_count", float64(count))
}
