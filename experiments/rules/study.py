"""The cases of the study, and one run of a real program under a rule in a memory cgroup."""

import contextlib
import csv
import io
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gcsim
from experiments import toolchains
from experiments.capture import RunPlan
from experiments.cgroup import PeakWatch, drop_page_cache, memory_cgroup, wait_bounded
from gcsim.atomic import write_text_atomically
from gcsim.engine.plan import Plan
from gcsim.gctrace import read_gctrace
from gcsim.metrics import Estimate, cycle_metrics
from gcsim.service.model import Model
from gcsim.tuning.rules_of_thumb import Rule
from gcsim.units import MIB

HERE = Path(__file__).parent
CAPTURES, PREDICTIONS, RESULTS = HERE / "captures", HERE / "predictions.json", HERE / "results.csv"
GO = "1.27.3"
SECONDS = 6.0  # of the load of a run
_MOST_TIMES = 5.0  # a program that needs more of its time stalls


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One program with its load, and the containers that its rules run in."""

    program: str
    args: tuple[str, ...]
    memory_mib: tuple[int, ...]

    @property
    def plan(self) -> RunPlan:
        """The capture that its model comes from."""
        return RunPlan(program=self.program, go_version=GO, duration_seconds=20.0, args=self.args)

    @property
    def log(self) -> Path:
        """The log of the capture."""
        return CAPTURES / f"{self.plan.name}.log.gz"

    def model(self) -> Model:
        """The calibrated model."""
        return gcsim.calibrate(self.log, name=self.program).model

    def simulated(self) -> Plan:
        """How its rules are simulated."""
        return Plan(duration_seconds=SECONDS)

    def applies(self, _: Rule) -> bool:
        """Whether the program can run under the rule: it has the tuners of ``tuners.go``."""
        return True

    def runner(self, *, ends_only: bool) -> Callable[["Predicted"], "Observed"]:
        """The function that makes one run under a rule; builds the program."""
        binary = build(self.program)
        return lambda rule: run_rule(self, binary, rule, ends_only=ends_only)


CASES = (
    Case(program="orders", args=("-sample", "0"), memory_mib=(160, 256, 512)),
    Case(program="ptrcache", args=("-sample", "0", "-rate", "20000"), memory_mib=(224, 448)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """One rule in one container, as ``compare`` predicts it before the run."""

    program: str
    memory_mib: int
    rule: str
    environment: dict[str, str]  # GOGC, GOMEMLIMIT, and the variables of tuners.go
    fits: float
    killed: float
    gc_cpu: tuple[float, float, float]  # median, 5th and 95th percentile
    anonymous_mib: tuple[float, float, float] | None = None  # the same of its highest value, MiB
    speed: float | None = None  # work per second over that of the calibrated run
    verdict: str = ""  # of a stress: holds, breaks or spirals

    @property
    def end(self) -> str:
        """The end with a chance of more than a half: kept, killed or stalls."""
        if self.fits >= 0.5:
            return "kept"
        return "killed" if self.killed >= 1.0 - self.fits - self.killed else "stalls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One run of a program under a rule."""

    program: str
    memory_mib: int
    rule: str
    end: str  # one of kept, killed, stalls
    gc_cpu_fraction: float | None  # of a run that was kept
    requests_hz: float | None
    anonymous_mib: float
    speed: float | None = None  # work per second over that at Go's defaults outside a container
    request_p99_seconds: float | None = None


def build(program: str, *, added: Path = HERE / "tuners.go") -> Path:
    """The program with one more file: the tuners of the rules, or another."""
    return toolchains.build_with(program, GO, added)


def run_rule(
    case: Case,
    binary: Path,
    rule: Predicted,
    *,
    ends_only: bool = False,
    seconds: float = SECONDS,
    wrapper: Sequence[str] = (),
    log: Path | None = None,
) -> Observed:
    """Runs the program in a container at the setting of a rule; ``ends_only`` keeps no figures that CPU decides.

    ``wrapper`` holds words before the command. ``log`` is the file of its standard error.
    """
    knobs = {"GOMAXPROCS": "2", **rule.environment, "GODEBUG": "gctrace=1"}
    command = [*wrapper, str(binary), "-duration", f"{seconds:g}s", *case.args]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        own = stack.enter_context(memory_cgroup(rule.memory_mib * MIB))
        drop_page_cache([binary])
        log = log or folder / "run.log"
        stderr = stack.enter_context(log.open("wb"))
        process = own.start(command, env={**os.environ, **knobs}, stdout=subprocess.PIPE, stderr=stderr)
        with PeakWatch(own, process.pid) as watch:
            status = wait_bounded(process, _MOST_TIMES * seconds, own.kill)
        assert process.stdout is not None
        printed = process.stdout.read().decode()
        killed = own.oom_kills > 0
        result = json.loads(printed) if status == 0 and not ends_only else None
        gc_cpu = None if result is None else _gc_cpu(log, float(result["ready_seconds"]))
    return Observed(
        program=case.program,
        memory_mib=rule.memory_mib,
        rule=rule.rule,
        end="killed" if killed else "kept" if status == 0 else "stalls",
        gc_cpu_fraction=gc_cpu,
        requests_hz=None if result is None else float(result["rate"]),
        request_p99_seconds=None if result is None else float(result["latency_seconds"]["p99"]),
        anonymous_mib=watch.peaks.anonymous_bytes / MIB,
    )


def _gc_cpu(log: Path, ready_seconds: float) -> float | None:
    """GC CPU of the cycles after the live set was built."""
    cycles = read_gctrace(log).cycles
    served = cycles.select(cycles.start_ns >= int(ready_seconds * 1e9))
    return cycle_metrics(served)["gc_cpu_fraction"] if len(served) >= 2 else 0.0


def read_predictions(file: Path = PREDICTIONS) -> list[Predicted]:
    """The committed predictions, in the order of ``compare``; none without the file."""
    rows: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    for row in rows:
        row |= {name: tuple(one) for name, one in row.items() if isinstance(one, list)}
    return [Predicted(**row) for row in rows]


def write_rows(rows: Sequence[Predicted], file: Path) -> None:
    """Writes predictions as JSON, each with the fields that it has."""
    found = [{name: one for name, one in asdict(row).items() if one not in (None, "")} for row in rows]
    write_text_atomically(file, json.dumps(found, indent=1) + "\n")


def rounded_estimate(metric: Estimate, unit: float) -> tuple[float, float, float]:
    """Median, 5th and 95th percentile, in a unit."""
    return round(metric.value / unit, 5), round(metric.low / unit, 5), round(metric.high / unit, 5)


def read_results(file: Path = RESULTS) -> list[Observed]:
    """The committed runs; none without the file."""
    if not file.exists():
        return []
    with file.open(newline="") as opened:
        return [
            Observed(
                program=row["program"], memory_mib=int(row["memory_mib"]), rule=row["rule"], end=row["end"],
                gc_cpu_fraction=_number(row["gc_cpu_fraction"]), requests_hz=_number(row["requests_hz"]),
                anonymous_mib=float(row["anonymous_mib"]), speed=_number(row["speed"]),
                request_p99_seconds=_number(row["request_p99_seconds"]),
            )
            for row in csv.DictReader(opened)
        ]  # fmt: skip


def _number(cell: str) -> float | None:
    return float(cell) if cell else None


def file_result(one: Observed, file: Path) -> None:
    """Writes a run to the results, in place of the run of the same program, container and rule."""
    key = (one.program, one.memory_mib, one.rule)
    others = [old for old in read_results(file) if (old.program, old.memory_mib, old.rule) != key]
    write_text_atomically(file, results_text([*others, one]))


def results_text(results: Sequence[Observed]) -> str:
    """The runs as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = list(Observed.__dataclass_fields__)
    writer.writerow(names)
    for one in results:
        cells = (getattr(one, name) for name in names)
        writer.writerow(
            "" if cell is None else f"{cell:.5g}" if isinstance(cell, float) else cell for cell in cells
        )
    return out.getvalue()
