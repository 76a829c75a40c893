"""Readings of a real Go program's memory against what the kernel and the runtime counted in the same run."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from capture_app import capture
from go_toolchain import GoToolchain

from gcsim.api import calibrate
from gcsim.calibration.memory.readings.files import read_reading
from gcsim.calibration.memory.readings.source import MemoryReadings
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.capture.info import CaptureInfo, side_file
from gcsim.gctrace import read_gctrace

MIB = 1 << 20
PROGRAM = """
package main

import (
	"encoding/json"
	"expvar"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"time"
)

type node struct {
	next *node
	data [48]byte
}

var table = make([]*node, 1_000_000)

func save(folder, name string, data []byte) {
	if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
		panic(err)
	}
}

// Keeps 1,000,000 small objects and replaces them for 2 seconds; then saves what can be read about its memory.
func main() {
	folder := os.Args[1]
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		time.Sleep(500 * time.Microsecond)
		for i := 0; i < 10_000; i++ {
			table[(i*7919+int(end.UnixNano()))%len(table)] = &node{}
		}
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	data, _ := json.Marshal(&stats)
	save(folder, "memstats.json", data)
	page, first := "{\\n", true
	expvar.Do(func(kv expvar.KeyValue) {
		if !first {
			page += ",\\n"
		}
		first = false
		page += fmt.Sprintf("%q: %s", kv.Key, kv.Value)
	})
	save(folder, "vars", []byte(page+"\\n}\\n"))
	profile, _ := os.Create(filepath.Join(folder, "heap.txt"))
	pprof.Lookup("heap").WriteTo(profile, 1)
	profile.Close()
	for _, name := range []string{"status", "smaps", "smaps_rollup"} {
		if data, err := os.ReadFile("/proc/self/" + name); err == nil {
			save(folder, name, data)
		}
	}
	time.Sleep(200 * time.Millisecond) // the capture polls the peak every 50 ms
}
"""


@pytest.fixture(scope="module")
def run(go_toolchain: GoToolchain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a captured log of the program, and its readings."""
    folder = tmp_path_factory.mktemp("run")
    assert capture(folder / "a.log", go_toolchain.build(PROGRAM), folder).returncode == 0
    return folder


def test_proc_files_agree_with_the_capture(run: Path) -> None:
    """Three files of /proc say the same, and what the capture polled."""
    info = CaptureInfo.load(side_file(run / "a.log"))
    status, smaps, rollup = (read_reading(run / name) for name in ("status", "smaps", "smaps_rollup"))
    assert status.rss_peak_bytes == pytest.approx(info.rss_peak_bytes, rel=0.02)
    assert status.anonymous_bytes is not None
    assert status.file_bytes is not None
    assert rollup.anonymous_bytes == pytest.approx(status.anonymous_bytes, rel=0.05)
    assert smaps.anonymous_bytes == pytest.approx(rollup.anonymous_bytes, rel=0.05)
    assert rollup.file_bytes == pytest.approx(status.file_bytes, abs=MIB)
    assert smaps.heap_mapped_bytes == pytest.approx(info.heap_mapped_bytes, abs=5 * MIB)
    assert info.anonymous_peak_bytes is not None
    assert 0.7 * info.anonymous_peak_bytes < status.anonymous_bytes < 1.05 * info.anonymous_peak_bytes


@pytest.mark.parametrize("name", ["memstats.json", "vars", "heap.txt"])
def test_the_runtime_s_account_agrees_with_its_counters(run: Path, name: str) -> None:
    """Sys less HeapSys is what the capture read from the runtime's counters: metadata and stacks."""
    info = CaptureInfo.load(side_file(run / "a.log"))
    go = read_reading(run / name).go
    assert go is not None
    if info.heap_accounts is None:
        pytest.skip("the kernel did not let the capture read the counters")
    # the program sleeps for the last ten samples, after it has written all readings
    counted = float(np.median(info.heap_accounts.outside_spans_bytes[-20:-10]))
    # what the program allocated to write the readings adds stacks and profile buckets to the later ones
    assert go.outside_spans_bytes == pytest.approx(
        counted, abs=(0.15 if name == "memstats.json" else 0.7) * MIB
    )
    assert go.counted_bytes > go.heap_inuse_bytes


@pytest.mark.parametrize("name", ["status", "smaps", "smaps_rollup", "memstats.json", "vars"])
def test_a_bare_log_and_a_reading(run: Path, name: str) -> None:
    """Without the side file, one reading brings the model near to what the capture measured."""
    trace = read_gctrace(run / "a.log")
    assert trace.info is not None
    assert trace.info.go is not None
    bare = run / f"bare-{name}.log"
    bare.write_bytes((run / "a.log").read_bytes())
    stated = Overrides(go=trace.info.go)
    found = calibrate(bare, overrides=stated, readings=MemoryReadings.of(files=[run / name]), fit_check=False)
    model, measured = found.model, found.of_reference.case.measured
    heap = float(read_gctrace(bare).cycles.heap_end_bytes.max())
    parameters = model.parameters
    if name.startswith(("status", "smaps")):
        resident = parameters.rss_base_bytes.value + parameters.rss_ratio.value * heap
        error = max(0.05, 2.0 * (measured.process.peak_error if measured.process else 0.0))
        assert resident == pytest.approx(trace.info.rss_peak_bytes, rel=error)
    else:
        go = read_reading(run / name).go
        assert go is not None
        outside = parameters.metadata_base_bytes.value + parameters.metadata_share.value * heap
        outside += parameters.allocated_stack_bytes.value
        assert outside == pytest.approx(go.outside_spans_bytes, rel=0.3)


def test_readings_of_a_running_process() -> None:
    """A file of /proc can be given as it is; this process is no Go program, but its status is read the same way."""
    with subprocess.Popen(["sleep", "20"]) as process:
        found = read_reading(Path(f"/proc/{process.pid}/status"))
        process.kill()
    assert found.rss_bytes is not None
    assert found.rss_bytes > 0
