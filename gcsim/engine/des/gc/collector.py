"""The collector's cycle: allocation up to the trigger, a pause, marking, a pause, and again."""

import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
from simpy import Event

from gcsim.engine.des.gc.commit import ask_controller, setting_of
from gcsim.engine.des.gc.mark_progress import MarkedHeap
from gcsim.engine.des.gc.marking import Marking
from gcsim.engine.des.gc.processors import Processor
from gcsim.engine.des.heap.machine import IDLE, STOPPED
from gcsim.engine.des.program.allocation import Allocation, Reason
from gcsim.engine.des.program.mutator import Mutator, Saturated, Stream
from gcsim.engine.des.run.cycle import Cycle, MarkFactors
from gcsim.engine.des.run.order import Order, after, now_ns
from gcsim.engine.des.run.process import GoProcess
from gcsim.goruntime.pacer_state import MarkResult
from gcsim.service.pauses import Pauses
from gcsim.streams import stream
from gcsim.submodels.heap_growth import heap_growth
from gcsim.submodels.live_heap import live_heap_scale
from gcsim.submodels.mark_cost import mark_cpu_factor, program_slowness

# A goroutine becomes ready for each quarter of a marking step's arrivals, and for at least 64 B
_GRAIN_STEPS = 0.25
_MIN_GRAIN_BYTES = 64.0


class Collector:
    """The SimPy process that runs one GC cycle of a Go process after the other."""

    def __init__(
        self,
        process: GoProcess,
        *,
        pauses: Pauses,
        seed: int,
        replica: int,
        on_cycle: Callable[[Cycle], None],
    ) -> None:
        self.process = process
        self._allocation = Allocation(process)
        self._pauses = pauses
        self._on_cycle = on_cycle
        self._pause_draws = stream(seed, "des pauses", replica)
        self._slice_draws = stream(seed, "des slices", replica)

    def run(self) -> Generator[Event, Any, None]:
        """Runs cycles without end; the runner stops it."""
        while True:
            before = self.process.machine.allocated_bytes
            reason = yield from self._allocation.run()
            yield from self._collect(before, reason)

    def _collect(self, allocated_before: float, reason: Reason) -> Generator[Event, Any, None]:
        """Runs one cycle, from the end of sweeping to mark termination, and reports it to ``on_cycle``."""
        process = self.process
        machine, env = process.machine, process.env
        trigger, setting = process.heap.trigger_now_bytes(process.pacer), setting_of(process.pacer)
        yield after(env, process.sweeper.finish_ns(process.parameters.busy_procs), Order.WORLD)
        start_ns = now_ns(env)
        limited_before = process.limiter.limited_ns
        heap_start = machine.heap_live_bytes
        cpu_before = _mark_cpu(process)
        if process.objects is not None:
            process.objects.begin_mark(start_ns)
        if machine.pools is not None:
            machine.pools.collect()
        sweep_term = yield from self._pause(self._pauses.draw_sweep_term, marking_begins=True)
        live = process.parameters.live_bytes * process.live_factor() * process.draw("live_factor")
        pooled = 0.0 if machine.pools is None else machine.pools.pooled_bytes
        live = min(live * self._live_heap_scale() + pooled, heap_start)
        factors = process.draw_marking()
        marking = self._begin_marking(start_ns, heap_start, live, reason, factors)
        mark_start = now_ns(env)
        process.marked_heap = MarkedHeap(
            profile=process.profile_of_marks, heap_start_bytes=heap_start, live_bytes=live
        )
        yield from self._mark(marking)
        mark_ns = now_ns(env) - mark_start
        goal = process.heap.heap_goal_bytes(process.pacer, machine.heap_live_bytes, marking.triggered_bytes)
        mark_term = yield from self._pause(self._pauses.draw_mark_term, marking_begins=False)
        machine.arrival_rate = 0.0  # between collections ``Allocation`` adds arrivals itself
        machine.backlog_bytes += self._deferred_arrival_bytes(mark_ns)
        if process.objects is not None:
            process.objects.end_mark(now_ns(env), process.cycles + 1, process.epoch_ns)
        process.run_program()
        process.marked_heap = None
        heap_end = machine.heap_live_bytes
        spent = [after - before for after, before in zip(_mark_cpu(process), cpu_before, strict=True)]
        # the log's CPU times are the work; the rest of the time factor is threads that were descheduled
        assist, background, idle = (cpu / factors.time for cpu in spent)
        self._note_interruptions(start_ns, mark_start, mark_ns, spent[1] + spent[2])
        self._end_cycle(
            marking,
            live=live,
            heap_end=heap_end,
            assist=spent[0],
            idle=spent[2],
            mark_ns=sweep_term + mark_ns,
        )
        process.cycles += 1
        self._on_cycle(
            Cycle(
                number=process.cycles,
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
                limited_ns=process.limiter.limited_ns - limited_before,
                mutator_bytes=machine.allocated_bytes - allocated_before,
                assists=marking.assists,
                setting=setting,
                forced=reason == "explicit",
                periodic=reason == "periodic",
            )
        )

    def _note_interruptions(self, start_ns: int, mark_start: int, mark_ns: int, workers_ns: float) -> None:
        """Records the pauses and the share of all Ps that ran mark workers, for the latencies of requests."""
        process = self.process
        share = workers_ns / max(mark_ns * process.parameters.gomaxprocs, 1)
        mark_end = mark_start + mark_ns
        process.interruptions.add(start_ns, mark_start, stopped=1.0, marking=0.0)
        process.interruptions.add(mark_start, mark_end, stopped=0.0, marking=share)
        process.interruptions.add(mark_end, now_ns(process.env), stopped=1.0, marking=0.0)

    def _pause(
        self, draw: Callable[[np.random.Generator, int], Any], *, marking_begins: bool
    ) -> Generator[Event, Any, int]:
        """Stops the world for a time drawn from the log's pauses; returns that time, ns."""
        process, machine = self.process, self.process.machine
        p, env = process.parameters, process.env
        length = max(int(1e9 * p.pause_scale * float(draw(self._pause_draws, 1)[0])), 1)
        machine.advance(now_ns(env))
        for processor in range(p.gomaxprocs):
            machine.begin(processor, STOPPED)
        machine.arrival_rate = 0.0 if process.serving is not None else process.rates()[1]
        process.limiter.world_stops(now_ns(env), marking_begins=marking_begins)
        yield after(env, length, Order.WORLD)
        machine.advance(now_ns(env))
        process.limiter.world_starts(now_ns(env))
        return length

    def _begin_marking(
        self, start_ns: int, heap_start: float, live: float, reason: Reason, factors: MarkFactors
    ) -> Marking:
        """The mark phase that starts now."""
        process, p = self.process, self.process.parameters
        work_bytes = max(self._scan_work_bytes(live), 1.0)
        goal = process.heap.heap_goal_bytes(process.pacer, heap_start, int(heap_start))
        if process.serving is not None:  # its requests decide how much the program allocates while marking
            cpu_factor, request_factor = process.serving.draw_host_factors(start_ns)
            black_factor = 1.0
        else:
            # an open loop allocates for its arrivals, as fast as the machine allows
            cpu_factor, spread = factors.cpu, process.scatter.mark_cpu_factor
            steady = p.open_loop and process.profile.is_steady
            request_factor = program_slowness(cpu_factor, spread) if steady else 1.0
            black_factor = 1.0 if steady else factors.allocated
            process.machine.arrival_rate *= black_factor * self._served_share
        return Marking(
            machine=process.machine,
            pacer=process.pacer,
            begin_ns=start_ns,
            triggered_bytes=int(heap_start),
            heap_goal_now=process.heap.goal_while_marking(process.pacer, int(heap_start)),
            scan_work_bytes=work_bytes,
            max_scan_work_bytes=int(
                p.scannable_share * heap_start + max(p.root_bytes, p.allocated_stack_bytes)
            ),
            work_ns=max(self._mark_cpu_ns(live) * cpu_factor * factors.time, 1.0),
            alloc_bytes_per_cpu_ns=p.mark_alloc_bytes_per_cpu_ns / request_factor,
            baseline_assist_share=p.assist_cpu_share,
            black_factor=black_factor,
            most_black_bytes=self._most_black_bytes(max(goal - heap_start, 1.0)),
            gomaxprocs=p.gomaxprocs,
            limiter=process.limiter,
            periodic=reason == "periodic",
        )

    @property
    def _served_share(self) -> float:
        """Share of arrivals served while marking; 1 for a load that moves, where calibration cannot measure it."""
        return self.process.parameters.served_share if self.process.profile.is_steady else 1.0

    def _deferred_arrival_bytes(self, mark_ns: int) -> float:
        """Arrivals that waited while marking although a P was free for them, bytes."""
        if self._served_share == 1.0 or self.process.serving is not None:
            return 0.0
        return (1.0 - self._served_share) * self.process.parameters.arrival_bytes_per_ns * mark_ns

    def _most_black_bytes(self, runway_bytes: float) -> float:
        """Bytes allocated while marking up to which the program may allocate faster than the pacer expects."""
        scatter = self.process.scatter
        past_goal = float(scatter.most_past_goal) * self.process.parameters.unhindered_mark_bytes
        return min(float(scatter.most_allocated_black) * runway_bytes, runway_bytes + past_goal)

    def _scan_work_bytes(self, heap_bytes: float) -> float:
        """Scan work of a reachable heap: its scannable share and the roots, bytes."""
        p = self.process.parameters
        return p.scannable_share * heap_bytes + p.root_bytes

    def _live_heap_scale(self) -> float:
        """The live heap over the calibrated one, at the present heap growth."""
        p = self.process.parameters
        grown = float(heap_growth(self.process.heap.heap_peak_bytes, p.live_bytes, p.root_bytes))
        return live_heap_scale(p.live_per_doubling, grown, p.mark_cpu_heap_ratio)

    def _mark_cpu_ns(self, live: float) -> float:
        """CPU time of this cycle's marking, ns; it depends on the live heap and on the heap's growth."""
        p = self.process.parameters
        return p.mark_cpu_ns * mark_cpu_factor(
            live,
            self.process.heap.heap_peak_bytes,
            root_bytes=p.root_bytes,
            calibrated_live_bytes=p.live_bytes,
            calibrated_growth=p.mark_cpu_heap_ratio,
            heap_exponent=p.mark_cpu_heap_exponent,
        )

    def _mark(self, marking: Marking) -> Generator[Event, Any, None]:
        """Runs every P until marking ends. The goroutine that started the cycle keeps P 0 for the rest of its slice."""
        process, p = self.process, self.process.parameters
        done = process.env.event()
        mutator = self._mutator(marking)
        processors = []
        for index in range(p.gomaxprocs):
            processor = Processor(
                index, process.env, marking, mutator, slice_ns=p.pass_interval_ns, done=done
            )
            left = int(self._slice_draws.random() * p.pass_interval_ns) + 1 if index == 0 else 0
            process.env.process(processor.run(slice_left_ns=left))
            processors.append(processor)
        yield done
        for processor in processors:
            processor.settle()
            process.machine.begin(processor.index, IDLE)
        process.machine.end_marking()

    def _mutator(self, marking: Marking) -> Mutator:
        """The program's supply of goroutines in this mark phase."""
        p = self.process.parameters
        if self.process.serving is not None:
            self.process.serving.begin_marking(marking.batch_limit_ns)
            return self.process.serving
        if not p.open_loop:
            return Saturated(p.goroutines, min(math.ceil(p.busy_procs - 1e-9), p.gomaxprocs))
        grain = max(_GRAIN_STEPS * marking.step_ns * p.arrival_bytes_per_ns, _MIN_GRAIN_BYTES)
        return Stream(self.process.machine, goroutines=p.goroutines, grain_bytes=grain)

    def _end_cycle(
        self, marking: Marking, *, live: float, heap_end: float, assist: float, idle: float, mark_ns: int
    ) -> None:
        """Updates pacer, heap, scavenger and sweeper at mark termination."""
        process, p = self.process, self.process.parameters
        marked = live + heap_end - marking.triggered_bytes
        ask_controller(process, live_bytes=live, heap_end_bytes=heap_end, heap_marked_bytes=marked)
        process.pacer = process.pacer.end_cycle(
            MarkResult(
                heap_live_bytes=int(heap_end),
                triggered_bytes=marking.triggered_bytes,
                heap_scan_work_bytes=int(p.scannable_share * live),
                stack_scan_work_bytes=0,
                globals_scan_work_bytes=int(p.root_bytes),
                assist_time_ns=int(assist),
                idle_mark_time_ns=int(idle),
                mark_duration_ns=mark_ns,
                gomaxprocs=p.gomaxprocs,
                bytes_marked=int(marked),
            )
        )
        in_use = process.heap.heap_in_use_bytes
        process.heap.end_mark(float(int(marked)))
        process.last_live_bytes = live
        process.scavenger.begin(
            in_use, process.heap.heap_goal_bytes(process.pacer, marked), process.pacer.memory_limit_bytes
        )
        process.sweeper.begin(process.heap.trigger_now_bytes(process.pacer), process.idle_procs)
        process.notice()


def _mark_cpu(process: GoProcess) -> tuple[float, float, float]:
    """CPU time since the start of the run, ns: (assists, background workers, idle workers)."""
    machine = process.machine
    return machine.assist_ns, machine.background_ns, machine.idle_mark_ns
