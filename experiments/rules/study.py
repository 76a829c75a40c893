"""The cases of the study, and one run of a real program under a rule in a memory cgroup."""

import contextlib
import csv
import io
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments import toolchains
from experiments.capture import RunPlan
from experiments.cgroup import PeakWatch, drop_page_cache, memory_cgroup, wait_bounded
from gcsim.gctrace import read_gctrace
from gcsim.metrics import cycle_metrics
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


def build(program: str) -> Path:
    """The program with the tuners of the rules."""
    return toolchains.build_with(program, GO, HERE / "tuners.go")


def run_rule(
    case: Case, binary: Path, rule: Predicted, *, ends_only: bool = False, seconds: float = SECONDS
) -> Observed:
    """Runs the program in a container at the setting of a rule; ``ends_only`` keeps no figures that CPU decides."""
    knobs = {**rule.environment, "GOMAXPROCS": "2", "GODEBUG": "gctrace=1"}
    command = [str(binary), "-duration", f"{seconds:g}s", *case.args]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        own = stack.enter_context(memory_cgroup(rule.memory_mib * MIB))
        drop_page_cache([binary])
        log = stack.enter_context((folder / "run.log").open("wb"))
        process = own.start(command, env={**os.environ, **knobs}, stdout=subprocess.PIPE, stderr=log)
        with PeakWatch(own, process.pid) as watch:
            status = wait_bounded(process, _MOST_TIMES * seconds, own.kill)
        assert process.stdout is not None
        printed = process.stdout.read().decode()
        killed = own.oom_kills > 0
        result = json.loads(printed) if status == 0 and not ends_only else None
        gc_cpu = None if result is None else _gc_cpu(folder / "run.log", float(result["ready_seconds"]))
    return Observed(
        program=case.program,
        memory_mib=rule.memory_mib,
        rule=rule.rule,
        end="killed" if killed else "kept" if status == 0 else "stalls",
        gc_cpu_fraction=gc_cpu,
        requests_hz=None if result is None else float(result["rate"]),
        anonymous_mib=watch.peaks.anonymous_bytes / MIB,
    )


def _gc_cpu(log: Path, ready_seconds: float) -> float | None:
    """GC CPU of the cycles after the live set was built."""
    cycles = read_gctrace(log).cycles
    served = cycles.select(cycles.start_ns >= int(ready_seconds * 1e9))
    return cycle_metrics(served)["gc_cpu_fraction"] if len(served) >= 2 else 0.0


def read_predictions() -> list[Predicted]:
    """The committed predictions, in the order of ``compare``."""
    return [
        Predicted(**{**one, "gc_cpu": tuple(one["gc_cpu"])}) for one in json.loads(PREDICTIONS.read_text())
    ]


def read_results() -> list[Observed]:
    """The committed runs."""
    if not RESULTS.exists():
        return []
    with RESULTS.open(newline="") as file:
        return [
            Observed(
                program=row["program"], memory_mib=int(row["memory_mib"]), rule=row["rule"],
                end=row["end"],
                gc_cpu_fraction=float(row["gc_cpu_fraction"]) if row["gc_cpu_fraction"] else None,
                requests_hz=float(row["requests_hz"]) if row["requests_hz"] else None,
                anonymous_mib=float(row["anonymous_mib"]),
            )
            for row in csv.DictReader(file)
        ]  # fmt: skip


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
