"""One concurrent mark phase: what all its Ps share.

Work is CPU nanoseconds of marking; the runtime's scan work in bytes is that times ``scan_bytes_per_ns``.
Background workers earn credit as they mark; goroutines that allocate owe work at the pacer's ratio, which is
revised whenever one of them comes to pay.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

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

STEPS_PER_PHASE = (
    40  # goroutines' debts are settled this often, or as often as one assist lasts if that is rarer
)

# What a mark worker scans without looking up, where objects that hang on the roots are large: an oblet of 128 KiB
# (Go 1.8+ ``scanObject``), 16,384 pointers that each miss the caches; 1.1 to 2.2 ms in execution traces
LARGE_OBJECT_NS = 1_500_000
# What an assist of that time scans of them: in ten cycles' traces 12 to 22 a cycle, of 0.1 to 1.3 ms, 0.41 on average
_EARLY_ASSIST_NS = 400_000.0
_NEAR_CAPACITY_STEP_NS = (
    200_000.0  # an assist sees the limiter switch on at once: near the brim it looks this often
)


@dataclass(frozen=True, slots=True)
class AssistedRun:
    """What a goroutine does next: how long, how much of it for itself, how much assisting, and what it allocates."""

    duration_ns: int
    mutator_ns: float
    assist_ns: float
    allocated_bytes: float


@dataclass(slots=True, kw_only=True)
class Marking:
    """The mark phase in progress."""

    machine: Machine
    pacer: PacerState
    begin_ns: int  # tSweepTerm: the pacer's clock for this cycle starts with the first pause
    triggered_bytes: int
    heap_goal_now: Callable[[int, int], int]  # (heap_live_bytes, triggered_bytes) -> goal while marking
    scan_work_bytes: float  # of the whole phase
    max_scan_work_bytes: int
    work_ns: float
    alloc_bytes_per_cpu_ns: float  # as the pacer meets it
    black_factor: float  # what this cycle allocates over that: see ``paced_live_bytes``
    most_black_bytes: float  # beyond which it allocates no more than the pacer meets
    gomaxprocs: int
    limiter: CpuLimiter
    periodic: bool = False
    baseline_assist_share: float = 0.0  # of mark CPU: assists early in the cycle find no credit; see ``run``
    balance_bytes: dict[int, float] = field(default_factory=dict)  # goroutines' gcAssistBytes
    under_way: set[int] = field(default_factory=set)  # goroutines whose assist has not paid an old debt yet
    ended: set[int] = field(default_factory=set)  # whose assist has ended since they last ran
    waiting: set[int] = field(default_factory=set)  # the assist queue: until workers have paid for them
    dedicated_missing: int = 0
    idle_workers: int = 0
    assists: int = 0

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
        self.machine.remaining_ns = self.work_ns
        self.machine.credit_ns = 0.0
        owed = assist_debt_factor(self._revised() * self.alloc_bytes_per_cpu_ns)
        self.ease_left_ns = self.baseline_assist_share * owed * self.work_ns
        self.scans_large = self.ease_left_ns <= LARGE_OBJECT_NS

    fractional_goal: float = 0.0
    max_idle_workers: int = 0
    check_ns: int = 1
    over_assist_ns: float = 0.0
    ease_left_ns: float = 0.0  # of assists early in the cycle that find no credit; they show large objects
    scans_large: bool = True  # a worker has been at those objects: before, small roots give credit enough
    step_ns: int = 1
    scan_bytes_per_ns: float = 1.0
    _revise_ns: int = 0
    _work_per_byte: float = 0.0

    @property
    def finished(self) -> bool:
        """No grey object is left."""
        return self.machine.remaining_ns <= 0.5

    def batch_limit_ns(self) -> int:
        """CPU time up to which a P may take requests together, without the scheduler in between.

        None while each goroutine comes to pay an early assist, and each P's first worker is due at a request's end.
        """
        return 0 if self.ease_left_ns > 0.0 else self.step_ns // 2

    def until_finished_ns(self) -> int:
        """Nanoseconds until marking ends if all go on as they do now."""
        rate = self.machine.mark_rate
        return math.ceil(self.machine.remaining_ns / rate) if rate > 0 else 1 << 62

    def paced_live_bytes(self) -> int:
        """The heap as assists answer to it: grown by ``alloc_bytes_per_cpu_ns`` alone.

        A log's cycles differ in what they allocate while marking far beyond what assists would have let through,
        for a thread that the operating system took off its core neither marks nor pays. The measured factor
        therefore acts on the heap and not on debts.
        """
        grown = self.machine.heap_live_bytes - self.triggered_bytes
        return self.triggered_bytes + int(grown / max(self.black_factor, 1e-6))

    def work_per_byte(self) -> float:
        """What a byte owes, in ns of marking: the pacer's ratio.

        The runtime revises it whenever a span is taken; here, when half a step has passed since the last time.
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
        """Workers' credit frees who waits for it, before any goes to the pool."""
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
        """A time slice is over; an assist under way ends with it, and is tried again (``gcAssistAlloc``)."""
        if goroutine in self.under_way:
            self.under_way.discard(goroutine)
            self.limiter.assisted(self.machine.now_ns)

    def run(self, goroutine: int, at_most_ns: int) -> AssistedRun | None:
        """The goroutine's next stretch of about ``at_most_ns``, with the assists that it comes to owe.

        Purchases are multiples of 64 KiB of work, stolen from the credit that is there and otherwise marked
        before going on (Go 1.5+ ``gcAssistAlloc``): many small ones are settled at once, at the ratio and with
        the credit of the stretch's beginning. The last one may outlast ``at_most_ns``. None: the limiter has caught
        the goroutine in an assist, and it waits for credit (``gcParkAssist``), which the pool does not have.
        """
        machine, rate = self.machine, self.alloc_bytes_per_cpu_ns
        balance = self.balance_bytes.get(goroutine, 0.0)
        if self._limited(goroutine):
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
        unit, credit = self.over_assist_ns, max(machine.credit_ns, 0.0)
        if self.ease_left_ns > 0.0 and self.scans_large:
            unit, credit = max(unit, min(_EARLY_ASSIST_NS, self.ease_left_ns)), 0.0
        bought = unit * math.ceil(need_bytes * owed / unit)
        run_ns = float(at_most_ns)
        if bought > credit:
            run_ns = min((at_most_ns + balance * owed + credit) / (1.0 + rate * owed), run_ns)
            run_ns = max(run_ns, 0.0)
            need_bytes = rate * run_ns - balance
            bought = unit * max(math.ceil(need_bytes * owed / unit), 0)
        stolen = min(bought, credit)
        machine.credit_ns -= stolen
        # a large debt is paid in pieces: the limiter, and a look at whether marking is over, come in between
        most_ns = max(at_most_ns - run_ns, 0.0) + unit
        if self.limiter.nearly_full:
            most_ns = min(most_ns, _NEAR_CAPACITY_STEP_NS)
        marked_ns = min(bought - stolen, most_ns, max(machine.remaining_ns, 0.0))
        self.ease_left_ns -= marked_ns
        self.assists += marked_ns > 0
        self.balance_bytes[goroutine] = balance - rate * run_ns + (stolen + marked_ns) / owed
        self._note_assist(goroutine, marked_ns, under_way=run_ns == 0.0 and marked_ns < bought - stolen)
        return AssistedRun(max(math.ceil(run_ns + marked_ns), 1), run_ns, marked_ns, self._heap_bytes(run_ns))

    def _limited(self, goroutine: int) -> bool:
        """Whether assists are off; those that have ended settle the bucket, one under way does not."""
        if goroutine in self.ended:
            self.ended.discard(goroutine)
            self.limiter.assisted(self.machine.now_ns)
        return self.limiter.enabled

    def _parks(self, goroutine: int) -> bool:
        """Whether the limiter has caught it in an assist, with no credit in the pool to go on with."""
        if goroutine not in self.under_way:
            return False
        self.under_way.discard(goroutine)
        self.pay_waiting()
        if self.machine.credit_ns > 0.0:
            return False
        self.waiting.add(goroutine)
        return True

    def _note_assist(self, goroutine: int, marked_ns: float, *, under_way: bool) -> None:
        """One that pays an old debt lasts; small ones, many in a stretch, have ended with it."""
        self.under_way.discard(goroutine)
        if under_way:
            self.under_way.add(goroutine)
        elif marked_ns > 0.0:
            self.ended.add(goroutine)

    def _heap_bytes(self, run_ns: float) -> float:
        within = self.machine.heap_live_bytes - self.triggered_bytes < self.most_black_bytes
        factor = self.black_factor if within else min(self.black_factor, 1.0)
        return self.alloc_bytes_per_cpu_ns * factor * run_ns
