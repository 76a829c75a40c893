"""Request latency of the order service split by cause: from the log alone, from an execution trace, and measured.

    python -m experiments.latency.split capture    # on a quiet machine; a minute for each load and repeat
    python -m experiments.latency.split page       # the tables of docs/explanation/latency-split.md; --check compares

Queueing is the time from the arrival until a worker takes the request, by the program's own clock. ``split_runs``
describes the runs.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.archive import unpacked
from experiments.latency import matrix
from experiments.latency.exec_trace import GoroutineTimes
from experiments.latency.split_runs import (
    ASSIST,
    RATES,
    REPEATS,
    RUNS,
    capture,
    measured,
    of_log,
    repeats_in,
)
from experiments.tables import replace_table
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.diagnosis.delays import latency_split
from gcsim.diagnosis.latency import LatencySplit
from gcsim.diagnosis.subject import Subject
from gcsim.gctrace import read_gctrace
from gcsim.units import format_percent

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "latency-split.md"
TABLE = "split"
_GOGC = {"gogc50": 50, "gogc100": 100}
_PARTS = tuple(name for name in GoroutineTimes.__slots__)


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
            "assists": 1e6 * result["metrics"][ASSIST] / result["requests"],
            "stopped": result["memstats"]["PauseTotalNs"] / 1e9 / result["wall_seconds"],
        }
        split = latency_split(Subject.of(run.log.name, read_gctrace(run.log), Overrides()))
        found.append((measured_here, split))
    return found


def split_table(runs: Path) -> str:
    """The delay by GC as measured against runs without collections, from the log, and from the trace; medians."""
    repeats = repeats_in(runs)
    lines = [
        "| load, 1/s | GOGC | source | time stopped | assists | queueing behind GC | all of GC |",
        "|---|---|---|---|---|---|---|",
    ]
    for rate in RATES:
        for kind, gogc in _GOGC.items():
            rows = {"measured": [_measured_row(rate, kind, one, runs) for one in repeats]}
            rows["log"] = [_log_row(rate, kind, one, runs) for one in repeats]
            if gogc == 50:
                rows["trace"] = [_trace_row(rate, one, runs) for one in repeats]
            for source, found in rows.items():
                stopped, *waits = (statistics.median(column) for column in zip(*found, strict=True))
                cells = [format_percent(stopped, 2), *map(_us, waits)]
                lines.append(f"| {rate:,} | {gogc} | {source} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


Row = tuple[float, float, float, float]  # share of time stopped; assists, queueing, all of GC in microseconds


def _measured_row(rate: int, kind: str, repeat: int, runs: Path) -> Row:
    on, off = measured(rate, kind, repeat, runs), measured(rate, "off", repeat, runs)
    return on.stopped_share, on.assists, on.queueing - off.queueing, on.latency - off.latency


def _log_row(rate: int, kind: str, repeat: int, runs: Path) -> Row:
    split = of_log(rate, kind, repeat, runs)
    if split is None:
        return (float("nan"),) * 4
    assists = 2e6 * split.assist_cpu_share / rate
    queue, stopped = 1e6 * split.queue_wait_seconds, 1e6 * split.stopped_wait_seconds
    return split.stopped_share, assists, queue, stopped + assists + queue


def _trace_row(rate: int, repeat: int, runs: Path) -> Row:
    on, off = _trace_parts(rate, "traced50", repeat, runs), _trace_parts(rate, "tracedoff", repeat, runs)
    waits = [one["ready_marking"] + one["ready_else"] for one in (on, off)]
    return on["stopped_share"], on["assisting"], waits[0] - waits[1], on["sum"] - off["sum"]


def _trace_parts(rate: int, kind: str, repeat: int, runs: Path) -> dict[str, float]:
    """The time of workers in a trace by part, microseconds per request, with the shares of the trace's time."""
    run = measured(rate, kind, repeat, runs)
    assert run.trace is not None
    found = {name: 1e6 * getattr(run.trace.workers, name) / run.traced_requests for name in _PARTS}
    return found | {
        "sum": sum(found.values()),
        "latency": run.latency,
        "stopped_share": run.trace.stopped / run.trace.seconds,
        "marking_share": run.trace.marking / run.trace.seconds,
    }


def latency_table(runs: Path) -> str:
    """Mean and 99th percentile of the latency without collections and with them; lowest to highest run."""
    lines = ["| load, 1/s | GOGC | mean latency | p99 | service time |", "|---|---|---|---|---|"]
    for rate in RATES:
        for kind, gogc in {"off": "off", **_GOGC}.items():
            found = [measured(rate, kind, one, runs) for one in repeats_in(runs)]
            cells = [_range([getattr(one, name) for one in found]) for name in ("latency", "p99", "service")]
            lines.append(f"| {rate:,} | {gogc} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def trace_table(runs: Path) -> str:
    """Where the time of workers goes by the execution trace, medians per request."""
    names = ("running", "assisting", "stopped", "ready_marking", "ready_else", "locked", "sum", "latency")
    lines = [
        "| load, 1/s | GOGC | GC marks | running | assists | stopped | waiting for a P while GC marks |"
        " waiting for a P otherwise | locks | sum | measured latency |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for rate in RATES:
        for kind, gogc in {"traced50": "50", "tracedoff": "off"}.items():
            found = [_trace_parts(rate, kind, one, runs) for one in repeats_in(runs)]
            middle = {name: statistics.median(one[name] for one in found) for name in found[0]}
            cells = [format_percent(middle["marking_share"], 2), *(_us(middle[name]) for name in names)]
            lines.append(f"| {rate:,} | {gogc} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _range(found: Sequence[float]) -> str:
    return f"{_us(statistics.median(found))} ({_us(min(found))} to {_us(max(found))})"


def _us(microseconds: float) -> str:
    if microseconds != microseconds:
        return "unknown"
    if abs(microseconds) >= 1000.0:
        return f"{microseconds / 1000.0:.2g} ms"
    return f"{microseconds:.2g} µs" if abs(microseconds) < 10.0 else f"{microseconds:.0f} µs"


def tables(runs: Path) -> dict[str, str]:
    """The tables by their names in the page."""
    folder = unpacked(runs)
    made = {"control": split_table, "latency": latency_table, "trace": trace_table}
    return {TABLE: committed_table()} | {name: make(folder) for name, make in made.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.latency.split")
    parser.add_argument("command", choices=("capture", "print", "page"))
    parser.add_argument("--runs", type=Path, default=RUNS)
    parser.add_argument("--rate", type=int, help="capture this load only")
    parser.add_argument("--repeat", type=int, help="capture this repeat only")
    parser.add_argument("--check", action="store_true", help="compare the page with the tables")
    options = parser.parse_args(arguments)
    if options.command == "capture":
        rates = [options.rate] if options.rate else RATES
        capture(options.runs, rates, [options.repeat] if options.repeat else REPEATS)
        return 0
    found = tables(options.runs)
    if options.command == "print":
        print("\n".join(found.values()))
        return 0
    check = options.check
    differs = [name for name, text in found.items() if replace_table(PAGE, name, text, check=check)]
    if differs and check:
        print(f"{PAGE.name} has other tables ({', '.join(differs)}); run page", file=sys.stderr)
    return int(bool(differs) and check)


if __name__ == "__main__":
    sys.exit(main())
