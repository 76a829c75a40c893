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

OVER_ASSIST_WORK_BYTES = 64 * 1024  # gcOverAssistWork: the least an assist buys
CREDIT_SLACK_BYTES = 2000  # gcCreditSlack: scan work a worker keeps to itself before it flushes
ASSIST_TIME_SLACK_NS = 5000  # gcAssistTimeSlack: assist time a P keeps to itself before it is counted
MAX_OBLET_BYTES = 128 * 1024  # maxObletBytes: the largest piece that is marked in one go


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
