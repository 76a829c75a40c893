"""Single purchases of mark assists, and the queue of goroutines that wait for credit."""

from dataclasses import dataclass

from gcsim.arrays import Real
from gcsim.goruntime.arithmetic import maximum
from gcsim.goruntime.assists import OVER_ASSIST_WORK_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """The state of an assist after it has taken credit."""

    balance_bytes: int  # of the goroutine, may still be negative
    scan_work_bytes: int  # left to do by marking; 0 if credit covered all
    bg_scan_credit_bytes: int  # left in the pool


def assist_demand(balance_bytes: int, *, work_per_byte: float, bytes_per_work: float) -> tuple[int, int]:
    """(scan work, debt that it pays) of a goroutine with a negative balance: its debt, at least 64 KiB of work.

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
    """The assist after taking background credit for its demand, as far as the pool has it. ``gcAssistAlloc``."""
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
    """The balance after an assist has marked; it may do more than it owed, because it scans whole objects.

    Source: ``gcAssistAlloc1``.
    """
    return balance_bytes + 1 + int(bytes_per_work * float(work_done_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """The effect of a worker's credit."""

    released: int  # number of goroutines released, from the head of the queue; their balances are 0
    queue_bytes: tuple[int, ...]  # balances of the goroutines that still wait, in order
    to_pool_bytes: int  # scan work added to the pool


def flush_credit(
    queue_bytes: tuple[int, ...], scan_work_bytes: int, *, work_per_byte: float, bytes_per_work: float
) -> Flush:
    """Pays waiting goroutines, first come first served; one that is paid in part goes to the end of the queue.

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


def fluid_assist_share(
    work_per_byte: Real,
    alloc_bytes_per_ns: Real,
    scan_bytes_per_ns: Real,
    *,
    background_share: Real | float,
    idle_share: Real | float = 0.0,
) -> Real:
    """The share of GOMAXPROCS that assists use if scan work balances allocation at every instant.

    Rates are per CPU nanosecond of the program (A) and of marking (S); r is the work per byte. Allocation and assists
    share m = 1 - background - idle. The balance  S x (background + idle + x) = r x A x (m - x)  gives

        x = (r x A x m - S x (background + idle)) / (r x A + S),  not below 0.

    With background 0.25 and idle 0 this is the utilization in Go's own pacer test, background + x = max(0.25, r x A /
    (r x A + S)) (Go 1.19+ ``TestGcPacer``). It is a lower bound for a real program: assists buy 64 KiB at a time, no
    credit exists at the start of a cycle, and fractional workers earn it in bursts.
    """
    owed = work_per_byte * alloc_bytes_per_ns
    marking = background_share + idle_share
    assists: Real = maximum(
        (owed * (1.0 - marking) - scan_bytes_per_ns * marking) / (owed + scan_bytes_per_ns), 0.0
    )
    return assists
