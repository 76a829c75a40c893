"""Request latency of the order service split by cause: from the log alone, from an execution trace, and measured.

    python -m experiments.latency.split capture    # two minutes, on a quiet machine
    python -m experiments.latency.split page       # the table of docs/explanation/latency-split.md; --check compares

For each load there is a run at GOGC=50 and at GOGC=100, one without collections (GOGC=off), and one at GOGC=50 with an
execution trace of one second. Queueing is the time from the arrival until a worker takes the request, by the program's
own clock.
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments import toolchains
from experiments.archive import unpacked
from experiments.latency import matrix
from experiments.latency.exec_trace import GoroutineTimes, worker_times
from experiments.tables import stated_table, write_table
from gcsim.atomic import write_text_atomically
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.diagnosis.delays import latency_split
from gcsim.diagnosis.latency import LatencySplit
from gcsim.diagnosis.subject import Subject
from gcsim.gctrace import read_gctrace
from gcsim.units import format_percent

GO = "1.27.3"
RATES = (4000, 8000, 11000)
MOST_FOREIGN_CPU = 0.06  # of the machine, taken by others during a run
ATTEMPTS = 4  # the least disturbed counts
RUNS = Path(__file__).parent / "split"
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "latency-split.md"
TABLE = "split"
_KINDS: dict[str, tuple[str, float]] = {
    "off": ("off", 6.0),
    "gogc50": ("50", 12.0),
    "gogc100": ("100", 12.0),
    "traced": ("50", 4.0),
}
_ASSIST = "/cpu/classes/gc/mark/assist:cpu-seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one run measured of itself, means in microseconds per request."""

    rate: float
    latency: float
    queueing: float
    service: float
    p99: float
    assists: float
    stopped_share: float


def stem(rate: int, kind: str) -> str:
    """The name of a run's files."""
    return f"orders-{rate}-{kind}-go{GO}"


def capture(out: Path, rates: Sequence[int] = RATES) -> None:
    """Makes all runs; a run whose files are there is kept. A run that others disturbed is made again."""
    binary = toolchains.build("orders", GO)
    out.mkdir(parents=True, exist_ok=True)
    for rate in rates:
        for kind in _KINDS:
            if (out / f"{stem(rate, kind)}.result.json").exists():
                continue
            made = []
            for _ in range(ATTEMPTS):
                made.append(_run(binary, rate, kind))
                if made[-1][1]["foreign_cpu_fraction"] <= MOST_FOREIGN_CPU:
                    break
            log, result = min(made, key=lambda one: float(one[1]["foreign_cpu_fraction"]))
            print(stem(rate, kind), len(made), result["foreign_cpu_fraction"], flush=True)
            if kind != "traced":
                (out / f"{stem(rate, kind)}.log.gz").write_bytes(gzip.compress(log, mtime=0))
            write_text_atomically(out / f"{stem(rate, kind)}.result.json", json.dumps(result) + "\n")


def _run(binary: Path, rate: int, kind: str) -> tuple[bytes, dict[str, Any]]:
    """(the log, the measurements) of one run."""
    gogc, seconds = _KINDS[kind]
    knobs = {"GOGC": gogc, "GOMEMLIMIT": "14GiB" if kind == "off" else "off", "GOMAXPROCS": "2"}
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace"
        command = [str(binary), "-rate", str(rate), "-duration", f"{seconds:g}s", "-sample", "0s"]
        command += ["-trace", str(trace)] if kind == "traced" else []
        busy, begun = _busy_seconds(), time.monotonic()
        done = subprocess.run(
            command, env={**os.environ, **knobs, "GODEBUG": "gctrace=1"}, capture_output=True, check=True
        )
        lasted = (time.monotonic() - begun) * (os.cpu_count() or 1)
        result = json.loads(done.stdout)
        foreign = max(_busy_seconds() - busy - result["cpu_seconds"], 0.0) / lasted
        if kind == "traced":
            tool = toolchains.find(GO)
            parsed = subprocess.run(
                [str(tool.go), "tool", "trace", "-d=parsed", str(trace)],
                env=tool.environment, capture_output=True, text=True, check=True,
            )  # fmt: skip
            times, length = worker_times(parsed.stdout.splitlines())
            kept = {"rate": result["rate"], "trace_seconds": length, "times": asdict(times)}
        else:
            names = ("rate", "requests", "wall_seconds", "cpu_seconds", "latency_seconds", "service_seconds")
            kept = {name: result[name] for name in names} | {
                "assist_cpu_seconds": result["metrics"][_ASSIST],
                "pause_total_seconds": result["memstats"]["PauseTotalNs"] / 1e9,
            }
        return done.stderr, kept | {"foreign_cpu_fraction": round(foreign, 4)}


def _busy_seconds() -> float:
    """CPU seconds of the machine that were not idle, stolen time included."""
    fields = [int(one) for one in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / float(os.sysconf("SC_CLK_TCK"))


def measured(rate: int, kind: str, runs: Path) -> Measured:
    """The measurements of one run."""
    result: dict[str, Any] = json.loads((runs / f"{stem(rate, kind)}.result.json").read_text())
    latency, service = result["latency_seconds"], result["service_seconds"]
    return Measured(
        rate=result["rate"],
        latency=1e6 * latency["mean"],
        queueing=1e6 * (latency["mean"] - service["mean"]),
        service=1e6 * service["mean"],
        p99=1e6 * latency["p99"],
        assists=1e6 * result["assist_cpu_seconds"] / result["requests"],
        stopped_share=result["pause_total_seconds"] / result["wall_seconds"],
    )


def of_log(rate: int, kind: str, runs: Path) -> LatencySplit | None:
    """The split that diagnose makes from the log of a run."""
    log = runs / f"{stem(rate, kind)}.log.gz"
    return latency_split(Subject.of(log.name, read_gctrace(log), Overrides(go="1.27")))


def of_trace(rate: int, runs: Path) -> tuple[GoroutineTimes, float]:
    """(times of the workers, number of requests in the trace)."""
    result = json.loads((runs / f"{stem(rate, 'traced')}.result.json").read_text())
    return GoroutineTimes(**result["times"]), result["rate"] * result["trace_seconds"]


def committed_table() -> str:
    """The log's split of the committed runs of experiments.latency next to their measurements, medians of runs."""
    lines = [
        "| load | GOGC | runs | assists, measured | by the log | time stopped, measured | by the log |"
        " queueing, measured | less that at GOGC=400 | queueing behind GC by the log |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for load in matrix.LOADS:
        found = {gogc: _of_committed(load, gogc) for gogc in (50, 100, 400)}
        base = statistics.median(one["queueing"] for one, _ in found[400])
        for gogc in (50, 100):
            runs = [(one, split) for one, split in found[gogc] if split is not None]
            real = {name: statistics.median(one[name] for one, _ in runs) for name in runs[0][0]}
            assists = statistics.median(2e6 * split.assist_cpu_share / one["rate"] for one, split in runs)
            stopped = statistics.median(split.stopped_share for _, split in runs)
            queue = statistics.median(1e6 * split.queue_wait_seconds for _, split in runs)
            lines.append(
                f"| {load:.0%} | {gogc} | {len(runs)} | {_us(real['assists'])} | {_us(assists)} |"
                f" {format_percent(real['stopped'], 2)} | {format_percent(stopped, 2)} | {_us(real['queueing'])} |"
                f" {_us(real['queueing'] - base)} | {_us(queue)} |"
            )
    return "\n".join(lines) + "\n"


def _of_committed(load: float, gogc: int) -> list[tuple[dict[str, float], LatencySplit | None]]:
    """(measured means in microseconds per request, the log's split) of each run."""
    found = []
    for repeat in matrix.undisturbed(load, gogc):
        run = matrix.best_run(load, gogc, repeat)
        result = run.result
        latency, service = result["latency_seconds"]["mean"], result["service_seconds"]["mean"]
        measured_here = {
            "rate": result["rate"],
            "queueing": 1e6 * (latency - service),
            "assists": 1e6 * result["metrics"][_ASSIST] / result["requests"],
            "stopped": result["memstats"]["PauseTotalNs"] / 1e9 / result["wall_seconds"],
        }
        split = latency_split(Subject.of(run.log.name, read_gctrace(run.log), Overrides()))
        found.append((measured_here, split))
    return found


def table(runs: Path) -> str:
    """Three tables: the log's split next to the measurement, latency without GC, and the split by the trace."""
    lines = [
        "| load, 1/s | GOGC | | stop-the-world | assists | queueing behind GC | all of GC |",
        "|---|---|---|---|---|---|---|",
    ]
    for rate in RATES:
        off = measured(rate, "off", runs)
        for kind in ("gogc50", "gogc100"):
            lines += _rows(rate, kind, off, runs)
    lines += [
        "",
        "| load, 1/s | mean latency at GOGC=off, 50, 100 | p99 at GOGC=off, 50, 100 |",
        "|---|---|---|",
    ]
    for rate in RATES:
        three = [measured(rate, kind, runs) for kind in ("off", "gogc50", "gogc100")]
        means, tails = ([getattr(one, name) for one in three] for name in ("latency", "p99"))
        lines.append(f"| {rate:,} | {', '.join(map(_us, means))} | {', '.join(map(_us, tails))} |")
    lines += [
        "",
        "| load, 1/s | own CPU and preemption by the system | assists | stop-the-world | waiting for a P while GC marks"
        " | waiting for a P otherwise | locks |",
        "|---|---|---|---|---|---|---|",
    ]
    for rate in RATES:
        times, requests = of_trace(rate, runs)
        parts = (
            times.running, times.assisting, times.stopped, times.ready_marking, times.ready_else, times.locked,
        )  # fmt: skip
        lines.append(f"| {rate:,} | " + " | ".join(_us(1e6 * one / requests) for one in parts) + " |")
    return "\n".join(lines) + "\n"


def _rows(rate: int, kind: str, off: Measured, runs: Path) -> Iterator[str]:
    """The row of the log and that of the measurement, microseconds per request."""
    on, split = measured(rate, kind, runs), of_log(rate, kind, runs)
    gogc = _KINDS[kind][0]
    stopped = "not measured"
    yield (
        f"| {rate:,} | {gogc} | measured | {stopped} | {_us(on.assists)} | {_us(on.queueing - off.queueing)}"
        f" | {_us(on.latency - off.latency)} |"
    )
    if split is None:
        yield f"| {rate:,} | {gogc} | log | too few cycles | | | |"
        return
    assists = 1e6 * split.assist_cpu_share * 2.0 / on.rate
    wait = 1e6 * split.stopped_wait_seconds
    queue = 1e6 * split.queue_wait_seconds
    yield (
        f"| {rate:,} | {gogc} | log | {_us(wait)} | {_us(assists)} | {_us(queue)} |"
        f" {_us(wait + assists + queue)} |"
    )


def _us(microseconds: float) -> str:
    if microseconds != microseconds:
        return "unknown"
    if abs(microseconds) >= 1000.0:
        return f"{microseconds / 1000.0:.2g} ms"
    return f"{microseconds:.2g} µs" if abs(microseconds) < 10.0 else f"{microseconds:.0f} µs"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.latency.split")
    parser.add_argument("command", choices=("capture", "print", "page"))
    parser.add_argument("--runs", type=Path, default=RUNS)
    parser.add_argument("--rate", type=int, help="capture this load only")
    parser.add_argument("--check", action="store_true", help="compare the page with the table")
    options = parser.parse_args(arguments)
    if options.command == "capture":
        capture(options.runs, [options.rate] if options.rate else RATES)
        return 0
    text = committed_table() + (f"\n{table(unpacked(options.runs))}" if options.runs.exists() else "")
    if options.command == "print":
        print(text)
    elif options.check and stated_table(PAGE, TABLE) != text:
        print(f"experiments.latency.split: {PAGE.name} has another table; run page", file=sys.stderr)
        return 1
    elif not options.check:
        write_table(PAGE, TABLE, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
