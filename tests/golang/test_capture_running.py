"""``gcsim capture --url`` and ``--pid`` on a real Go program that already runs."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from capture_app import GCSIM
from go_toolchain import GoToolchain

from gcsim.capture.info import side_file
from gcsim.capture.web.manifest import Manifest
from gcsim.diagnosis.profiles.execution_trace import read_execution_trace
from gcsim.errors import InputError
from gcsim.gctrace import read_gctrace

PAGES = Path(__file__).parents[2] / "experiments/metrics_only/pages.go"
MAIN = """
package main

import "time"

var kept, leaked [][]byte

func main() {
	for i := 0; i < 500; i++ {
		kept = append(kept, make([]byte, 4096))
	}
	for i := 0; ; i++ {
		kept[i%len(kept)] = make([]byte, 4096)
		if i%8 == 0 {
			leaked = append(leaked, make([]byte, 32<<10))
			time.Sleep(500 * time.Microsecond)
		}
	}
}
"""


@pytest.fixture(scope="module")
def app(go_toolchain: GoToolchain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service that leaks and serves its diagnostic pages."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "main.go").write_text(MAIN)
    (folder / "pages.go").write_text(PAGES.read_text())
    (folder / "go.mod").write_text("module service\n\ngo 1.21\n")
    return go_toolchain.build(folder)


@contextmanager
def running(app: Path, log: Path | int, **env: str) -> Iterator[tuple[int, str]]:
    """(pid, address of the pages) of the running service; ``log`` receives its standard error."""
    port_file = app.parent / f"port-{time.monotonic_ns()}"
    with port_file.open("wb") as first:
        target = log.open("wb") if isinstance(log, Path) else log
        process = subprocess.Popen(
            ["bash", "-c", 'exec "$0" 2> >(tee "$1" >&2)' if isinstance(log, int) else 'exec "$0"', app, port_file],
            env={**os.environ, "PAGES_ADDRESS": "127.0.0.1:0", "GODEBUG": "gctrace=1", **env}, stderr=target,
        )  # fmt: skip
        del first
    try:
        place = log if isinstance(log, Path) else port_file
        for _ in range(500):
            found = re.search(rb"pages at (\S+)\n", place.read_bytes())
            if found is not None:
                break
            time.sleep(0.01)
        assert found is not None
        yield process.pid, found[1].decode()
    finally:
        process.kill()
        process.wait()


def gcsim(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    return subprocess.run([*GCSIM, *map(str, arguments)], capture_output=True, text=True, timeout=120)


def test_pages_of_a_service_are_collected_and_diagnosed(app: Path, tmp_path: Path) -> None:
    """Every page that the service has is there, and the leak is named with its line."""
    with running(app, tmp_path / "service.log") as (_, address):
        done = gcsim(
            "capture", "--url", address, "--for", "4s", "--every", "1s", "--cpu", "1s", "-o", tmp_path / "out"
        )
    assert done.returncode == 0, done.stderr
    found = Manifest.of(tmp_path / "out")
    assert found.missing == {}
    names = {one.file for one in found.files}
    assert {
        "heap-start.pb.gz",
        "heap-end.pb.gz",
        "goroutine-start.txt",
        "goroutine-end.txt",
        "cpu-end.pb.gz",
    } < names
    assert {"block-end.pb.gz", "mutex-end.pb.gz", "allocs-end.pb.gz", "vars/vars-0004.json"} < names
    assert sum(name.startswith("metrics/") for name in names) == 5
    said = gcsim("diagnose", tmp_path / "out", "--json")
    first = json.loads(said.stdout)["findings"][0]
    assert (said.returncode, first["name"]) == (1, "heap-leak")
    assert "main.main (main.go:15)" in first["sentence"]


def test_ctrl_c_keeps_what_was_collected(app: Path, tmp_path: Path) -> None:
    """The sampling ends, the last profiles are collected, and the status says that it was interrupted."""
    with running(app, tmp_path / "service.log") as (_, address):
        command = [
            *GCSIM,
            "capture",
            "--url",
            address,
            "--for",
            "60s",
            "--every",
            "500ms",
            "-o",
            str(tmp_path / "out"),
        ]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            while not list((tmp_path / "out").glob("metrics/metrics-0002.txt")):
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130
    found = Manifest.of(tmp_path / "out")
    assert not found.is_complete
    assert {"heap-end.pb.gz", "goroutine-end.txt"} < {one.file for one in found.files}


def test_a_service_with_pprof_alone_gives_memstats(go_toolchain: GoToolchain, tmp_path: Path) -> None:
    """Without expvar and Prometheus, each sample is the heap profile in text, which ends with MemStats."""
    app = go_toolchain.build(
        'package main\n\nimport (\n\t"fmt"\n\t"net"\n\t"net/http"\n\t_ "net/http/pprof"\n\t"os"\n)\n\n'
        'func main() {\n\tl, _ := net.Listen("tcp", "127.0.0.1:0")\n'
        '\tfmt.Fprintf(os.Stderr, "pages at %s\\n", l.Addr())\n\thttp.Serve(l, nil)\n}\n'
    )
    with running(app, tmp_path / "service.log") as (_, address):
        done = gcsim("capture", "--url", address, "--for", "1s", "--every", "1s", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out/memstats").iterdir())) == 2
    assert "goes on without /metrics" in done.stderr
    assert gcsim("diagnose", tmp_path / "out").returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_running_process_gives_a_log_and_a_side_file(app: Path, tmp_path: Path) -> None:
    """The log behind its standard error is followed, and the side file has its settings and memory."""
    log = tmp_path / "app.log"
    with running(app, tmp_path / "service.log", GOGC="150") as (pid, _):
        done = gcsim("capture", "--pid", str(pid), "--for", "2s", "-o", log)
        refused = gcsim("capture", "--pid", str(pid), "--for", "2s", "-o", tmp_path / "service.log")
    assert done.returncode == 0, done.stderr
    trace = read_gctrace(log)
    assert trace.info is not None
    assert (trace.info.gogc, trace.info.gomemlimit_bytes) == (150, None)
    assert (trace.info.rss_peak_bytes or 0) > 8 << 20
    assert (trace.info.anonymous_peak_bytes or 0) > 4 << 20
    assert len(trace.cycles) > 0
    assert trace.parse_warnings == ()
    assert (refused.returncode, "choose another log" in refused.stderr) == (2, True)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_log_in_a_pipe_is_named_as_such(app: Path, tmp_path: Path) -> None:
    """The side file is written without the log, and the note says where the log is."""
    with running(app, subprocess.DEVNULL) as (pid, _):
        done = gcsim("capture", "--pid", str(pid), "--for", "1s", "-o", tmp_path / "app.log")
    assert done.returncode == 0, done.stderr
    assert "is a pipe, which only its reader can read" in done.stderr
    assert not (tmp_path / "app.log").exists()
    assert json.loads(side_file(tmp_path / "app.log").read_text())["gogc"] == 100


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_program_without_a_trace_is_named_as_such(app: Path, tmp_path: Path) -> None:
    """It must be started again with GODEBUG, or observed with --url."""
    with running(app, tmp_path / "service.log", GODEBUG="") as (pid, _):
        done = gcsim("capture", "--pid", str(pid), "--for", "500ms", "-o", tmp_path / "app.log")
    assert "started without GODEBUG=gctrace=1" in done.stderr
    for pid_text, word in ((str(os.getpid()), "no Go program"), ("4194303", "no process")):
        done = gcsim("capture", "--pid", pid_text, "--for", "1s", "-o", tmp_path / "x.log")
        assert (done.returncode, word in done.stderr) == (2, True)


def test_an_execution_trace_is_read_by_the_toolchain(
    go_toolchain: GoToolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pauses and mark phases of a real trace are those that its program counted; a damaged trace is one sentence."""
    done = go_toolchain.run(
        'package main\n\nimport (\n\t"fmt"\n\t"os"\n\t"runtime"\n\t"runtime/trace"\n)\n\n'
        "var keep []*int\n\nfunc main() {\n\tfile, _ := os.Create(os.Args[1])\n\ttrace.Start(file)\n"
        "\tvar before, after runtime.MemStats\n\truntime.ReadMemStats(&before)\n"
        "\tfor i := 0; i < 5; i++ {\n\t\tfor j := 0; j < 20000; j++ {\n\t\t\tkeep = append(keep, new(int))\n\t\t}\n"
        "\t\truntime.GC()\n\t}\n\truntime.ReadMemStats(&after)\n\ttrace.Stop()\n\tfile.Close()\n"
        "\tfmt.Println(after.NumGC - before.NumGC)\n}\n",
        args=[str(tmp_path / "trace.out")],
    )
    tools = next(go_toolchain.source_dir.parent.glob("bin/go")).parent
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    found = read_execution_trace(tmp_path / "trace.out")
    assert len(found.marks) == int(done.stdout)
    assert sum(span.name.startswith("GC ") for span in found.pauses) == 2 * len(found.marks)
    assert found.seconds > found.mark_seconds > 0
    (tmp_path / "cut.out").write_bytes((tmp_path / "trace.out").read_bytes()[:40])
    with pytest.raises(InputError, match=r"cut\.out: go tool trace cannot read it"):
        read_execution_trace(tmp_path / "cut.out")
