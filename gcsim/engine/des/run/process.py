"""One simulated Go process: the state that its program, its collector and its background goroutines share."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from simpy import Environment

from gcsim.engine.controllers import FIXED_SETTING, Controller
from gcsim.engine.des.gc.cpu_limiter import CpuLimiter
from gcsim.engine.des.gc.mark_progress import MarkedHeap, even_profile
from gcsim.engine.des.gc.scavenger import Scavenger
from gcsim.engine.des.gc.sweeper import Sweeper
from gcsim.engine.des.heap.heap_memory import HeapMemory
from gcsim.engine.des.heap.machine import PROGRAM, Machine
from gcsim.engine.des.heap.objects import ObjectFollower
from gcsim.engine.des.heap.pools import PoolRun
from gcsim.engine.des.program.closed_loop import ClosedServing
from gcsim.engine.des.program.host import HostSpeed
from gcsim.engine.des.program.latency import Interruptions
from gcsim.engine.des.program.serving import Serving
from gcsim.engine.des.run.cycle import MarkFactors
from gcsim.engine.des.run.order import now_ns
from gcsim.engine.des.run.parameters import RunParameters
from gcsim.engine.inputs.cycle_draws import CycleDraws
from gcsim.goruntime.pacer_state import PacerState
from gcsim.goruntime.versions import GoRules
from gcsim.service.profile import Profile
from gcsim.service.requests import Requests
from gcsim.service.variability import CycleVariability
from gcsim.streams import stream
from gcsim.submodels.live_growth import GrowthCourses

_MIN_FACTOR = 1e-3  # every mark phase takes some time and some CPU


class GoProcess:
    """The state of one simulated Go process: its Ps, heap, pacer and limiter.

    Generator functions that SimPy schedules (program, collector, background goroutines) hold this object and change
    its state. The class itself does not advance time.
    """

    def __init__(
        self,
        env: Environment,
        parameters: RunParameters,
        *,
        profile: Profile,
        scatter: CycleVariability,
        rules: GoRules,
        seed: int,
        replica: int,
        requests: Requests | None = None,
        controller: Controller = FIXED_SETTING,
        growth: GrowthCourses | None = None,
    ) -> None:
        p = parameters
        self.controller = controller
        self.env = env
        self.parameters = p
        self.profile = profile
        self.growth = growth  # its only course is this replica's
        self.rules = rules
        self.scatter = scatter
        self._draws = CycleDraws(scatter, seed=seed, replicas=(replica,))
        self.pacer = _initial_pacer(p, rules)
        self.heap = HeapMemory(
            parameters=p, heap_live_bytes=p.live_bytes, heap_peak_bytes=p.calibrated_peak_bytes
        )
        self.last_live_bytes = p.live_bytes  # the live heap at the start of the last cycle
        self.job = growth if growth is not None and growth.is_job else None
        if self.job is not None:
            self._start_empty(float(self.job.job_bytes[0]))
        self.machine = Machine(p.gomaxprocs, self.heap)
        if p.pools:
            self.machine.pools = PoolRun(
                p.pools, rules=rules, gomaxprocs=p.gomaxprocs, seed=seed, replica=replica
            )
        self.limiter = CpuLimiter(self.machine, p.gomaxprocs)
        self.sweeper = Sweeper(env, self.machine, self.heap, p)
        self.scavenger = Scavenger(self.heap, p, rules)
        self.profile_of_marks = even_profile(p.scannable_share)
        self.objects: ObjectFollower | None = None
        self.marked_heap: MarkedHeap | None = None  # while a cycle marks
        self.observer: Callable[[], None] | None = None  # called when the heap changes between collections
        self.epoch_ns = 0  # the profile's time 0
        self.warming_up = True
        self.epoch_allocated_bytes = 0.0  # by then
        self.cycles = 0
        self.interruptions = Interruptions()
        self.serving: Serving | None = None
        if requests is not None:
            host = HostSpeed(
                scatter.mark_cpu_factor,
                memory_seconds=requests.host_memory_seconds,
                draws=stream(seed, "des host", replica),
            )
            kind = Serving if p.open_loop else ClosedServing
            self.serving = kind(self.machine, p, requests, profile, host, seed=seed, replica=replica)

    def _start_empty(self, job_bytes: float) -> None:
        """Sets the state of a process that has allocated nothing; a job allocates ``job_bytes`` in all.

        The last peak, which memory outside the heap depends on, is the first trigger, as in the lane engine.
        """
        p, heap = self.parameters, self.heap
        fresh = PacerState.initial(
            gc_percent=p.gc_percent, memory_limit_bytes=p.memory_limit_bytes, rules=self.rules
        )
        self.pacer = replace(fresh, globals_scan_bytes=int(p.root_bytes))
        self.last_live_bytes = p.root_bytes
        heap.heap_live_bytes, heap.heap_peak_bytes = 0.0, min(float(p.memory_limit_bytes), job_bytes)
        heap.heap_peak_bytes = min(float(heap.next_trigger_bytes(self.pacer, swept_per_byte=0.0)), job_bytes)

    def start(self) -> None:
        """Starts the background goroutines."""
        self.env.process(self.sweeper.run(self.env))
        self.env.process(self.scavenger.run(self.env))

    def notice(self) -> None:
        """Calls the observer after a change of the heap."""
        if self.observer is not None:
            self.observer()

    @property
    def idle_procs(self) -> float:
        """Mean number of Ps that the program leaves idle between collections."""
        p = self.parameters
        busy = self.rates()[1] / p.alloc_bytes_per_cpu_ns if p.open_loop else p.busy_procs
        return max(p.gomaxprocs - busy, 0.0)

    def draw(self, name: str) -> float:
        """The factor ``name`` of ``CycleVariability`` for the present or next cycle; not one of a mark phase."""
        return float(self._draws.at(self.cycles, name)[0])

    def draw_marking(self) -> MarkFactors:
        """The factors of that cycle's mark phase."""
        cpu, time, allocated = self._draws.marking_at(self.cycles)[:, 0]
        return MarkFactors(max(float(cpu), _MIN_FACTOR), max(float(time), _MIN_FACTOR), float(allocated))

    def live_factor(self) -> float:
        """The present live heap over its mean, by the profile and by growth."""
        factor = float(self.profile.live_at(self._profile_seconds())[0])
        return factor if self.growth is None else factor * self._grown(self.growth)

    def _grown(self, growth: GrowthCourses) -> float:
        only = np.zeros(1, dtype=np.int64)
        if growth.by_work:
            worked = np.array([self.machine.allocated_bytes - self.epoch_allocated_bytes])
            return float(growth.factor_of_work(worked, only)[0])
        return float(growth.factor(self._profile_seconds(), only)[0])

    def alloc_factor(self) -> float:
        """The profile's present allocation rate over its mean."""
        return float(self.profile.alloc_at(self._profile_seconds())[0])

    def rates(self, scatter: float = 1.0) -> tuple[float, float]:
        """(capacity, arrivals) in bytes per ns, with the allocation rate multiplied by ``scatter``."""
        p = self.parameters
        factor = max(self.alloc_factor() * scatter, 1e-9)
        return p.capacity_bytes_per_ns * (1.0 if p.open_loop else factor), p.arrival_bytes_per_ns * factor

    def run_program(self) -> None:
        """Starts the program on as many Ps as it keeps busy, after marking."""
        p = self.parameters
        for processor in range(math.ceil(min(p.busy_procs, p.gomaxprocs) - 1e-9)):
            self.machine.begin(processor, PROGRAM)

    def _profile_seconds(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([max(now_ns(self.env) - self.epoch_ns, 0) * 1e-9])


def _initial_pacer(p: RunParameters, rules: GoRules) -> PacerState:
    """The pacer's state after a cycle that ended at the live heap; roots count as globals."""
    fresh = PacerState.initial(gc_percent=p.gc_percent, memory_limit_bytes=p.memory_limit_bytes, rules=rules)
    return replace(
        fresh,
        heap_marked_bytes=int(p.live_bytes),
        last_heap_scan_bytes=int(p.scannable_share * p.live_bytes),
        globals_scan_bytes=int(p.root_bytes),
    ).commit(sweep_done=False)
