"""The collector's own course: allocation up to the trigger, a pause, marking, a pause, and again."""

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from simpy import Environment, Event

from gcsim.engine.des.cpu_limiter import CpuLimiter
from gcsim.engine.des.latency import Interruptions
from gcsim.engine.des.machine import IDLE, PROGRAM, STOPPED, Machine
from gcsim.engine.des.marking import Marking
from gcsim.engine.des.memory import MemoryView
from gcsim.engine.des.mutator import Mutator, Saturated, Stream
from gcsim.engine.des.order import Order, after, now_ns
from gcsim.engine.des.parameters import RunParameters
from gcsim.engine.des.processors import Processor
from gcsim.engine.des.serving import Serving
from gcsim.goruntime.pacer_state import MarkResult, PacerState
from gcsim.goruntime.versions import GoRules
from gcsim.streams import stream
from gcsim.workload.pauses import LEVELS, Pauses
from gcsim.workload.profile import Profile
from gcsim.workload.requests import Requests
from gcsim.workload.scatter import Scatter

FORCED_GC_PERIOD_NS = 120_000_000_000  # Go 1.2+ runtime.forcegcperiod
_MIN_STEP_BYTES = 8192.0  # a collection starts at a span refill
_NEVER_NS = 1 << 62
_MIN_GRAIN_BYTES = 64.0  # a goroutine is made ready by no less
_SERVED_AT_ONCE_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """One collection as it happened; ns since the runtime's start, bytes, CPU ns."""

    number: int
    start_ns: int
    sweep_term_ns: int
    mark_ns: int
    mark_term_ns: int
    assist_ns: float
    background_ns: float
    idle_mark_ns: float
    trigger_bytes: int
    heap_start_bytes: float
    heap_end_bytes: float
    heap_marked_bytes: float
    heap_goal_bytes: int
    live_bytes: float
    limited_ns: int
    mutator_bytes: float  # allocated since the last cycle's end
    assists: int
    forced: bool = False
    periodic: bool = False

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.sweep_term_ns + self.mark_ns + self.mark_term_ns


class CycleDraws:
    """What differs from cycle to cycle, drawn from the model's distributions; one stream for each field."""

    def __init__(self, scatter: Scatter, seed: int, replica: int) -> None:
        self._quantiles = {name: np.asarray(values) for name, values in scatter.to_document().items()}
        self._streams = {name: stream(seed, f"des {name}", replica) for name in self._quantiles}

    def draw(self, name: str) -> float:
        """One value of one of Scatter's fields."""
        return float(np.interp(self._streams[name].random(), LEVELS, self._quantiles[name]))


class Collector:
    """One process: heap, pacer, limiter and the SimPy process that takes it from cycle to cycle."""

    def __init__(
        self,
        env: Environment,
        parameters: RunParameters,
        *,
        pauses: Pauses,
        profile: Profile,
        scatter: Scatter,
        rules: GoRules,
        seed: int,
        replica: int,
        on_cycle: Callable[[Cycle], None],
        requests: Requests | None = None,
    ) -> None:
        self.env = env
        self.parameters = parameters
        self.machine = Machine(parameters.gomaxprocs, heap_live_bytes=parameters.live_bytes)
        self.limiter = CpuLimiter(self.machine, parameters.gomaxprocs)
        self.epoch_ns = 0  # the profile's time 0
        self._pauses, self._profile, self._rules = pauses, profile, rules
        self._on_cycle = on_cycle
        self._pause_draws = stream(seed, "des pauses", replica)
        self._slice_draws = stream(seed, "des slices", replica)
        self._draws = CycleDraws(scatter, seed, replica)
        p = parameters
        self._heap_peak_bytes = p.live_bytes * p.mark_cpu_heap_ratio
        self._live_bytes = p.live_bytes
        self.pacer = _initial_pacer(p, rules)
        self.cycles = 0
        self.serving: Serving | None = None
        self.interruptions = Interruptions()
        if requests is not None and p.open_loop:
            self.serving = Serving(self.machine, p, requests, profile, seed=seed, replica=replica)

    def run(self) -> Generator[Event, Any, None]:
        """Cycle after cycle, for ever."""
        while True:
            before = self.machine.allocated_bytes
            forced = yield from self._allocate()
            yield from self._collect(before, periodic=forced)

    @property
    def memory(self) -> MemoryView:
        return MemoryView(parameters=self.parameters, pacer=self.pacer, heap_peak_bytes=self._heap_peak_bytes)

    def _allocate(self) -> Generator[Event, Any, bool]:
        """The program alone, until the heap reaches the trigger or two minutes are over; True: the latter."""
        machine, p = self.machine, self.parameters
        trigger = self.memory.trigger_bytes() + self._draws.draw("heap_start_slack_bytes")
        target = max(trigger, machine.heap_live_bytes + _MIN_STEP_BYTES)
        due_ns = now_ns(self.env) + FORCED_GC_PERIOD_NS if p.gc_percent >= 0 else _NEVER_NS
        slowness = self._sweeping_slowness(target - machine.heap_live_bytes)
        if self.serving is not None:
            return (yield from self._serve(self.serving, target, due_ns, slowness))
        scatter = 1.0 / max(self._draws.draw("alloc_time_factor"), 1e-3)
        while True:
            rate, arrival = self._rates(scatter)
            rate /= slowness
            wanted = target - machine.heap_live_bytes
            wait = wanted / rate
            if p.open_loop:
                wait = max(wait, (wanted - machine.backlog_bytes) / arrival)
            step = min(math.ceil(max(wait, 1.0)) if wait < _NEVER_NS else _NEVER_NS, self._profile_step_ns())
            step = min(step, due_ns - now_ns(self.env))
            yield after(self.env, step, Order.WORLD)
            self._fill(step, wanted if step >= wait else None, rate, arrival, slowness)
            if step >= wait:
                return False
            if now_ns(self.env) >= due_ns:
                return True

    def _serve(
        self, serving: Serving, target: float, due_ns: int, slowness: float
    ) -> Generator[Event, Any, bool]:
        """Requests alone, a second at a time, until the heap reaches ``target``; True: two minutes are over."""
        machine, p = self.machine, self.parameters
        while True:
            now = now_ns(self.env)
            until = min(due_ns, now + _SERVED_AT_ONCE_NS)
            wanted = target - machine.heap_live_bytes
            stop, allocated = serving.serve(now, wanted, float(until), slowness)
            yield after(self.env, max(math.ceil(stop) - now, 0), Order.WORLD)
            machine.advance(now_ns(self.env))
            machine.heap_live_bytes += allocated
            machine.allocated_bytes += allocated
            machine.mutator_ns += allocated / p.alloc_bytes_per_cpu_ns * slowness
            if allocated >= wanted - 1.0:
                return False
            if now_ns(self.env) >= due_ns:
                return True

    def _rates(self, scatter: float) -> tuple[float, float]:
        """(capacity, arrivals) in bytes per ns."""
        p = self.parameters
        factor = max(self._profile_factor() * scatter, 1e-9)
        return p.capacity_bytes_per_ns * (1.0 if p.open_loop else factor), p.arrival_bytes_per_ns * factor

    def _profile_factor(self) -> float:
        seconds = np.array([max(now_ns(self.env) - self.epoch_ns, 0) * 1e-9])
        return float(self._profile.alloc_at(seconds)[0])

    def _profile_step_ns(self) -> int:
        if self._profile.is_steady:
            return _NEVER_NS
        return max(int(self._profile.period_seconds * 1e9 / 500), 1_000_000)

    def _sweeping_slowness(self, wanted_bytes: float) -> float:
        """CPU time per byte allocated over that without sweeping, until the next cycle.

        What sweeping costs the program is spread evenly over the bytes up to the trigger, as proportional
        sweeping does (Go 1.5+ ``deductSweepCredit``).
        """
        p = self.parameters
        sweep_ns = p.sweep_cpu_ns_per_byte * self._heap_peak_bytes
        return 1.0 + sweep_ns * p.alloc_bytes_per_cpu_ns / max(wanted_bytes, 1.0)

    def _fill(
        self, elapsed: int, allocated: float | None, rate: float, arrival: float, slowness: float
    ) -> None:
        """Books a stretch of allocation without marking."""
        machine, p = self.machine, self.parameters
        if allocated is None:
            arrived = machine.backlog_bytes + arrival * elapsed
            allocated = min(rate * elapsed, arrived) if p.open_loop else rate * elapsed
        machine.advance(now_ns(self.env))
        machine.heap_live_bytes += allocated
        machine.allocated_bytes += allocated
        if p.open_loop:
            machine.backlog_bytes = max(machine.backlog_bytes + arrival * elapsed - allocated, 0.0)
        machine.mutator_ns += min(allocated / p.alloc_bytes_per_cpu_ns * slowness, elapsed * p.gomaxprocs)

    def _collect(self, allocated_before: float, *, periodic: bool) -> Generator[Event, Any, None]:
        machine, p = self.machine, self.parameters
        start_ns = now_ns(self.env)
        limited_before = self.limiter.limited_ns
        trigger = self.memory.trigger_bytes()
        heap_start = machine.heap_live_bytes
        cpu_before = (machine.assist_ns, machine.background_ns, machine.idle_mark_ns)
        sweep_term = yield from self._pause(self._pauses.draw_sweep_term, marking_begins=True)
        live = p.live_bytes * self._live_factor() * self._draws.draw("live_factor")
        live = min(live, heap_start)
        marking = self._begin_marking(start_ns, heap_start, live, periodic)
        mark_start = now_ns(self.env)
        yield from self._mark(marking)
        mark_ns = now_ns(self.env) - mark_start
        goal = self.memory.heap_goal_bytes(machine.heap_live_bytes, marking.triggered_bytes)
        mark_term = yield from self._pause(self._pauses.draw_mark_term, marking_begins=False)
        machine.arrival_rate = 0.0  # ``_allocate`` books arrivals itself
        for processor in range(math.ceil(min(p.busy_procs, p.gomaxprocs) - 1e-9)):
            machine.begin(processor, PROGRAM)
        heap_end = machine.heap_live_bytes
        assist, background, idle = (
            after - before
            for after, before in zip(
                (machine.assist_ns, machine.background_ns, machine.idle_mark_ns), cpu_before, strict=True
            )
        )
        share = (background + idle) / max(mark_ns * p.gomaxprocs, 1)
        mark_end = mark_start + mark_ns
        self.interruptions.add(start_ns, mark_start, stopped=1.0, marking=0.0)
        self.interruptions.add(mark_start, mark_end, stopped=0.0, marking=share)
        self.interruptions.add(mark_end, now_ns(self.env), stopped=1.0, marking=0.0)
        self._end_cycle(
            marking, live=live, heap_end=heap_end, assist=assist, idle=idle, mark_ns=sweep_term + mark_ns
        )
        self.cycles += 1
        self._on_cycle(
            Cycle(
                number=self.cycles,
                start_ns=start_ns,
                sweep_term_ns=sweep_term,
                mark_ns=mark_ns,
                mark_term_ns=mark_term,
                assist_ns=assist,
                background_ns=background,
                idle_mark_ns=idle,
                trigger_bytes=trigger,
                heap_start_bytes=heap_start,
                heap_end_bytes=heap_end,
                heap_marked_bytes=machine.heap_live_bytes,
                heap_goal_bytes=goal,
                live_bytes=live,
                limited_ns=self.limiter.limited_ns - limited_before,
                mutator_bytes=machine.allocated_bytes - allocated_before,
                assists=marking.assists,
                periodic=periodic,
            )
        )

    def _live_factor(self) -> float:
        seconds = np.array([max(now_ns(self.env) - self.epoch_ns, 0) * 1e-9])
        return float(self._profile.live_at(seconds)[0])

    def _pause(
        self, draw: Callable[[np.random.Generator, int], Any], *, marking_begins: bool
    ) -> Generator[Event, Any, int]:
        """Stops the world for as long as the log's pauses took; its length in ns."""
        machine = self.machine
        length = max(int(1e9 * self.parameters.pause_scale * float(draw(self._pause_draws, 1)[0])), 1)
        machine.advance(now_ns(self.env))
        for processor in range(self.parameters.gomaxprocs):
            machine.begin(processor, STOPPED)
        machine.arrival_rate = 0.0 if self.serving is not None else self._rates(1.0)[1]
        self.limiter.world_stops(now_ns(self.env), marking_begins=marking_begins)
        yield after(self.env, length, Order.WORLD)
        machine.advance(now_ns(self.env))
        self.limiter.world_starts(now_ns(self.env))
        return length

    def _begin_marking(self, start_ns: int, heap_start: float, live: float, periodic: bool) -> Marking:
        p = self.parameters
        memory = self.memory
        work_bytes = max(self._scan_work_bytes(live), 1.0)
        cpu_factor = max(self._draws.draw("mark_cpu_factor"), 1e-3)
        black_factor = self._draws.draw("allocated_black_factor")
        self.machine.arrival_rate *= black_factor
        return Marking(
            machine=self.machine,
            pacer=self.pacer,
            begin_ns=start_ns,
            triggered_bytes=int(heap_start),
            heap_goal_now=memory.heap_goal_bytes,
            scan_work_bytes=work_bytes,
            max_scan_work_bytes=int(self._scan_work_bytes(heap_start)),
            work_ns=max(self._mark_cpu_ns(live) * cpu_factor, 1.0),
            alloc_bytes_per_cpu_ns=p.mark_alloc_bytes_per_cpu_ns,
            black_factor=black_factor,
            gomaxprocs=p.gomaxprocs,
            limited=self.limiter.look,
            periodic=periodic,
        )

    def _scan_work_bytes(self, heap_bytes: float) -> float:
        return self.parameters.scannable_share * heap_bytes + self.parameters.root_bytes

    def _mark_cpu_ns(self, live: float) -> float:
        """CPU time of this cycle's marking: with the live heap, and with how far the heap is spread out."""
        p = self.parameters
        spread_out = self._heap_peak_bytes / max(live, 1.0) / p.mark_cpu_heap_ratio
        stretch: float = max(spread_out, 1e-3) ** p.mark_cpu_heap_exponent
        return p.mark_cpu_ns * live / max(p.live_bytes, 1.0) * stretch

    def _mark(self, marking: Marking) -> Generator[Event, Any, None]:
        """Every P schedules anew when the world starts, but for the one whose goroutine started the cycle."""
        p = self.parameters
        done = self.env.event()
        mutator = self._mutator(marking)
        processors = []
        for index in range(p.gomaxprocs):
            processor = Processor(index, self.env, marking, mutator, slice_ns=p.pass_interval_ns, done=done)
            left = int(self._slice_draws.random() * p.pass_interval_ns) + 1 if index == 0 else 0
            self.env.process(processor.run(slice_left_ns=left))
            processors.append(processor)
        yield done
        for processor in processors:
            processor.settle()
            self.machine.begin(processor.index, IDLE)
        self.machine.remaining_ns = 0.0

    def _mutator(self, marking: Marking) -> Mutator:
        p = self.parameters
        if self.serving is not None:
            self.serving.bundle_ns = marking.step_ns // 2
            return self.serving
        if not p.open_loop:
            return Saturated(p.goroutines, min(math.ceil(p.busy_procs - 1e-9), p.gomaxprocs))
        grain = max(marking.step_ns * p.arrival_bytes_per_ns, _MIN_GRAIN_BYTES)
        return Stream(self.machine, goroutines=p.goroutines, grain_bytes=grain)

    def _end_cycle(
        self, marking: Marking, *, live: float, heap_end: float, assist: float, idle: float, mark_ns: int
    ) -> None:
        marked = live + heap_end - marking.triggered_bytes
        self.pacer = self.pacer.end_cycle(
            MarkResult(
                heap_live_bytes=int(heap_end),
                triggered_bytes=marking.triggered_bytes,
                heap_scan_work_bytes=int(self.parameters.scannable_share * live),
                stack_scan_work_bytes=0,
                globals_scan_work_bytes=int(self.parameters.root_bytes),
                assist_time_ns=int(assist),
                idle_mark_time_ns=int(idle),
                mark_duration_ns=mark_ns,
                gomaxprocs=self.parameters.gomaxprocs,
                bytes_marked=int(marked),
            )
        )
        self._heap_peak_bytes = heap_end
        self._live_bytes = live
        self.machine.heap_live_bytes = float(int(marked))


def _initial_pacer(p: RunParameters, rules: GoRules) -> PacerState:
    """As after a cycle that ended at the live heap; roots count as globals."""
    fresh = PacerState.initial(gc_percent=p.gc_percent, memory_limit_bytes=p.memory_limit_bytes, rules=rules)
    return replace(
        fresh,
        heap_marked_bytes=int(p.live_bytes),
        last_heap_scan_bytes=int(p.scannable_share * p.live_bytes),
        globals_scan_bytes=int(p.root_bytes),
    ).commit(sweep_done=False)
