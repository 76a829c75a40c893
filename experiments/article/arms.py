"""Arms of a study, their runs on real Go, and the figures of a run that are kept."""

import json
import statistics
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from experiments.archive import unpacked
from experiments.capture import CapturedRun, RunPlan, capture_run
from experiments.priority import high_priority
from gcsim.atomic import make_folder, write_text_atomically
from gcsim.gctrace import read_gctrace
from gcsim.metrics import cycle_metrics

HERE = Path(__file__).parent
DATA = HERE / "data"
CAPTURES = DATA / "captures"
OUTSIDE = HERE / "outside.go"
GO = "1.27.3"
REPEATS = 2
LIVE = ("-live", "40MiB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One setting or change of a study: its name in tables, and its run."""

    name: str
    plan: RunPlan
    added: Path | None = None  # one more Go file of the program


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One run of an arm: figures of its load, without the time in which the live set is built."""

    arm: str
    repeat: int
    values: dict[str, float]


def orders(name: str, *args: str, gogc: int | None = 100, limit_mib: int | None = None, go: str = GO,
           seconds: float = 10.0, added: Path | None = None) -> Arm:  # fmt: skip
    """An arm of the order service with 40 MiB of orders that stay live."""
    limit = None if limit_mib is None else limit_mib << 20
    plan = RunPlan(
        program="orders",
        go_version=go,
        gogc=gogc,
        gomemlimit_bytes=limit,
        duration_seconds=seconds,
        args=(*LIVE, *args),
    )
    return Arm(name=name, plan=plan, added=added)


def run_arms(arms: Sequence[Arm], *, repeats: int = REPEATS) -> list[Observed]:
    """Runs every arm, repeats outermost, so that drift of the machine spreads."""
    found = []
    for repeat in range(1, repeats + 1):
        for arm in arms:
            with tempfile.TemporaryDirectory() as folder:
                run = _run(arm, replace(arm.plan, repeat=repeat), Path(folder))
                found.append(Observed(arm=arm.name, repeat=repeat, values=values_of(run)))
            sys.stderr.write(f"{arm.name}, run {repeat}: {_brief(found[-1].values)}\n")
    return found


def capture(study: str, arm: Arm, out: Path) -> CapturedRun:
    """Runs the arm that the study's model comes from, and keeps its files in ``out``/captures."""
    run = _run(arm, replace(arm.plan, label=study), make_folder(out / "captures"))
    sys.stderr.write(f"{study}, calibrated run: {_brief(values_of(run))}\n")
    return run


def log_of(study: str) -> Path:
    """The committed log of ``capture``."""
    (log,) = unpacked(CAPTURES).glob(f"{study}-go*.log.gz")
    return log


def _run(arm: Arm, plan: RunPlan, folder: Path) -> CapturedRun:
    with high_priority():
        return capture_run(plan, folder, attempts=1, added=arm.added)


def values_of(run: CapturedRun) -> dict[str, float]:
    """The figures of one run that are kept."""
    result, info = run.result, run.info
    cycles = read_gctrace(run.log).cycles
    served = cycles.select(cycles.start_ns >= int(float(result["ready_seconds"]) * 1e9))
    metrics = cycle_metrics(served) if len(served) >= 2 else {}
    memory = {
        "rss_peak_bytes": info.rss_peak_bytes,
        "anonymous_peak_bytes": info.anonymous_peak_bytes,
        "go_memory_peak_bytes": result["mapped_peak_bytes"] or None,
    }
    latency = result["latency_seconds"]
    found = {
        **metrics,
        "cycles": float(len(served)),
        "forced_cycles": float(result["memstats"]["NumForcedGC"]),
        **{name: float(value) for name, value in memory.items() if value is not None},
        "requests_hz": float(result["rate"]),
        "request_p50_seconds": float(latency["p50"]),
        "request_p99_seconds": float(latency["p99"]),
        "alloc_bytes_per_request": _per_request(result),
        "foreign_cpu_fraction": info.foreign_cpu_fraction or 0.0,
    }
    return {name: float(f"{value:.5g}") for name, value in found.items()}


def _per_request(result: dict[str, Any]) -> float:
    allocated = result["memstats"]["TotalAlloc"] - result["at_ready"]["total_alloc_bytes"]
    return float(allocated) / float(result["requests"])


def _brief(values: dict[str, float]) -> str:
    """A few figures for the person who watches."""
    names = ("gc_rate_hz", "gc_cpu_fraction", "rss_peak_bytes", "requests_hz", "request_p99_seconds")
    return ", ".join(
        f"{name} {values[name]:.4g}" for name in (*names, "foreign_cpu_fraction") if name in values
    )


def save(study: str, runs: Sequence[Observed], out: Path) -> None:
    """Writes the runs of a study to ``out``/STUDY.json."""
    rows = ",\n".join(json.dumps(asdict(one)) for one in runs)
    make_folder(out)
    write_text_atomically(out / f"{study}.json", f"[\n{rows}\n]\n")


def load(study: str) -> list[Observed]:
    """The committed runs of a study."""
    return [Observed(**row) for row in json.loads((DATA / f"{study}.json").read_text())]


def of_arm(runs: Iterable[Observed], arm: str, name: str) -> list[float]:
    """One figure of all runs of an arm, in order."""
    return [one.values[name] for one in runs if one.arm == arm and name in one.values]


def mean(runs: Iterable[Observed], arm: str, name: str) -> float:
    """The mean of one figure over the runs of an arm."""
    return statistics.fmean(of_arm(runs, arm, name))
