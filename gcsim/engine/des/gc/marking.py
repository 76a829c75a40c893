"""The state of one concurrent mark phase, which all Ps share.

Work is in CPU nanoseconds of marking. The runtime's scan work in bytes is work times ``scan_bytes_per_ns``. Background
workers earn credit as they mark. Goroutines that allocate owe work at the pacer's assist ratio, which the engine
revises when a goroutine pays.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple

from gcsim.engine.des.gc.cpu_limiter import CpuLimiter
from gcsim.engine.des.heap.machine import Machine
from gcsim.goruntime.assists import OVER_ASSIST_WORK_BYTES, share_credit
from gcsim.goruntime.pacer_state import PacerState
from gcsim.goruntime.workers import (
    DRAIN_CHECK_BYTES,
    dedicated_workers,
    fractional_utilization_goal,
    max_idle_workers,
)
from gcsim.submodels.mark_phase import assist_debt_factor

# Goroutines settle their debts this often in a phase, or once per assist if an assist lasts longer
STEPS_PER_PHASE = 40

# Time for which a mark worker scans before its first preemption check if the roots point to large objects: an oblet
# of 128 KiB (Go 1.8+ ``scanObject``), 16,384 pointers that each miss the caches; 1.1 to 2.2 ms in execution traces
LARGE_OBJECT_NS = 1_500_000
# Length of an assist early in the cycle that scans such objects: in traces of ten cycles there were 12 to 22 of them
# per cycle, of 0.1 to 1.3 ms, 0.41 ms on average
_EARLY_ASSIST_NS = 400_000.0
# An assist stops as soon as the limiter switches on; with the bucket nearly full the engine checks at this interval
_NEAR_CAPACITY_STEP_NS = 200_000.0
_NEVER_NS = 1 << 62
FINISHED_NS = 0.5  # no more mark work than rounding leaves


class AssistedRun(NamedTuple):
    """The next stretch of a goroutine: its length, its own CPU time, its assist time and its allocation."""

    duration_ns: int
    mutator_ns: float
    assist_ns: float
    allocated_bytes: float


@dataclass(slots=True, kw_only=True)
class Marking:
    """A mark phase in progress. Creating it starts the machine's mark work and drops old credit."""

    machine: Machine
    pacer: PacerState
    begin_ns: int  # tSweepTerm: the pacer's clock for this cycle starts with the first pause
    triggered_bytes: int
    heap_goal_now: Callable[[int, int], int]  # (heap_live_bytes, triggered_bytes) -> goal while marking
    scan_work_bytes: float  # of the whole phase
    max_scan_work_bytes: int
    work_ns: float  # CPU time of the whole phase
    alloc_bytes_per_cpu_ns: float  # the rate that assists respond to
    black_factor: float  # this cycle's allocation over that rate: see ``paced_live_bytes``
    most_black_bytes: float  # beyond this many allocated bytes ``black_factor`` is at most 1
    gomaxprocs: int
    limiter: CpuLimiter
    periodic: bool = False
    baseline_assist_share: float = (
        0.0  # of mark CPU: assists early in the cycle, when no credit exists; see ``run``
    )
    balance_bytes: dict[int, float] = field(default_factory=dict)  # goroutines' gcAssistBytes
    under_way: set[int] = field(default_factory=set)  # goroutines in an assist that has not paid its debt yet
    ended: set[int] = field(default_factory=set)  # goroutines whose assist has ended since they last ran
    waiting: set[int] = field(
        default_factory=set
    )  # the assist queue: goroutines that wait for workers' credit
    dedicated_missing: int = field(init=False)  # dedicated workers that no P runs yet
    idle_workers: int = 0
    assists: int = 0
    fractional_goal: float = field(init=False)
    max_idle_workers: int = field(init=False)
    check_ns: int = field(init=False)  # between two preemption checks of a worker
    over_assist_ns: float = field(init=False)  # the smallest purchase of an assist
    step_ns: int = field(init=False)
    scan_bytes_per_ns: float = field(init=False)
    baseline_assist_left_ns: float = field(init=False)  # early assists without credit that are still to come
    large_objects_found: bool = field(init=False)  # before, workers earn enough credit on small roots
    _revise_ns: int = field(init=False, default=0)
    _work_per_byte: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.dedicated_missing = dedicated_workers(self.gomaxprocs)
        self.fractional_goal = fractional_utilization_goal(self.gomaxprocs)
        self.max_idle_workers = max_idle_workers(
            self.gomaxprocs, periodic=self.periodic, rules=self.pacer.rules
        )
        scan_bytes_per_ns = self.scan_work_bytes / self.work_ns
        self.check_ns = max(int(DRAIN_CHECK_BYTES / scan_bytes_per_ns), 1)
        self.over_assist_ns = OVER_ASSIST_WORK_BYTES / scan_bytes_per_ns
        shortest = self.work_ns / self.gomaxprocs / STEPS_PER_PHASE
        self.step_ns = max(int(shortest), 1000)
        self.scan_bytes_per_ns = scan_bytes_per_ns
        self.machine.begin_marking(self.work_ns)
        owed = assist_debt_factor(self._revised() * self.alloc_bytes_per_cpu_ns)
        self.baseline_assist_left_ns = self.baseline_assist_share * owed * self.work_ns
        self.large_objects_found = self.baseline_assist_left_ns <= LARGE_OBJECT_NS

    @property
    def finished(self) -> bool:
        """Whether no work is left."""
        return self.machine.remaining_ns <= FINISHED_NS

    def batch_limit_ns(self) -> int:
        """CPU time of the requests that a P may serve as one batch, without the scheduler between them, ns.

        0 while early assists are due: each goroutine then pays one, and each P starts its first worker when a request
        ends.
        """
        return 0 if self.baseline_assist_left_ns > 0.0 else self.step_ns // 2

    def until_finished_ns(self) -> int:
        """Time until marking ends if every P continues its present activity, ns."""
        machine = self.machine
        rate = machine.assist_rate + machine.background_rate + machine.idle_mark_rate
        return ceil(machine.remaining_ns / rate) if rate > 0 else _NEVER_NS

    def paced_live_bytes(self) -> int:
        """The heap size that assists respond to: triggered + growth / ``black_factor``.

        Cycles of a log differ in how much they allocate while marking, by more than assists would allow, because a
        descheduled thread neither marks nor pays its assist debt. The measured factor ``black_factor`` therefore
        changes the heap and not the debts.
        """
        grown = self.machine.heap_live_bytes - self.triggered_bytes
        return self.triggered_bytes + int(grown / max(self.black_factor, 1e-6))

    def work_per_byte(self) -> float:
        """The pacer's assist ratio: marking that an allocated byte owes, CPU ns per byte.

        The runtime revises the ratio whenever a P takes a span. The engine revises it every half step.
        """
        now = self.machine.now_ns
        if now >= self._revise_ns:
            self._work_per_byte = self._revised()
            self._revise_ns = now + self.step_ns // 2
        return self._work_per_byte

    def _revised(self) -> float:
        machine = self.machine
        live = self.paced_live_bytes()
        done = int((self.work_ns - max(machine.remaining_ns, 0.0)) * self.scan_bytes_per_ns)
        ratio, _ = self.pacer.assist_ratio(
            heap_live_bytes=live,
            heap_goal_bytes=self.heap_goal_now(live, self.triggered_bytes),
            triggered_bytes=self.triggered_bytes,
            scan_work_bytes=done,
            max_scan_work_bytes=self.max_scan_work_bytes,
        )
        return ratio / self.scan_bytes_per_ns

    def pay_waiting(self) -> None:
        """Pays goroutines that wait from the workers' credit; the pool keeps the rest."""
        if not self.waiting:
            return
        owed = self.work_per_byte()
        debts_ns = {one: max(-self.balance_bytes[one] * owed, 0.0) for one in sorted(self.waiting)}
        paid_ns, self.machine.credit_ns = share_credit(debts_ns, self.machine.credit_ns)
        for one, paid in paid_ns.items():
            self.balance_bytes[one] += paid / owed
            if paid >= debts_ns[one]:
                self.waiting.discard(one)

    def end_slice(self, goroutine: int) -> None:
        """Ends the goroutine's assist with its time slice; the goroutine tries again later (``gcAssistAlloc``)."""
        if goroutine in self.under_way:
            self.under_way.discard(goroutine)
            self.limiter.assisted(self.machine.now_ns)

    def run(self, goroutine: int, at_most_ns: int) -> AssistedRun | None:
        """The goroutine's next stretch of about ``at_most_ns``, with its assists; None if it must wait for credit.

        A goroutine buys work in multiples of 64 KiB. It takes credit from the pool and marks for the rest before it
        continues (Go 1.5+ ``gcAssistAlloc``). The engine settles all purchases of a stretch at once, at the ratio and
        with the credit of its beginning. The last purchase may take longer than ``at_most_ns``. The result is None if
        the limiter has switched on during the goroutine's assist and the pool has no credit (``gcParkAssist``).
        """
        machine, rate = self.machine, self.alloc_bytes_per_cpu_ns
        balance = self.balance_bytes.get(goroutine, 0.0)
        if goroutine in self.ended:  # an ended assist updates the bucket first
            self.ended.discard(goroutine)
            self.limiter.assisted(machine.now_ns)
        if self.limiter.enabled:
            if self._parks(goroutine):
                return None
            self.balance_bytes[goroutine] = balance - rate * at_most_ns
            return AssistedRun(at_most_ns, at_most_ns, 0.0, self._heap_bytes(at_most_ns))
        need_bytes = rate * at_most_ns - balance
        if need_bytes <= 0.0:
            self.under_way.discard(goroutine)
            self.balance_bytes[goroutine] = -need_bytes
            return AssistedRun(at_most_ns, at_most_ns, 0.0, self._heap_bytes(at_most_ns))
        owed = self.work_per_byte()
        unit, credit = self.over_assist_ns, machine.credit_ns
        if credit < 0.0:
            credit = 0.0
        if self.baseline_assist_left_ns > 0.0 and self.large_objects_found:
            unit, credit = max(unit, min(_EARLY_ASSIST_NS, self.baseline_assist_left_ns)), 0.0
        bought = unit * ceil(need_bytes * owed / unit)
        run_ns = float(at_most_ns)
        if bought > credit:
            run_ns = min((at_most_ns + balance * owed + credit) / (1.0 + rate * owed), run_ns)
            run_ns = max(run_ns, 0.0)
            need_bytes = rate * run_ns - balance
            bought = unit * max(ceil(need_bytes * owed / unit), 0)
        stolen = bought if bought <= credit else credit
        machine.credit_ns -= stolen
        # a large debt is paid in pieces, so that the limiter and the end of marking are checked between them
        most_ns = max(at_most_ns - run_ns, 0.0) + unit
        if self.limiter.nearly_full:
            most_ns = min(most_ns, _NEAR_CAPACITY_STEP_NS)
        to_mark = bought - stolen
        marked_ns = min(to_mark, most_ns, max(machine.remaining_ns, 0.0)) if to_mark > 0.0 else 0.0
        self.balance_bytes[goroutine] = balance - rate * run_ns + (stolen + marked_ns) / owed
        self.under_way.discard(goroutine)
        if marked_ns > 0.0:
            self.baseline_assist_left_ns -= marked_ns
            self.assists += 1
        if run_ns == 0.0 and marked_ns < to_mark:  # the assist continues after this stretch
            self.under_way.add(goroutine)
        elif marked_ns > 0.0:
            self.ended.add(goroutine)
        return AssistedRun(max(ceil(run_ns + marked_ns), 1), run_ns, marked_ns, self._heap_bytes(run_ns))

    def _parks(self, goroutine: int) -> bool:
        """Whether the goroutine must wait: the limiter switched on during its assist and the pool has no credit."""
        if goroutine not in self.under_way:
            return False
        self.under_way.discard(goroutine)
        self.pay_waiting()
        if self.machine.credit_ns > 0.0:
            return False
        self.waiting.add(goroutine)
        return True

    def _heap_bytes(self, run_ns: float) -> float:
        """Bytes that the program allocates in ``run_ns`` of its own CPU time."""
        within = self.machine.heap_live_bytes - self.triggered_bytes < self.most_black_bytes
        factor = self.black_factor if within else min(self.black_factor, 1.0)
        return self.alloc_bytes_per_cpu_ns * factor * run_ns
