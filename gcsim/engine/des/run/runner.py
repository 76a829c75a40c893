"""One run of the event engine, from its warm-up to its end."""

import math
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, Unpack

import numpy as np
from simpy import Event

from gcsim.engine.des.gc.collector import Collector
from gcsim.engine.des.heap.objects import ObjectFollower
from gcsim.engine.des.program.latency import LatencySums
from gcsim.engine.des.program.waits import Waits
from gcsim.engine.des.run.bounded import BoundedEnvironment
from gcsim.engine.des.run.cycle import Cycle
from gcsim.engine.des.run.length import RunLength
from gcsim.engine.des.run.order import Order, after, now_ns
from gcsim.engine.des.run.parameters import RunParameters, SchedulerParameters, central_parameters
from gcsim.engine.des.run.process import GoProcess
from gcsim.engine.des.run.recorder import Recorder, Recording, cycle_table
from gcsim.engine.inputs.bounds import MAX_RECORDED_CYCLES, check_pace
from gcsim.engine.inputs.draws import central_growth
from gcsim.engine.plan import USUAL_PLAN, Plan, PlanFields
from gcsim.errors import InputError
from gcsim.goruntime.versions import rules_for
from gcsim.service.model import Model
from gcsim.service.objects.kinds_file import Objects
from gcsim.settings import Settings
from gcsim.submodels.live_growth import GrowthCourses

_FIRST = np.zeros(1, dtype=np.int64)  # the place of a run's growth among one course


class RunEnd(NamedTuple):
    """The end of a run: heap, and time of a job's end. 0 after a number of cycles, and for a service without one."""

    heap_bytes: float = 0.0
    seconds: float = 0.0


def run_cycles(
    model: Model,
    settings: Settings,
    parameters: RunParameters,
    on_cycle: Callable[[Cycle, float], None],
    plan: Plan = USUAL_PLAN,
    *,
    replica: int,
    most_cycles: int | None,
    growth: GrowthCourses | None = None,
    until: RunLength | None = None,
    **changes: Unpack[PlanFields],
) -> tuple[LatencySums | None, RunEnd]:
    """Simulates one run; returns the latencies of its requests and its end. Without requests the latencies are None.

    ``on_cycle`` receives each cycle after the warm-up and its start in seconds since the end of the warm-up. With
    ``until`` the run ends as soon as it has enough cycles.
    """
    plan = plan.changed(**changes)
    run = _Run(model, settings, parameters, on_cycle, plan, replica=replica, growth=growth, length=until)
    run.play(most_cycles=most_cycles)
    return run.latencies, run.end


def record_run(
    model: Model,
    settings: Settings,
    plan: Plan = USUAL_PLAN,
    *,
    knobs: SchedulerParameters,
    objects: Objects | None = None,
    **changes: Unpack[PlanFields],
) -> Recording:
    """The rows of one run at the model's central values; memory grows with the simulated time.

    With ``objects`` the run follows its allocation object by object. Raises InputError if the run has too few or too
    many cycles to record.
    """
    plan = plan.changed(**changes)
    kept: list[Cycle] = []

    def keep(cycle: Cycle, start_s: float) -> None:
        kept.append(cycle)
        check_pace(len(kept), start_s, plan.duration_seconds, most_cycles=MAX_RECORDED_CYCLES)

    run = _Run(
        model,
        settings,
        central_parameters(model, settings, knobs, explicit_gc_seconds=plan.explicit_gc_seconds),
        keep,
        plan,
        replica=0,
        record=True,
        objects=objects,
        growth=central_growth(model),
    )
    run.play(most_cycles=None)
    if run.recorder is None:
        raise InputError(
            f"no run to record: fewer than {plan.warm_up} at {settings}"
            f" in {plan.duration_seconds:g} s; choose a longer --duration or a lower GOGC"
        )
    table = cycle_table(
        kept,
        epoch_ns=run.process.epoch_ns,
        gomaxprocs=settings.gomaxprocs,
        stack_bytes=int(model.parameters.stack_bytes.value),
        globals_bytes=int(model.parameters.globals_bytes.value),
    )
    followed = run.process.objects
    return run.recorder.recording(table, None if followed is None else followed.view())


class _Run:
    """A process in its SimPy environment, with its recorder and its latency sums."""

    def __init__(
        self,
        model: Model,
        settings: Settings,
        parameters: RunParameters,
        on_cycle: Callable[[Cycle, float], None],
        plan: Plan,
        *,
        replica: int,
        record: bool = False,
        objects: Objects | None = None,
        growth: GrowthCourses | None = None,
        length: RunLength | None = None,
    ) -> None:
        self.env = BoundedEnvironment()
        self._stop = self.env.event()
        self._on_cycle = on_cycle
        self._plan = plan
        self._most_cycles: int | None = None
        self._length = length
        self._last_cycle: Cycle | None = None
        self._worked_bytes = 0.0  # by the end of the last cycle
        self.end = RunEnd()
        self._warm_up_cycles = 0  # cycles of the warm-up, once it is over
        self._record, self._objects = record, objects
        self.recorder: Recorder | None = None
        self.process = GoProcess(
            self.env,
            parameters,
            profile=model.profile,
            scatter=model.scatter,
            rules=rules_for(settings.go),
            seed=plan.seed,
            replica=replica,
            requests=model.requests,
            controller=plan.controller,
            growth=growth,
        )
        self._collector = Collector(
            self.process, pauses=model.pauses, seed=plan.seed, replica=replica, on_cycle=self._cycle_ended
        )
        self.latencies: LatencySums | None = None
        if self.process.serving is not None and model.requests is not None:
            self.latencies = LatencySums(Waits.of(model.requests))

    def play(self, *, most_cycles: int | None) -> None:
        """Runs until a cycle starts after the plan's duration, or for ``most_cycles`` cycles after the warm-up.

        Without cycles (GOGC=off and no limit) the run ends at its second check: see ``_stop_without_cycles``.
        """
        self._most_cycles = most_cycles
        self.process.start()
        if self.process.job is not None or self._plan.warm_up_over(0, 0.0):
            self._start_recording()
        self.env.process(self._collector.run())
        if math.isfinite(self._plan.duration_seconds):
            self.env.process(self._stop_without_cycles(self._plan.duration_seconds))
        self.env.run(until=self._stop)

    def _start_recording(self) -> None:
        """Ends the warm-up; starts the recorder if the run has one, and its object-level view."""
        self.process.warming_up = False
        if self._record:
            self.recorder = Recorder(self.process)
            self._follow_objects()

    def _follow_objects(self) -> None:
        """Starts the object-level view if the run has one."""
        process, p = self.process, self.process.parameters
        if self._objects is None:
            return
        process.objects = ObjectFollower(
            process.machine,
            self._objects,
            rules=process.rules,
            gomaxprocs=p.gomaxprocs,
            seed=self._plan.seed,
        )
        pace = p.arrival_bytes_per_ns if p.open_loop else p.capacity_bytes_per_ns
        process.objects.build(p.live_bytes, pace * 1e9)
        process.objects.follow_from(now_ns(self.env))

    def _stop_without_cycles(self, duration_s: float) -> Generator[Event, Any, None]:
        """Ends the run if no cycle ends between two checks, at intervals of twice the duration (at least 2 s)."""
        waited, cycles = 0, -1
        while not self._stop.triggered:
            yield after(self.env, int(max(duration_s, 1.0) * 2e9), Order.OBSERVER)
            waited = waited + 1 if self.process.cycles == cycles else 0
            cycles = self.process.cycles
            if waited and not self._stop.triggered:
                if self.process.job is not None:
                    self._end_without_cycle(self.process.job)
                self._stop.succeed()

    def _end_without_cycle(self, growth: GrowthCourses) -> None:
        """Sets the end of a job that allocates the rest of its bytes without a collection."""
        (marked, since_ns), rates = self._last_end, self.process.rates()
        left = float(growth.job_bytes[0]) - self._worked_bytes
        pace = min(rates) if self.process.parameters.open_loop else rates[0]
        self.end = self._end_at(marked + left, since_ns + left / pace)

    @property
    def _last_end(self) -> tuple[float, int]:
        """(heap marked, time) at the end of the last cycle, or at the start of a job."""
        last = self._last_cycle
        return (0.0, 0) if last is None else (last.heap_marked_bytes, last.end_ns)

    def _cycle_ended(self, cycle: Cycle) -> None:
        """Reports a cycle and its requests, and ends the run after the last cycle."""
        process = self.process
        finished = None if process.serving is None else process.serving.finished()
        duration_s = self._plan.duration_seconds
        if process.warming_up:
            process.epoch_ns = cycle.end_ns
            process.epoch_allocated_bytes = process.machine.allocated_bytes
            self._keep(cycle)
            if self._plan.warm_up_over(cycle.number, cycle.end_ns * 1e-9):
                self._warm_up_cycles = cycle.number
                self._start_recording()
            return
        if finished is not None:
            assert self.latencies is not None  # there are requests
            self.latencies.add(finished)
            if self.recorder is not None:
                self.recorder.add_requests(finished, process.interruptions.split(finished))
        start_s = (cycle.start_ns - process.epoch_ns) * 1e-9
        over = self._is_over(cycle, start_s > duration_s)
        enough = False
        if not over:
            self._on_cycle(cycle, start_s)
            if self.recorder is not None:
                self.recorder.add_pools()
            enough = self._length is not None and self._length.add(cycle, start_s, self.latencies)
        self._keep(cycle)
        counted = cycle.number - self._warm_up_cycles
        done = over or enough or counted == self._most_cycles
        if done and not self._stop.triggered:
            self._stop.succeed()

    def _keep(self, cycle: Cycle) -> None:
        """Keeps the cycle that has just ended, and the work done by then."""
        self._last_cycle = cycle
        self._worked_bytes = self.process.machine.allocated_bytes - self.process.epoch_allocated_bytes

    def _is_over(self, following: Cycle, run_has_ended: bool) -> bool:
        """Whether the run or its job ended between the last cycle's end and this one's; sets the end.

        A log does not show a cycle that the end of its job cuts.
        """
        growth, process = self.process.growth, self.process
        if growth is None or (self._last_cycle is None and self.process.job is None):
            return run_has_ended
        marked, since_ns = self._last_end
        worked = process.machine.allocated_bytes - process.epoch_allocated_bytes
        black = following.heap_end_bytes - following.heap_start_bytes
        at_start = worked - black
        before, part = _job_end(growth, self._worked_bytes, at_start - self._worked_bytes)
        marking, mark_part = _job_end(growth, at_start, black)
        grown, between = following.heap_start_bytes - marked, following.start_ns - since_ns
        if before:
            self.end = self._end_at(marked + part * grown, since_ns + part * between)
        elif marking:
            marked_ns = following.end_ns - following.start_ns
            self.end = self._end_at(
                following.heap_start_bytes + mark_part * black, following.start_ns + mark_part * marked_ns
            )
        elif run_has_ended:
            at_ns = process.epoch_ns + self._plan.duration_seconds * 1e9
            part = min(max((at_ns - since_ns) / max(between, 1), 0.0), 1.0)
            self.end = self._end_at(marked + part * grown, at_ns)
        return before or marking or run_has_ended

    def _end_at(self, heap_bytes: float, at_ns: float) -> RunEnd:
        return RunEnd(heap_bytes, (at_ns - self.process.epoch_ns) * 1e-9)


def _job_end(growth: GrowthCourses, worked_bytes: float, to_allocate_bytes: float) -> tuple[bool, float]:
    """``GrowthCourses.job_end`` of one run."""
    ends, part = growth.job_end(
        _FIRST, worked_bytes=np.array([worked_bytes]), to_allocate_bytes=np.array([float(to_allocate_bytes)])
    )
    return bool(ends[0]), float(part[0])
