"""The program between two collections: it allocates until a cycle is due, and pays for sweeping."""

import math
from collections.abc import Generator
from typing import Any, Literal

from simpy import Event

from gcsim.engine.des.program.serving import Serving
from gcsim.engine.des.run.order import Order, after, now_ns
from gcsim.engine.des.run.process import GoProcess
from gcsim.submodels.process_memory import span_tail_recount_bytes

FORCED_GC_PERIOD_NS = 120_000_000_000  # Go 1.2+ runtime.forcegcperiod
_MIN_STEP_BYTES = 8192.0  # a collection starts at a span refill
_NEVER_NS = 1 << 62
_SERVE_STEP_NS = 100_000_000  # the host's speed is constant within a step

Reason = Literal["heap", "periodic", "explicit"]  # the trigger, two minutes, runtime.GC


class Allocation:
    """Allocation at the program's own speed (closed loop) or at the speed of arrivals (open loop)."""

    def __init__(self, process: GoProcess) -> None:
        self._process = process
        self._slack_bytes = self._least_bytes = 0.0
        self._growth = 1.0  # heapLive's growth per allocated byte; above 1 because span tails count again
        self._due_ns = _NEVER_NS
        self._explicit_ns = process.parameters.explicit_gc_period_ns or _NEVER_NS

    def run(self) -> Generator[Event, Any, Reason]:
        """Allocates until a collection is due; returns the reason."""
        process = self._process
        self._slack_bytes = process.draw("heap_start_slack_bytes")
        self._least_bytes = process.heap.heap_live_bytes + _MIN_STEP_BYTES
        self._growth = self._growth_per_byte()
        now, p = now_ns(process.env), process.parameters
        periodic_ns = now + FORCED_GC_PERIOD_NS if process.pacer.gc_percent >= 0 else _NEVER_NS
        explicit_ns = max(self._explicit_ns, now)  # a call while a cycle marks waits for its end
        self._due_ns = min(periodic_ns, explicit_ns)
        if process.serving is not None:
            timed = yield from self._serve(process.serving)
        else:
            timed = yield from self._stream(1.0 / max(process.draw("alloc_time_factor"), 1e-3))
        if not timed:
            return "heap"
        if explicit_ns > periodic_ns:
            return "periodic"
        period = p.explicit_gc_period_ns
        self._explicit_ns = (now_ns(process.env) // period + 1) * period
        return "explicit"

    def _growth_per_byte(self) -> float:
        """heapLive's growth per allocated byte: span tails that count again are spread over all allocation."""
        process = self._process
        self._growth = 1.0
        capacity, arrival = process.rates()
        grown = self._room_bytes(min(capacity, arrival) if process.parameters.open_loop else capacity)
        p = process.parameters
        recounted = span_tail_recount_bytes(
            grown, process.last_live_bytes, slot_garbage=p.slot_garbage_share, base_share=p.recount_base_share
        )
        return float(grown / (grown - recounted))

    def _wanted_bytes(self, pace_bytes_per_ns: float) -> float:
        """Bytes that the program allocates until the next cycle starts, at that rate, without those of pools."""
        room, pools = self._room_bytes(pace_bytes_per_ns), self._process.machine.pools
        return room if pools is None else pools.work_until(room)

    def _room_bytes(self, pace_bytes_per_ns: float) -> float:
        """Bytes that are allocated until the next cycle starts, at that allocation rate."""
        process = self._process
        swept = process.sweeper.swept_per_byte(pace_bytes_per_ns) / self._growth
        trigger = process.heap.next_trigger_bytes(process.pacer, swept_per_byte=swept)
        wanted = max(trigger + self._slack_bytes, self._least_bytes) - process.heap.heap_live_bytes
        return wanted / self._growth

    def _stream(self, scatter: float) -> Generator[Event, Any, bool]:
        """Allocates as a steady flow, in steps of constant rates; True if a timer and not the heap ended it."""
        process = self._process
        machine, p = process.machine, process.parameters
        while True:
            capacity, arrival = process.rates(scatter)
            pace = min(capacity, arrival) if p.open_loop and machine.backlog_bytes <= 0.0 else capacity
            wanted = self._wanted_bytes(pace)
            slowness = process.sweeper.slowness(capacity)
            rate = capacity / slowness
            wait = wanted / rate
            if p.open_loop:
                wait = max(wait, (wanted - machine.backlog_bytes) / arrival)
            step = self._step_ns(wait, min(pace, rate))
            yield after(process.env, step, Order.WORLD)
            self._record_step(step, wanted if step >= wait else None, rate, arrival, slowness)
            if step >= wait:
                return False
            if now_ns(process.env) >= self._due_ns:
                return True

    def _serve(self, serving: Serving) -> Generator[Event, Any, bool]:
        """Serves requests in steps of 0.1 s; True if a timer and not the heap ended it."""
        process = self._process
        while True:
            now = now_ns(process.env)
            capacity, pace = process.rates()
            wanted = self._wanted_bytes(pace)
            slowness = process.sweeper.slowness(capacity)
            until = min(self._due_ns, now + _SERVE_STEP_NS)
            host = serving.host.request_slowness(now)
            if process.heap.unswept_bytes > 0.0 or process.observer is not None:
                until = min(until, now + process.sweeper.until_done_ns(min(pace, capacity / slowness)))
            stop, allocated = serving.serve(now, wanted, float(until), slowness * host)
            elapsed = max(math.ceil(stop) - now, 0)
            yield after(process.env, elapsed, Order.WORLD)
            cpu_ns = allocated / process.parameters.alloc_bytes_per_cpu_ns * slowness * host
            self._settle(elapsed, allocated, cpu_ns)
            if allocated >= wanted - 1.0:
                return False
            if now_ns(process.env) >= self._due_ns:
                return True

    def _step_ns(self, wait_ns: float, pace_bytes_per_ns: float) -> int:
        """The next step's length, ns: to the trigger or to an earlier change of a rate."""
        process = self._process
        step = math.ceil(max(wait_ns, 1.0)) if wait_ns < _NEVER_NS else _NEVER_NS
        if not process.profile.is_steady:
            step = min(step, max(int(process.profile.period_seconds * 1e9 / 500), 1_000_000))
        step = min(step, process.sweeper.until_done_ns(pace_bytes_per_ns))
        return min(step, self._due_ns - now_ns(process.env))

    def _record_step(
        self, elapsed: int, allocated: float | None, rate: float, arrival: float, slowness: float
    ) -> None:
        """Records a step of the flow; ``allocated`` is given if the step ended at the trigger."""
        machine, p = self._process.machine, self._process.parameters
        if allocated is None:
            arrived = machine.backlog_bytes + arrival * elapsed
            allocated = max(min(rate * elapsed, arrived), 0.0) if p.open_loop else rate * elapsed
        program_ns = min(allocated / p.alloc_bytes_per_cpu_ns * slowness, elapsed * p.gomaxprocs)
        self._settle(elapsed, allocated, program_ns)
        if p.open_loop:
            machine.backlog_bytes += arrival * elapsed - allocated

    def _settle(self, elapsed: int, allocated: float, program_ns: float) -> None:
        """Adds the step's allocation, CPU time and sweeping to the process."""
        process = self._process
        machine = process.machine
        machine.advance(now_ns(process.env))
        machine.allocated_bytes += allocated
        machine.mutator_ns += program_ns
        grown = allocated + machine.missed_bytes(allocated)
        process.sweeper.record_allocation(grown, elapsed, program_ns)
        process.heap.allocate(grown)
        process.heap.recount(grown * (self._growth - 1.0))
        process.notice()
