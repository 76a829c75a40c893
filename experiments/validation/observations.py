"""What a captured run shows: its metrics over the working window, and what the baselines need."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.capture import MAX_FOREIGN_CPU, CapturedRun, RunPlan, is_captured, load_run
from gcsim.arrays import FloatArray, Int64Array
from gcsim.calibration.evidence import evidence_from
from gcsim.calibration.validation import observed_metrics
from gcsim.calibration.window import cycles_since_start, job_window, working_window
from gcsim.capture.info import CaptureInfo
from gcsim.cycles import NOT_LOGGED, CycleTable
from gcsim.engine.plan import WARM_UP_CYCLES
from gcsim.gctrace import Trace, read_gctrace
from gcsim.settings import Settings
from gcsim.units import MIB

MIN_CYCLES = 5  # in the working window: fewer make no rate
SMALL_BYTES = 8 * MIB  # live heap and roots
SETTLED_SECONDS = 30.0  # what is left out of a long run
TRIGGER_FLOOR = 0.7  # of the way from marked to goal (``minTriggerRatioDistance``, Go 1.19+)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One real run. Sizes and rates are over the working window, the resident peak over the whole run."""

    plan: RunPlan
    trace: Trace
    settings: Settings
    closed_loop: bool
    requests_per_second: float
    busy_share: float  # CPU time of the process over GOMAXPROCS x wall time
    cpu_speed: (
        float  # of the machine during the run (``experiments.cpu_speed``); NaN where it was not recorded
    )
    cycles: int
    start_seconds: float  # of the window's first cycle, since the start of the process
    cycles_since_start: int  # from when the live heap was there to the window
    window_seconds: float
    loaded_seconds: (
        float  # from the end of warm-up: what the resident peak is of; of a job, more than its length
    )
    is_job: bool
    metrics: dict[str, float]
    alloc_bytes_per_cycle: float
    root_bytes: float
    trigger_share: float  # of the way from marked to goal where marking began
    end_share: float  # heap at the end of marking over goal


def captured_plans(plans: Iterable[RunPlan], folder: Path) -> list[RunPlan]:
    """Those whose files are there."""
    return [plan for plan in plans if is_captured(plan, folder)]


def capture_day(plan: RunPlan, folder: Path) -> str:
    """When a captured run was made, ISO date."""
    return (load_run(folder / f"{plan.name}.result.json").info.start_time or "")[:10]


def observe(
    plan: RunPlan,
    folder: Path,
    *,
    settle_seconds: float = 0.0,
    max_foreign_cpu: float = MAX_FOREIGN_CPU,
    min_cycles: int = MIN_CYCLES,
    is_job: bool = False,
    from_seconds: float | None = None,
) -> Observation | str:
    """A run's observation, or why it is left out; of what follows warm-up and ``settle_seconds``.

    The window is that of a job if ``is_job``. It begins at ``from_seconds`` after the start of the process if that
    is given: the load of another run, if it moves, moves from the start of the process. A run with fewer than
    ``min_cycles`` in the window is left out.
    """
    run = load_run(folder / f"{plan.name}.result.json")
    foreign = run.info.foreign_cpu_fraction or 0.0
    if foreign > max_foreign_cpu:
        return f"other processes took {foreign:.0%} of the CPUs"
    trace = read_gctrace(run.log)
    evidence = evidence_from(trace)
    working = job_window(evidence) if is_job else working_window(evidence)
    if from_seconds is not None:
        working = slice(int(np.searchsorted(trace.cycles.start_ns, from_seconds * 1e9)), working.stop)
    settled = int(np.searchsorted(trace.cycles.start_ns, settle_seconds * 1e9))
    first = max(working.start, settled)
    window = trace.cycles.select(slice(first, working.stop))
    if len(window) < min_cycles:
        return f"{len(window)} cycles in the working window"
    loaded = _seconds(trace.cycles.select(working))
    if is_job and run.info.wall_seconds is not None:
        loaded = run.info.wall_seconds
    since_start = (
        WARM_UP_CYCLES
        if is_job or from_seconds is not None
        else cycles_since_start(evidence) + first - working.start
    )
    return _observation(plan, run, trace, window, loaded, since_start, is_job=is_job)


def observe_group(
    plans: Sequence[RunPlan], folder: Path, long_folder: Path
) -> tuple[dict[str, Observation], dict[str, Observation], dict[str, str]]:
    """What stands for each setting, by the run's name; what short runs showed where long ones do; what is left out.

    A run of a minute is looked at after its first seconds (``SETTLED_SECONDS``), when start-up's scatter is gone, and
    stands for its setting in place of every short one.
    """
    left_out: dict[str, str] = {}

    def usable(chosen: Iterable[RunPlan], where: Path, settle_seconds: float = 0.0) -> dict[str, Observation]:
        found = {plan.name: observe(plan, where, settle_seconds=settle_seconds) for plan in chosen}
        left_out.update((name, one) for name, one in found.items() if isinstance(one, str))
        return {name: one for name, one in found.items() if isinstance(one, Observation)}

    short = usable(captured_plans(plans, folder), folder)
    long = usable(captured_plans(plans, long_folder), long_folder, SETTLED_SECONDS)
    settled = {one.settings for one in long.values()}
    stands = {name: one for name, one in short.items() if one.settings not in settled}
    early = {name: one for name, one in short.items() if one.settings in settled}
    return stands | long, early, left_out


def _busy_share(info: CaptureInfo) -> float:
    """Of all Ps. Every captured run states what it takes."""
    assert info.cpu_seconds is not None
    assert info.wall_seconds is not None
    assert info.gomaxprocs is not None
    return info.cpu_seconds / info.wall_seconds / info.gomaxprocs


def _observation(
    plan: RunPlan,
    run: CapturedRun,
    trace: Trace,
    window: CycleTable,
    loaded_seconds: float,
    since_start: int,
    *,
    is_job: bool,
) -> Observation:
    """The observation of a window; the rates and shares of a job are over its whole run."""
    job_seconds = run.info.wall_seconds if is_job else None
    marked, goal = window.heap_marked_bytes[:-1].astype(float), window.heap_goal_bytes[1:].astype(float)
    start = window.heap_start_bytes[1:].astype(float)
    room = np.maximum(goal - marked, 1.0)
    return Observation(
        plan=plan,
        trace=trace,
        settings=run.info.settings,
        closed_loop=run.result["loop"] == "closed",
        requests_per_second=float(run.result["rate"]),
        busy_share=_busy_share(run.info),
        cpu_speed=float(run.result.get("cpu_speed", {}).get("mean", math.nan)),
        cycles=len(window),
        start_seconds=float(window.start_ns[0]) / 1e9,
        cycles_since_start=since_start,
        window_seconds=_seconds(window),
        loaded_seconds=loaded_seconds,
        is_job=is_job,
        metrics=observed_metrics(trace, window, job_seconds=job_seconds),
        alloc_bytes_per_cycle=_mean(window.heap_end_bytes[1:] - marked),
        root_bytes=_mean_logged(window.stack_bytes) + _mean_logged(window.globals_bytes),
        trigger_share=float(np.median((start - marked) / room)) if room.size else math.nan,
        end_share=float(np.mean(window.heap_end_bytes / np.maximum(window.heap_goal_bytes, 1))),
    )


def _seconds(cycles: CycleTable) -> float:
    return max(float(cycles.start_ns[-1] - cycles.start_ns[0]) / 1e9, 1e-3)


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else math.nan


def _mean_logged(column: Int64Array) -> float:
    logged = column[column != NOT_LOGGED]
    return float(logged.mean()) if logged.size else 0.0


def regime(seen: Observation, calibrated: Observation) -> str:
    """Which of the runtime's mechanisms set the run's heap and cost; the first that holds.

    Told from the real run, never from a prediction: a limit binds where the goal is 3 % or more below what
    GOGC alone would set; assists carry the end of marking where the trigger sits at its floor and the heap
    still reaches its goal.
    """
    metrics, settings = seen.metrics, seen.settings
    live = metrics["heap_marked_mean_bytes"]
    if settings.gomemlimit_bytes is not None:
        ratio = float("inf") if settings.gogc is None else settings.gogc / 100.0
        if metrics["heap_goal_mean_bytes"] < 0.97 * (live + (live + seen.root_bytes) * ratio):
            return "limit-bound"
    if calibrated.metrics["heap_live_mean_bytes"] + calibrated.root_bytes < SMALL_BYTES:
        return "small heap"
    if seen.busy_share < 0.25:
        return "idle"
    if seen.trigger_share < TRIGGER_FLOOR + 0.03 and seen.end_share > 0.98:
        return "assist-bound"
    return "other"
