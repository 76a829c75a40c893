"""Mark assists: a goroutine that allocates while a cycle marks owes scan work for its allocation.

Each goroutine has a balance of bytes that it may allocate (``gcAssistBytes``). Allocation reduces the balance. With a
negative balance the goroutine buys credit that background workers have earned, or marks, or waits in a queue until the
workers earn credit. ``assist_work_per_byte`` and its inverse are the pacer's ratio (``pacer.assist_ratio``). Balances
and debts are signed bytes of allocation, credit is signed bytes of scan work.

    allocates while marking  balance -= requested size, then the rounding to the slot (``mallocgc``)
    balance < 0              ``assist_demand``, ``steal_credit``, then ``earn_by_marking`` for the rest
    still < 0                tries again if preempted or if there is new credit; else queues (``gcParkAssist``)
    worker earned 2000 B     ``flush_credit``: pays the queue first, the rest goes to the pool
    cycle starts             every balance is 0 (``gcResetMarkState``); no credit (``startCycle``)
    mark ends                all waiting goroutines wake, their debt is dropped (``gcWakeAllAssists``)
    exits in credit          its balance x ratio goes back to the pool (``gdestroy``, ``goexit0``)

A goroutine does not assist while the CPU limiter is on, on a system goroutine's g0, or with locks held.
Source: Go 1.5+ ``gcAssistAlloc``; rules and constants here are those of Go 1.18 to 1.27.
"""

from collections.abc import Mapping

OVER_ASSIST_WORK_BYTES = 64 * 1024  # gcOverAssistWork: the smallest purchase of an assist
CREDIT_SLACK_BYTES = 2000  # gcCreditSlack: scan work that a worker collects before it flushes
ASSIST_TIME_SLACK_NS = 5000  # gcAssistTimeSlack: assist time that a P collects before it counts
MAX_OBLET_BYTES = 128 * 1024  # maxObletBytes: the largest part of an object that is scanned at once


def share_credit(debts: Mapping[int, float], credit: float) -> tuple[dict[int, float], float]:
    """(payment of each waiting goroutine, credit left for the pool): the effect of many ``flush_credit``.

    Flushes are small and go round the queue. All goroutines are therefore paid equally until the smallest debt is paid,
    then all others, and so on. ``debts`` (0 or more, by goroutine) and ``credit`` have one unit. The order among equal
    debts is not modelled.
    """
    level, left, owing = 0.0, max(credit, 0.0), len(debts)
    for debt in sorted(debts.values()):
        step = min(debt - level, left / owing)
        level += step
        left -= step * owing
        owing -= 1
    return {one: min(debt, level) for one, debt in debts.items()}, max(left, 0.0)
