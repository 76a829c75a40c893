"""Makes and reads the runs of the order service for the split of its latency; see ``split``.

For each load there is a run at GOGC=50 and at GOGC=100, one without collections (GOGC=off), and two with an execution
trace: at GOGC=50 and without collections. All runs of one load and repeat have the same arrivals.
"""

import gzip
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments import toolchains
from experiments.latency.exec_trace import GoroutineTimes, TraceTimes, trace_times
from gcsim.atomic import write_text_atomically
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.diagnosis.delays import latency_split
from gcsim.diagnosis.latency import LatencySplit
from gcsim.diagnosis.subject import Subject
from gcsim.errors import InputError
from gcsim.gctrace import read_gctrace

GO = "1.27.3"
RATES = (5000, 9000, 12500)  # requests per second: about 30, 55 and 75 % of the capacity at GOGC=50
REPEATS = (1, 2, 3)  # seeds of the arrivals
MOST_FOREIGN_CPU = 0.06  # of the machine, taken by others during a run
_SERVES = "load.(*Options).serveQueue"
WORKERS = 32  # goroutines of the service that serve requests
ATTEMPTS = 3  # the least disturbed counts
RUNS = Path(__file__).parent / "split"
_KINDS: dict[str, tuple[str, float]] = {  # GOGC, seconds
    "off": ("off", 8.0),
    "gogc50": ("50", 12.0),
    "gogc100": ("100", 12.0),
    "traced50": ("50", 7.0),
    "tracedoff": ("off", 7.0),
}
_TRACE_SECONDS = 4.0  # from the third second on; the run must not end before the trace
_CEILING = "14GiB"  # of runs without collections
ASSIST = "/cpu/classes/gc/mark/assist:cpu-seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run's measurements of itself: means in microseconds per request, a share of time, and p99."""

    rate: float
    latency: float
    queueing: float  # until a worker takes the request
    service: float
    p99: float
    assists: float
    stopped_share: float
    trace: TraceTimes | None = None

    @property
    def traced_requests(self) -> float:
        """The number of requests during the trace."""
        return self.rate * self.trace.seconds if self.trace is not None else 0.0


def stem(rate: int, kind: str, repeat: int) -> str:
    """The name of a run's files; ``experiments.archive`` takes the program from its start."""
    return f"orders-split-go{GO}-rate{rate}-{kind}-r{repeat}"


def capture(out: Path, rates: Sequence[int], repeats: Sequence[int]) -> None:
    """Makes all runs; a run whose files are there is kept. A run that others disturbed is made again."""
    binary = toolchains.build("orders", GO)
    out.mkdir(parents=True, exist_ok=True)
    for repeat in repeats:
        for rate in rates:
            for kind in _KINDS:
                if not (out / f"{stem(rate, kind, repeat)}.result.json").exists():
                    _least_disturbed(binary, rate, kind, repeat, out)


def _least_disturbed(binary: Path, rate: int, kind: str, repeat: int, out: Path) -> None:
    made = []
    for _ in range(ATTEMPTS):
        made.append(_run(binary, rate, kind, repeat))
        if made[-1][1]["foreign_cpu_fraction"] <= MOST_FOREIGN_CPU:
            break
    log, result = min(made, key=lambda one: float(one[1]["foreign_cpu_fraction"]))
    name = stem(rate, kind, repeat)
    print(name, len(made), result["foreign_cpu_fraction"], flush=True)
    if kind.startswith("gogc"):
        (out / f"{name}.log.gz").write_bytes(gzip.compress(log, mtime=0))
    write_text_atomically(out / f"{name}.result.json", json.dumps(result) + "\n")


def _run(binary: Path, rate: int, kind: str, repeat: int) -> tuple[bytes, dict[str, Any]]:
    """(the log, the measurements) of one run."""
    gogc, seconds = _KINDS[kind]
    limit = _CEILING if gogc == "off" else "off"
    knobs = {"GOGC": gogc, "GOMEMLIMIT": limit, "GOMAXPROCS": "2", "GODEBUG": "gctrace=1"}
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace"
        command = [str(binary), "-rate", str(rate), "-duration", f"{seconds:g}s", "-sample", "0s"]
        command += ["-seed", str(repeat)]
        if kind.startswith("traced"):
            command += ["-trace", str(trace), "-trace-for", f"{_TRACE_SECONDS:g}s"]
        busy, begun = _busy_seconds(), time.monotonic()
        done = subprocess.run(command, env={**os.environ, **knobs}, capture_output=True, check=True)
        lasted = (time.monotonic() - begun) * (os.cpu_count() or 1)
        result = json.loads(done.stdout)
        foreign = max(_busy_seconds() - busy - result["cpu_seconds"], 0.0) / lasted
        names = ("rate", "requests", "wall_seconds", "cpu_seconds", "latency_seconds", "service_seconds")
        kept = {name: result[name] for name in names} | {
            "assist_cpu_seconds": result["metrics"][ASSIST],
            "pause_total_seconds": result["memstats"]["PauseTotalNs"] / 1e9,
            "foreign_cpu_fraction": round(foreign, 4),
        }
        if trace.exists():
            kept["trace"] = asdict(_times_of(trace))
        return done.stderr, kept


def _times_of(trace: Path) -> TraceTimes:
    tool = toolchains.find(GO)
    parsed = subprocess.run(
        [str(tool.go), "tool", "trace", "-d=parsed", str(trace)],
        env=tool.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    times = trace_times(parsed.stdout.splitlines(), _SERVES)
    if times.count != WORKERS:
        raise InputError(f"the trace shows {times.count} workers instead of {WORKERS}")
    return times


def _busy_seconds() -> float:
    """CPU seconds of the machine that were not idle, stolen time included."""
    fields = [int(one) for one in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / float(os.sysconf("SC_CLK_TCK"))


def measured(rate: int, kind: str, repeat: int, runs: Path) -> Measured:
    """The measurements of one run."""
    result: dict[str, Any] = json.loads((runs / f"{stem(rate, kind, repeat)}.result.json").read_text())
    latency, service, trace = result["latency_seconds"], result["service_seconds"], result.get("trace")
    return Measured(
        rate=result["rate"],
        latency=1e6 * latency["mean"],
        queueing=1e6 * (latency["mean"] - service["mean"]),
        service=1e6 * service["mean"],
        p99=1e6 * latency["p99"],
        assists=1e6 * result["assist_cpu_seconds"] / result["requests"],
        stopped_share=result["pause_total_seconds"] / result["wall_seconds"],
        trace=None if trace is None else TraceTimes(**{**trace, "workers": GoroutineTimes(**trace["workers"])}),
    )  # fmt: skip


def of_log(rate: int, kind: str, repeat: int, runs: Path) -> LatencySplit | None:
    """The split that ``gcsim diagnose`` makes from the log of a run."""
    log = runs / f"{stem(rate, kind, repeat)}.log.gz"
    return latency_split(Subject.of(log.name, read_gctrace(log), Overrides(go="1.27")))


def repeats_in(runs: Path) -> list[int]:
    """The repeats whose runs are all there."""
    return [
        repeat
        for repeat in REPEATS
        if all(
            (runs / f"{stem(rate, kind, repeat)}.result.json").exists() for rate in RATES for kind in _KINDS
        )
    ]
