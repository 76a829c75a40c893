"""Services' logs: simulated side by side, printed as the runtime prints, read back; and what is true of them.

Each service has many lanes of the fast engine. Their mean tells what follows from the parameters (the heap's growth,
Ps left to the program while marking, allocation over all in a closed loop), and one of them is logged.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from experiments.recovery.services import Service
from gcsim.arrays import FloatArray
from gcsim.capture.info import CaptureInfo
from gcsim.engine.cycle_step import CycleStep
from gcsim.engine.inputs.draws import central_draws, lane_parameters
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.engine.lanes.engine import LaneEngine
from gcsim.engine.lanes.recorder import CycleRecorder
from gcsim.gctrace import Trace, read_gctrace
from gcsim.gctrace.records import PacerEnds
from gcsim.gctrace.writer import format_gctrace
from gcsim.goruntime.versions import rules_for
from gcsim.service.parameters import PARAMETER_NAMES
from gcsim.streams import stream
from gcsim.units import MIB

LANES, WARM_UP_STEPS, STEPS = 128, 24, 64  # of each service, for the means
_HELD = 0.97  # of the runway
_RUNS_APART = 0.25  # between the means of one service's runs: some have left for another steady state
_PACER_COLUMNS = (
    "heap_work_bytes", "stack_work_bytes", "globals_work_bytes", "expected_work_bytes", "triggered_bytes",
    "heap_live_bytes", "past_goal_bytes",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A service, what is true of it, and its log as calibration gets it: what printing loses is lost."""

    service: Service
    truth: dict[str, float]
    trace: Trace
    settles: bool  # every run comes to the same heap

    @property
    def held_share(self) -> float:
        """Of cycles that ended at their goal, where assists hold the program back."""
        cycles = self.trace.cycles
        runway = np.maximum(cycles.heap_goal_bytes - cycles.heap_start_bytes, MIB / 16)
        return float(((cycles.heap_end_bytes - cycles.heap_start_bytes) > _HELD * runway).mean())


def logged(services: Sequence[Service], seed: int, *, settle: bool = True) -> list[Logged]:
    """The logs of services that share loop, scatter and pauses; ``settle`` restates what marking is measured at."""
    engine = _engine(services, seed)
    _warm_up(engine, len(services), settle=settle)
    means = _means(engine, services)
    engine.keep(np.arange(engine.parameters.lanes) % LANES == 0)
    engine.restart_clock()
    traces = _traces(engine, services, seed)
    return [
        Logged(
            service=service,
            truth=_truth(service, mean),
            trace=trace,
            settles=mean["runs_apart"] < _RUNS_APART,
        )
        for service, mean, trace in zip(services, means, traces, strict=True)
    ]


def _engine(services: Sequence[Service], seed: int) -> LaneEngine:
    each = [lane_parameters(s.model, [s.settings], central_draws(s.model)) for s in services]
    columns = {
        f.name: np.repeat([getattr(one, f.name)[0] for one in each], LANES) for f in fields(LaneParameters)
    }
    lanes = LaneParameters(**columns | {"replica": np.arange(len(services) * LANES)})
    model = services[0].model
    rules = rules_for(model.settings.go)
    return LaneEngine(lanes, profile=model.profile, scatter=model.scatter, rules=rules, seed=seed)


def _warm_up(engine: LaneEngine, services: int, *, settle: bool) -> None:
    """The growth at which mark CPU is stated becomes the growth that the settings lead to.

    So mark_cpu_seconds has one meaning: what marking takes at this heap.
    """
    for _ in range(WARM_UP_STEPS):
        step = engine.step()
        if not settle:
            continue
        growth = _growth(
            _by_service(step.heap_end_bytes, services), _by_service(_live(step), services), engine
        )
        stated = engine.parameters.mark_cpu_heap_ratio
        ratio = np.sqrt(np.repeat(growth, LANES) * stated)
        engine.parameters = replace(engine.parameters, mark_cpu_heap_ratio=ratio)


def _by_service(values: FloatArray, services: int) -> FloatArray:
    return np.asarray(values.reshape(services, LANES).sum(axis=1), dtype=np.float64)


def _growth(end: FloatArray, live: FloatArray, engine: LaneEngine, steps: int = 1) -> FloatArray:
    roots = engine.parameters.root_bytes[::LANES] * LANES * steps
    return np.asarray((end + roots) / (live + roots), dtype=np.float64)


def _live(step: CycleStep) -> FloatArray:
    return step.heap_marked_bytes - (step.heap_end_bytes - step.heap_start_bytes)


def _means(engine: LaneEngine, services: Sequence[Service]) -> list[dict[str, float]]:
    """Of many cycles of many runs of each service."""
    engine.restart_clock()
    count = len(services)
    sums: dict[str, FloatArray] = {}
    ends = np.zeros(engine.parameters.lanes)
    for _ in range(STEPS):
        measured = _measured(engine)
        ends += measured["end"]
        for name, values in measured.items():
            sums[name] = sums.get(name, np.zeros(count)) + _by_service(values, count)
    found = {
        "alloc_bytes_per_second": sums["bytes"] / _by_service(engine.state.now_seconds, count),
        "mark_mutator_procs": engine.parameters.gomaxprocs[::LANES] - sums["mark_cpu_s"] / sums["mark_s"],
        "mark_idle_procs": sums["idle_s"] / sums["mark_s"],
        "mark_background_procs": sums["background_s"] / sums["mark_s"],
        "mark_cpu_heap_ratio": _growth(sums["end"], sums["live"], engine, STEPS),
        "mutator_procs": sums["cpu_s"] / sums["wait_s"],
        "runs_apart": np.ptp(ends.reshape(count, LANES), axis=1) * LANES / _by_service(ends, count),
    }
    return [{name: float(values[i]) for name, values in found.items()} for i in range(count)]


def _measured(engine: LaneEngine) -> dict[str, FloatArray]:
    before, peak = engine.state.now_seconds, engine.state.heap_end_bytes
    step = engine.step()
    phase = step.phase
    return {
        "bytes": step.mutator_bytes,
        "mark_s": phase.duration_seconds,
        "idle_s": phase.idle_cpu_seconds,
        "background_s": phase.background_cpu_seconds,
        "mark_cpu_s": phase.assist_cpu_seconds + phase.background_cpu_seconds + phase.idle_cpu_seconds,
        "end": step.heap_end_bytes,
        "live": _live(step),
        "cpu_s": _mutator_cpu_seconds(engine, step, peak),
        "wait_s": step.start_seconds - before,
    }


def _mutator_cpu_seconds(engine: LaneEngine, step: CycleStep, peak_bytes: FloatArray) -> FloatArray:
    """CPU that the program uses from one mark phase to the next: allocating, and sweeping the last peak."""
    given = engine.parameters
    allocated = step.mutator_bytes - (step.heap_end_bytes - step.heap_start_bytes)
    seconds = allocated / given.capacity_bytes_per_second + given.sweep_seconds_per_byte * peak_bytes
    return np.asarray(seconds * given.gomaxprocs, dtype=np.float64)


def _truth(service: Service, means: dict[str, float]) -> dict[str, float]:
    """What calibration should find: the parameters, and means where these follow from the others."""
    values = {name: float(getattr(service.model.parameters, name).value) for name in PARAMETER_NAMES}
    follow = {
        "mark_cpu_heap_ratio", "mark_idle_procs", "mark_background_procs", "mark_mutator_procs", "mutator_procs",
    }  # fmt: skip
    if service.model.loop == "closed":
        follow |= {"alloc_bytes_per_second"}
    return values | {name: means[name] for name in follow}


def _traces(engine: LaneEngine, services: Sequence[Service], seed: int) -> list[Trace]:
    recorders = [
        CycleRecorder(s.model, s.settings, generator=stream(seed, "recorded pauses", lane), lane=lane)
        for lane, s in enumerate(services)
    ]
    pacer: list[dict[str, FloatArray]] = []
    for number in range(max(service.cycles for service in services)):
        state = engine.state
        peak = state.heap_end_bytes
        row = {
            "expected": state.live_bytes + engine.parameters.root_bytes,
            "cons_mark": state.memory.cons_mark,
        }
        step = engine.step()
        for recorder, service in zip(recorders, services, strict=True):
            if number < service.cycles:
                recorder.add(step)
        cpu_s = _mutator_cpu_seconds(engine, step, peak)
        row |= {"start": step.heap_start_bytes, "end": step.heap_end_bytes, "goal": step.heap_goal_bytes}
        row |= {"marked": step.heap_marked_bytes, "cpu_s": cpu_s + _marking_seconds(engine, step)}
        pacer.append(row | {"now_s": engine.state.now_seconds})
    columns = {name: np.stack([row[name] for row in pacer]) for name in pacer[0]}
    return [
        _printed(
            service, recorder, {name: values[: service.cycles, lane] for name, values in columns.items()}
        )
        for lane, (service, recorder) in enumerate(zip(services, recorders, strict=True))
    ]


def _marking_seconds(engine: LaneEngine, step: CycleStep) -> FloatArray:
    return np.asarray(step.phase.duration_seconds * engine.parameters.gomaxprocs, dtype=np.float64)


def _printed(service: Service, recorder: CycleRecorder, rows: dict[str, FloatArray]) -> Trace:
    """One service's log, through the project's writer and reader."""
    cycles = recorder.table()
    none = np.zeros(len(cycles), np.bool_)
    trace = Trace(generation="1.18", cycles=cycles, periodic=none, leak_check=none)
    if service.pacer_lines:
        trace = replace(trace, pacer_ends=_pacer_ends(service, rows))
    read = read_gctrace(io.BytesIO(format_gctrace(trace).encode()))
    if not service.captured:
        return read
    info = _capture_info(service, wall_s=float(rows["now_s"][-1]), cpu_s=float(rows["cpu_s"].sum()))
    return replace(read, info=info)


def _pacer_ends(service: Service, rows: dict[str, FloatArray]) -> PacerEnds:
    count, parameters = rows["start"].size, service.model.parameters
    values: tuple[Any, ...] = (
        service.scanned_share * rows["marked"], np.full(count, parameters.stack_bytes.value),
        np.full(count, parameters.globals_bytes.value), rows["expected"], rows["start"], rows["end"],
        rows["end"].astype(np.int64) - rows["goal"].astype(np.int64),
    )  # fmt: skip
    columns = {name: column.astype(np.int64) for name, column in zip(_PACER_COLUMNS, values, strict=True)}
    return PacerEnds(
        cycle_index=np.arange(count),
        utilization_percent=np.full(count, 25),
        goal_percent=np.full(count, 25),
        cons_mark=rows["cons_mark"],
        controller_reset=np.zeros(count, np.bool_),
        **columns,
    )


def _capture_info(service: Service, *, wall_s: float, cpu_s: float) -> CaptureInfo:
    settings = service.settings
    return CaptureInfo(
        gogc=settings.gogc,
        gomemlimit_bytes=settings.gomemlimit_bytes,
        gomaxprocs=settings.gomaxprocs,
        go_version=f"go{settings.go}",
        go=settings.go,
        rss_peak_bytes=0,
        start_time="simulated",
        wall_seconds=wall_s,
        cpu_seconds=cpu_s,
        exit_status=0,
        command=["simulated"],
        foreign_cpu_fraction=0.0,
    )
