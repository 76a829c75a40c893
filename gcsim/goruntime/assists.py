"""Mark assists: a goroutine that allocates while marking is on owes scan work for it.

Each goroutine has a balance of bytes it may allocate (``gcAssistBytes``). Allocation draws on it; below zero
the goroutine must buy credit, from what background workers have earned or by marking, or wait in a queue
until they earn it. ``assist_work_per_byte`` and its inverse are the pacer's ratio (``pacer.assist_ratio``).
Balances, debts and credit are signed bytes; debts and balances are of allocation, credit is of scan work.

    allocates while marking  balance -= requested size, then the rounding to the slot (``mallocgc``)
    balance < 0              ``assist_demand``, ``steal_credit``, then ``earn_by_marking`` for what is missing
    still < 0                preempted or credit has come: try again; else queue (``gcParkAssist``)
    worker earned 2000 B     ``flush_credit``: the queue first, the rest to the pool
    cycle starts             every balance is 0 (``gcResetMarkState``); no credit (``startCycle``)
    mark ends                all who wait wake, their debt is forgiven (``gcWakeAllAssists``)
    exits in credit          its balance x ratio goes back to the pool (``gdestroy``, ``goexit0``)

No assist happens while the CPU limiter is on, on a system goroutine's g0, or with locks held.
Source: Go 1.5+ ``gcAssistAlloc``; rules and constants here are those of Go 1.18 to 1.27.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gcsim.goruntime.arithmetic import FloatT, maximum

OVER_ASSIST_WORK_BYTES = 64 * 1024  # gcOverAssistWork: the least an assist buys
CREDIT_SLACK_BYTES = 2000  # gcCreditSlack: scan work a worker keeps to itself before it flushes
ASSIST_TIME_SLACK_NS = 5000  # gcAssistTimeSlack: assist time a P keeps to itself before it is counted
MAX_OBLET_BYTES = 128 * 1024  # maxObletBytes: the largest piece that is marked in one go


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What an assist has got so far."""

    balance_bytes: int  # of the goroutine, may still be negative
    scan_work_bytes: int  # still to be done by marking; 0 when all was stolen
    bg_scan_credit_bytes: int  # left in the pool


def assist_demand(balance_bytes: int, *, work_per_byte: float, bytes_per_work: float) -> tuple[int, int]:
    """(scan work, debt it pays) of a goroutine with a negative balance: its debt, or 64 KiB of work if less.

    Source: ``gcAssistAlloc``.
    """
    debt_bytes = -balance_bytes
    scan_work = int(work_per_byte * float(debt_bytes))
    if scan_work < OVER_ASSIST_WORK_BYTES:
        scan_work = OVER_ASSIST_WORK_BYTES
        debt_bytes = int(bytes_per_work * float(scan_work))
    return scan_work, debt_bytes


def steal_credit(
    balance_bytes: int, bg_scan_credit_bytes: int, *, work_per_byte: float, bytes_per_work: float
) -> Purchase:
    """Buy with background credit, all of the demand if the pool has it; takes no time. ``gcAssistAlloc``."""
    scan_work, debt_bytes = assist_demand(
        balance_bytes, work_per_byte=work_per_byte, bytes_per_work=bytes_per_work
    )
    if bg_scan_credit_bytes <= 0:
        stolen, gained = 0, 0
    elif bg_scan_credit_bytes < scan_work:
        stolen = bg_scan_credit_bytes
        gained = 1 + int(bytes_per_work * float(stolen))
    else:
        stolen, gained = scan_work, debt_bytes
    return Purchase(
        balance_bytes=balance_bytes + gained,
        scan_work_bytes=scan_work - stolen,
        bg_scan_credit_bytes=bg_scan_credit_bytes - stolen,
    )


def earn_by_marking(balance_bytes: int, work_done_bytes: int, *, bytes_per_work: float) -> int:
    """The balance after an assist has marked; it may do more than it owed, for objects are marked whole.

    Source: ``gcAssistAlloc1``.
    """
    return balance_bytes + 1 + int(bytes_per_work * float(work_done_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """Where a worker's credit went."""

    released: int  # goroutines freed, from the head of the queue; their balances are 0
    queue_bytes: tuple[int, ...]  # balances of those that still wait, in order
    to_pool_bytes: int  # scan work added to the pool


def flush_credit(
    queue_bytes: tuple[int, ...], scan_work_bytes: int, *, work_per_byte: float, bytes_per_work: float
) -> Flush:
    """Pay those who wait, first come first served; one that can be paid in part goes to the end of the queue.

    ``queue_bytes`` are the (negative) balances in order. Source: ``gcFlushBgCredit``.
    """
    if not queue_bytes:
        return Flush(released=0, queue_bytes=(), to_pool_bytes=scan_work_bytes)
    left_bytes = int(float(scan_work_bytes) * bytes_per_work)
    released = 0
    while released < len(queue_bytes) and left_bytes > 0:
        balance_bytes = queue_bytes[released]
        if left_bytes + balance_bytes < 0:
            waiting = (*queue_bytes[released + 1 :], balance_bytes + left_bytes)
            return Flush(released=released, queue_bytes=waiting, to_pool_bytes=0)
        left_bytes += balance_bytes
        released += 1
    to_pool = int(float(left_bytes) * work_per_byte) if left_bytes > 0 else 0
    return Flush(released=released, queue_bytes=queue_bytes[released:], to_pool_bytes=to_pool)


def share_credit(debts: Mapping[int, float], credit: float) -> tuple[dict[int, float], float]:
    """(what each who waits is paid, what is left for the pool) of much credit: what many ``flush_credit`` come to.

    Flushes are small and go round the queue, so that all are paid alike until the smallest debt is gone, and so on.
    ``debts``, 0 or more, and ``credit`` are in one unit. It leaves out the order in which those of equal debt go.
    """
    level, left, owing = 0.0, max(credit, 0.0), len(debts)
    for debt in sorted(debts.values()):
        step = min(debt - level, left / owing)
        level += step
        left -= step * owing
        owing -= 1
    return {one: min(debt, level) for one, debt in debts.items()}, max(left, 0.0)


def fluid_assist_share(
    work_per_byte: FloatT,
    alloc_bytes_per_ns: FloatT,
    scan_bytes_per_ns: FloatT,
    *,
    background_share: FloatT | float,
    idle_share: FloatT | float = 0.0,
) -> FloatT:
    """The share of GOMAXPROCS that assists take when scan work keeps pace with allocation at every instant.

    Rates are per CPU nanosecond of the program and of marking. Allocation and assists share what the workers
    leave, m = 1 - background - idle, so the balance  S x (background + idle + x) = r x A x (m - x)  gives

        x = (r x A x m - S x (background + idle)) / (r x A + S),  not below 0.

    With a quarter in the background and nothing idle that is the utilisation of Go's own pacer test,
    background + x = max(0.25, r x A / (r x A + S)) (Go 1.19+ ``TestGcPacer``). A lower bound for a real
    program: its assists buy 64 KiB at a time, at the start of a cycle there is no credit, and fractional
    workers earn it in bursts.
    """
    owed: Any = work_per_byte * alloc_bytes_per_ns
    marking = background_share + idle_share
    assists: FloatT = maximum(
        (owed * (1.0 - marking) - scan_bytes_per_ns * marking) / (owed + scan_bytes_per_ns), 0.0
    )
    return assists
