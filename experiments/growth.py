"""Predict programs that grow: calibrate on the first third of a run at GOGC=100, and predict whole runs.

    python -m experiments.growth --out DIR [--captured]

Runs ``growing`` (experiments/programs) in its three forms at GOGC 100, 50 and 200, 66 s each, and prints the table of
docs/explanation/growing-data.md. With ``--captured`` the runs in DIR are used.
"""

import argparse
import gzip
import io
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.capture import RunPlan, capture_run, is_captured
from gcsim.calibration.calibrate import calibrate
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.engine.simulate import simulate
from gcsim.errors import InputError
from gcsim.gctrace import read_gctrace
from gcsim.gctrace.trace import Trace
from gcsim.metrics import Estimate
from gcsim.service.model import Loop
from gcsim.units import MIB

GO = "1.27.3"
GOGC = (100, 50, 200)
DURATION_SECONDS = 66.0
SHARE = 1.0 / 3.0  # of the run that is calibrated on
REPLICAS = 32
FORMS: dict[str, tuple[Loop, tuple[str, ...]]] = {
    "cache": ("open", ("-form", "cache", "-rate", "8000", "-ceiling", "150MiB")),
    "store": ("closed", ("-form", "store", "-share", "0.004")),
    "sets": ("open", ("-form", "sets", "-rate", "8000", "-set", "8MiB", "-every", "5s")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One predicted run."""

    form: str
    gogc: int
    found: str  # the form that calibration chose
    peak: Estimate
    highest_bytes: float

    @property
    def line(self) -> str:
        """The row of the table."""
        peak, real = self.peak, self.highest_bytes
        return (
            f"| `{self.form}` | {self.gogc} | {self.found} | {real / MIB:.0f} | {peak.value / MIB:.0f}"
            f" ({peak.low / MIB:.0f} to {peak.high / MIB:.0f}) | {100 * (peak.value / real - 1):+.0f} % |"
        )


def plan(form: str, gogc: int) -> RunPlan:
    """The run of one form at one GOGC."""
    return RunPlan(
        program="growing",
        go_version=GO,
        gogc=gogc,
        duration_seconds=DURATION_SECONDS,
        args=FORMS[form][1],
        label=form,
    )


def first_part(log: Path) -> Trace:
    """The lines of a log up to its first third of time, as a log that was read then."""
    whole = read_gctrace(log)
    end_s = SHARE * float(whole.cycles.start_ns[-1]) / 1e9
    text = gzip.decompress(log.read_bytes()).decode(errors="replace")
    kept = []
    for line in text.splitlines(keepends=True):
        started = re.match(r"gc \d+ @([\d.]+)s", line)
        if started and float(started[1]) > end_s:
            break
        kept.append(line)
    return read_gctrace(io.BytesIO("".join(kept).encode()))


def results(form: str, folder: Path) -> Iterator[Result]:
    """The predictions of one form's runs from the first third of the one at GOGC=100."""
    logs = {gogc: folder / f"{plan(form, gogc).name}.log.gz" for gogc in GOGC}
    stated = Overrides(loop=FORMS[form][0], go="1.27", gomaxprocs=2)
    found = calibrate(first_part(logs[100]), name=form, overrides=stated)
    start_s = float(found.evidence.start_seconds[0])
    for gogc, log in logs.items():
        cycles = read_gctrace(log).cycles
        run = simulate(
            found.model,
            [plan(form, gogc).settings],
            duration_seconds=float(cycles.start_ns[-1]) / 1e9 - start_s,
            replicas=REPLICAS,
        )[0]
        yield Result(
            form=form,
            gogc=gogc,
            found=found.model.growth.form,
            peak=run.metrics["heap_peak_bytes"],
            highest_bytes=float(cycles.heap_end_bytes.max()),
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.growth", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--captured", action="store_true", help="make no runs; use those in the folder")
    parser.add_argument("--lock", type=Path, default=None, help="hold this file's lock while a program runs")
    options = parser.parse_args(arguments)
    try:
        for gogc in GOGC:
            for form in FORMS:
                if not options.captured and not is_captured(plan(form, gogc), options.out):
                    capture_run(plan(form, gogc), options.out, lock=options.lock, attempts=1)
        found = [one for form in FORMS for one in results(form, options.out)]
    except InputError as error:
        print(f"experiments.growth: {error}", file=sys.stderr)
        return 2
    print(
        "| form | GOGC | fitted as | highest heap, MiB | predicted, MiB | error |\n|---|---|---|---|---|---|"
    )
    print("\n".join(one.line for one in found))
    inside = sum(one.peak.contains(one.highest_bytes) for one in found)
    print(f"\n{inside} of {len(found)} runs lie inside their 90 % intervals.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
