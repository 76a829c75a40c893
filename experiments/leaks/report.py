"""Forecasts from the first third of each leaking run, next to the truth: the table of docs/explanation/diagnosis.md.

    python -m experiments.leaks.report [--runs DIR] [--half design|reported] [--page] [--check]

``--page`` writes the table into the page. ``--check`` exits with 1 if the page has another table.
"""

import argparse
import gzip
import io
import math
import re
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.archive import unpacked
from experiments.leaks.runs import GO_VERSIONS, LEAKS, RUNS, Leak, stem, truth_of
from experiments.tables import stated_table, write_table
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.diagnosis.diagnose import diagnosis
from gcsim.diagnosis.records import Forecast
from gcsim.diagnosis.subject import Subject
from gcsim.gctrace import read_gctrace
from gcsim.gctrace.trace import Trace
from gcsim.units import MIB

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "diagnosis.md"
TABLE = "leaks"
SHARE = 1.0 / 3.0  # of the time until the limit is reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One forecast, and the time that it took."""

    leak: Leak
    go: str
    first: str  # name of the first finding
    forecast: Forecast | None
    seen_seconds: float  # end of the log that diagnose read
    real_seconds: float  # since the start of the process

    @property
    def left_seconds(self) -> float:
        """The time from the end of that log until the limit was reached."""
        return self.real_seconds - self.seen_seconds

    @property
    def error(self) -> float | None:
        """Forecast over real time left, less 1; None without a forecast."""
        return None if self.forecast is None else self.forecast.seconds.value / self.left_seconds - 1.0

    @property
    def is_inside(self) -> bool:
        """Whether the real time is in the 90 % interval."""
        return self.forecast is not None and self.forecast.seconds.contains(self.left_seconds)


def part_until(log: Path, seconds: float) -> Trace:
    """The lines of a log up to a time, as a log that was read then: without the side file."""
    text = gzip.decompress(log.read_bytes()).decode(errors="replace")
    kept = []
    for line in text.splitlines(keepends=True):
        started = re.match(r"gc \d+ @([\d.]+)s", line)
        if started and float(started[1]) > seconds:
            break
        kept.append(line)
    return read_gctrace(io.BytesIO("".join(kept).encode()))


def results(runs: Path, half: str | None = None) -> Iterator[Result]:
    """The forecasts of all runs."""
    for leak in LEAKS:
        if half is not None and leak.half != half:
            continue
        for go in GO_VERSIONS:
            log = runs / f"{stem(leak, go)}.log.gz"
            if not log.exists():
                continue
            truth = truth_of(leak, go, runs)
            real = truth.killed_seconds or truth.live_at_limit_seconds
            assert real is not None
            trace = part_until(log, SHARE * real)
            limit = None if leak.gomemlimit_mib is None else leak.gomemlimit_mib * int(MIB)
            memory = None if leak.container_mib is None else leak.container_mib * int(MIB)
            stated = Overrides(gomemlimit_bytes=limit, go=".".join(go.split(".")[:2]))
            found = diagnosis([Subject.of(log.name, trace, stated, memory_bytes=memory)])
            forecasts = [one for cause in found.causes for one in cause.forecasts]
            yield Result(
                leak=leak,
                go=go,
                first=found.causes[0].name if found.causes else "nothing",
                forecast=forecasts[0] if forecasts else None,
                seen_seconds=float(trace.cycles.start_ns[-1]) / 1e9,
                real_seconds=real,
            )


def table(found: Sequence[Result]) -> str:
    """One row per run, and the median error and the share inside the intervals of each half."""
    lines = [
        "| half | leak | settings, container | Go | log, s | real time left, s | forecast, s | error |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        text = f"none (first finding `{one.first}`)"
        if one.forecast is not None:
            ends = one.forecast.seconds
            high = "never" if math.isinf(ends.high) else f"{ends.high:.0f}"
            text = f"{ends.value:.0f} ({ends.low:.0f} to {high}){'' if one.is_inside else ' **outside**'}"
        error = "" if one.error is None else f"{100 * one.error:+.0f} %"
        lines.append(
            f"| {one.leak.half} | `{one.leak.name}`: {one.leak.what} | {one.leak.settings_text} | {one.go} |"
            f" {one.seen_seconds:.0f} | {one.left_seconds:.0f} | {text} | {error} |"
        )
    lines += ["", "| runs | median error | inside the 90 % interval |", "|---|---|---|"]
    for half in ("design", "reported"):
        rows = [one for one in found if one.leak.half == half]
        errors = [abs(one.error) if one.error is not None else 10.0 for one in rows]
        if rows:
            inside = sum(one.is_inside for one in rows)
            lines.append(
                f"| {half} half | {100 * statistics.median(errors):.0f} % | {inside} of {len(rows)} |"
            )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.leaks.report")
    parser.add_argument("--runs", type=Path, default=RUNS)
    parser.add_argument("--half", choices=("design", "reported"))
    parser.add_argument("--page", action="store_true", help="write the table into the page")
    parser.add_argument("--check", action="store_true", help="compare the page with the table")
    options = parser.parse_args(arguments)
    text = table(list(results(unpacked(options.runs), options.half)))
    if options.page:
        write_table(PAGE, TABLE, text)
    elif options.check:
        if stated_table(PAGE, TABLE) != text:
            print(
                f"experiments.leaks.report: {PAGE.name} has another table; run with --page", file=sys.stderr
            )
            return 1
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
