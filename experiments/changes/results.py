"""The measured figures of the runs, kept in one file, and the captures of the unchanged programs."""

import gzip
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from experiments.capture import CapturedRun, RunPlan, is_captured, load_run
from experiments.changes.matrix import CAPTURES, RESULTS, Program, home_plan, plans
from gcsim.atomic import make_folder, write_text_atomically
from gcsim.capture.info import CaptureInfo, side_file
from gcsim.gctrace import read_gctrace
from gcsim.metrics import cycle_metrics
from gcsim.service.objects.sites import Sites

_SETTLE_SECONDS = 1.0  # after the live set is built
_METRICS = (
    "gc_rate_hz",
    "heap_peak_bytes",
    "heap_peak_mean_bytes",
    "heap_live_mean_bytes",
    "gc_cpu_fraction",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One run: figures of its load."""

    program: str
    change: str
    go: str
    gogc: int
    repeat: int
    load_seconds: float
    foreign_cpu_fraction: float
    allocation: float  # bytes per second
    gc_rate_hz: float
    heap_peak_bytes: float
    heap_peak_mean_bytes: float
    heap_live_mean_bytes: float
    gc_cpu_fraction: float


def collect(runs: Path) -> list[Observed]:
    """Keeps the figures of all runs in a folder, and the captures of the unchanged programs.

    The kept runs of other programs stay.
    """
    found: list[Observed] = []
    for program, plan, change in plans():
        if not is_captured(plan, runs):
            continue
        run = load_run(runs / f"{plan.name}.result.json")
        found.append(_observed(program, change, plan, run))
        if change == "base":
            _keep_capture(run, runs, plan)
    new = {one.program for one in found}
    found = [*(one for one in load() if one.program not in new), *found]
    rows = ",\n".join(json.dumps(_rounded(one)) for one in found)
    write_text_atomically(RESULTS, f"[\n{rows}\n]\n")
    return found


def load() -> list[Observed]:
    """The kept figures."""
    return [Observed(**row) for row in json.loads(RESULTS.read_text(encoding="utf-8"))]


def means(runs: Sequence[Observed]) -> list[Observed]:
    """The mean of the repeats of each run."""
    groups: dict[tuple[str, str, str, int], list[Observed]] = {}
    for one in runs:
        groups.setdefault((one.program, one.change, one.go, one.gogc), []).append(one)
    return [_mean(group) for group in groups.values()]


def _mean(group: Sequence[Observed]) -> Observed:
    measured = {
        name: statistics.fmean(getattr(one, name) for one in group)
        for name, value in asdict(group[0]).items()
        if isinstance(value, float)
    }
    return Observed(**(asdict(group[0]) | measured))


def captures_of(program: Program, go: str) -> list[Path]:
    """The logs of the unchanged program."""
    plans = [home_plan(program, go, repeat) for repeat in range(1, program.homes + 1)]
    return [CAPTURES / f"{plan.name}.log.gz" for plan in plans]


def sites_of(program: Program, go: str) -> Sites:
    """The allocation sites of the unchanged program under load."""
    from gcsim.diagnosis.profiles.alloc_sites import read_sites

    name = home_plan(program, go).name
    return read_sites(CAPTURES / f"{name}-after.pb.gz", CAPTURES / f"{name}-before.pb.gz")


def _observed(program: Program, change: str, plan: RunPlan, run: CapturedRun) -> Observed:
    result = run.result
    begin = (float(result["ready_seconds"]) + _SETTLE_SECONDS) * 1e9
    cycles = read_gctrace(run.log).cycles
    metrics = cycle_metrics(cycles.select(cycles.start_ns >= int(begin)))
    allocated = result["memstats"]["TotalAlloc"] - result["at_ready"]["total_alloc_bytes"]
    return Observed(
        program=program.name,
        change=change,
        go=plan.go_version,
        gogc=plan.gogc or 0,
        repeat=plan.repeat,
        load_seconds=float(result["load_seconds"]),
        foreign_cpu_fraction=run.info.foreign_cpu_fraction or 0.0,
        allocation=allocated / float(result["load_seconds"]),
        **{name: metrics[name] for name in _METRICS},
    )


def _rounded(one: Observed) -> dict[str, object]:
    return {
        name: float(f"{value:.5g}") if isinstance(value, float) else value
        for name, value in asdict(one).items()
    }


def _keep_capture(run: CapturedRun, runs: Path, plan: RunPlan) -> None:
    """Copies the log, the side file and the profiles of the first run; the command without paths of the machine."""
    make_folder(CAPTURES)
    log = CAPTURES / run.log.name
    log.write_bytes(gzip.compress(gzip.decompress(run.log.read_bytes()), mtime=0))
    document = json.loads(side_file(run.log).read_text(encoding="utf-8"))
    document["command"] = [word for word in document["command"] if "/" not in word and word != "-profiles"]
    write_text_atomically(side_file(log), json.dumps(document) + "\n")
    CaptureInfo.load(side_file(log))
    for when in ("before", "after") if plan.repeat == 1 else ():
        profile = f"{plan.name}-{when}.pb.gz"
        (CAPTURES / profile).write_bytes((runs / profile).read_bytes())
