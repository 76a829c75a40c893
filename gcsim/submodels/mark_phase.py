"""A fluid approximation of one mark phase: duration, CPU by worker kind, and bytes allocated while marking.

The shares of the processors are constant during a phase; the event engine simulates the same phase event by event. In
the runtime the assist ratio changes within a phase and credit arrives in bursts; ``assist_cpu_share``, measured on the
calibrated log, includes the net effect. The rise of the assist ratio late in a phase is replaced by its result: the
heap reaches its goal when marking ends.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from gcsim.arrays import FloatArray, Int64Array, Real
from gcsim.goruntime.arithmetic import maximum, minimum

# With an empty runway an assist cannot pay its debt; it marks until marking ends.
_MAX_DEBT = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkConditions:
    """The inputs of a mark phase; arrays of one shape, one element per lane. A "P" is one processor."""

    mark_cpu_seconds: FloatArray  # CPU of this cycle's marking, by workers and assists together
    runway_bytes: FloatArray  # from heapLive at the start to the heap goal, 0 or more
    alloc_bytes_per_cpu_second: FloatArray  # of mutator time while marking
    gomaxprocs: FloatArray
    background_procs: FloatArray  # Ps on dedicated and fractional workers
    busy_procs: FloatArray  # closed loop: Ps on mutator and assists together
    mutator_procs: FloatArray  # open loop: Ps on the mutator, without assists
    open_loop: bool  # of every lane
    assist_cpu_share: FloatArray  # of mark CPU, in a cycle whose goal forces no assists


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkPhase:
    """The result of a mark phase; arrays of one shape."""

    duration_seconds: FloatArray
    allocated_bytes: FloatArray
    assist_cpu_seconds: FloatArray
    background_cpu_seconds: FloatArray
    idle_cpu_seconds: FloatArray

    def prolonged(self, factor: FloatArray, runway_bytes: FloatArray) -> "MarkPhase":
        """The phase with ``factor`` times its duration, because the operating system descheduled threads.

        Allocation grows with the duration up to the runway, where assists stop it.
        """
        within = np.maximum(self.allocated_bytes, runway_bytes)
        return MarkPhase(
            duration_seconds=self.duration_seconds * factor,
            allocated_bytes=np.minimum(self.allocated_bytes * factor, within),
            assist_cpu_seconds=self.assist_cpu_seconds,
            background_cpu_seconds=self.background_cpu_seconds,
            idle_cpu_seconds=self.idle_cpu_seconds,
        )


def mark_phase(conditions: MarkConditions, assist_procs_limit: FloatArray | None = None) -> MarkPhase:
    """The mark phase that ``conditions`` give: its assists, duration and allocation.

    Let w be the mark CPU, R the runway, a the allocation per mutator CPU second, c the Ps on the mutator and x the Ps
    on assists.

    - Each allocated byte owes w/R of marking (Go 1.19+ ``gcControllerState.revise``). Background credit pays for most
      of it with a delay: it is earned in time slices, and an assist pre-pays at least 64 KiB of work.
    - x * duration = s * w: with the pacer's runway, measured programs spend about the same share s of mark CPU on
      assists at any GOGC, and less with a longer runway (``assist_debt_factor``).
    - Closed loop: assists take Ps from the mutator, c = busy - x. Open loop: assists take Ps from idle workers.
    - If the heap would then pass its goal, x is larger, so that marking ends at the goal: a * c * duration = R.

    ``assist_procs_limit`` is the mean number of Ps that the GC CPU limiter allows to assists, infinite with the limiter
    off.
    """
    return mark_phase_owing(conditions, Owed.under(conditions), assist_procs_limit)


@dataclass(frozen=True, slots=True)
class Owed:
    """The work that a phase owes under its conditions, whatever part of the Ps is on the mutator."""

    debt: FloatArray  # mark_debt
    debt_plus_1: FloatArray
    baseline_share: FloatArray  # of all marking: that of assists in a cycle that the goal does not limit

    @classmethod
    def under(cls, conditions: MarkConditions) -> Self:
        """The work that these conditions owe.

        The baseline assists' share is that in the calibrated log, ``assist_cpu_share``, times ``assist_debt_factor``:
        with less debt, goroutines assist less.
        """
        debt = mark_debt(conditions)
        return cls(debt, 1.0 + debt, conditions.assist_cpu_share * assist_debt_factor(debt))

    def select(self, lanes: Int64Array) -> Self:
        """The lanes with these numbers."""
        return type(self)(self.debt[lanes], self.debt_plus_1[lanes], self.baseline_share[lanes])


def mark_phase_owing(
    conditions: MarkConditions, owed: Owed, assist_procs_limit: FloatArray | None = None
) -> MarkPhase:
    """The ``mark_phase`` of conditions that owe ``owed``."""
    share = _open_shares if conditions.open_loop else _closed_shares
    mutator, assist, idle = share(conditions, owed, assist_procs_limit)
    duration = conditions.mark_cpu_seconds / (conditions.background_procs + assist + idle)
    return MarkPhase(
        duration_seconds=duration,
        allocated_bytes=conditions.alloc_bytes_per_cpu_second * mutator * duration,
        assist_cpu_seconds=assist * duration,
        background_cpu_seconds=conditions.background_procs * duration,
        idle_cpu_seconds=idle * duration,
    )


def mark_debt(conditions: MarkConditions) -> FloatArray:
    """CPU seconds of marking that one mutator CPU second owes at the start of the phase: w * a / R."""
    owed = conditions.mark_cpu_seconds * conditions.alloc_bytes_per_cpu_second
    return np.minimum(owed / np.maximum(conditions.runway_bytes, 1.0), _MAX_DEBT)


Shares = tuple[FloatArray, FloatArray, FloatArray]  # Ps on mutator, assists and idle workers


def _closed_shares(conditions: MarkConditions, owed: Owed, assist_limit: FloatArray | None) -> Shares:
    """Shares in a closed loop: mutator and assists use ``busy_procs`` Ps, idle workers the rest."""
    busy = conditions.busy_procs
    idle = np.maximum(conditions.gomaxprocs - conditions.background_procs - busy, 0.0)
    baseline = _baseline_assist_procs(owed, workers=conditions.background_procs + idle)
    by_goal = (owed.debt * busy - conditions.background_procs - idle) / owed.debt_plus_1
    assist = np.minimum(np.maximum(np.maximum(baseline, by_goal), 0.0), busy)
    if assist_limit is not None:
        assist = np.minimum(assist, assist_limit)
    return busy - assist, assist, idle


def _baseline_assist_procs(owed: Owed, *, workers: FloatArray) -> FloatArray:
    """Ps on baseline assists, the assists of a cycle whose runway is long enough; ``workers`` Ps do the rest.

    x = workers * share / (1 - share)
    """
    return workers * owed.baseline_share / (1.0 - owed.baseline_share)


def _open_shares(conditions: MarkConditions, owed: Owed, assist_limit: FloatArray | None) -> Shares:
    """Shares in an open loop: the mutator uses the demanded Ps within the heap goal, idle workers use the rest.

    Baseline assists come first: if arrivals use every P, assists take Ps from the mutator, as in a closed loop.
    """
    free = conditions.gomaxprocs - conditions.background_procs
    asked = np.minimum(conditions.mutator_procs, free)
    baseline = _baseline_assist_procs(owed, workers=conditions.background_procs)
    wanted = np.minimum(asked, np.maximum(free - baseline, 0.0))
    allowed = (
        conditions.gomaxprocs / owed.debt_plus_1
    )  # Ps on the mutator with which marking ends at the goal
    mutator = np.minimum(wanted, allowed)
    assist = _open_assist(conditions, mutator, owed, wanted / allowed)
    if assist_limit is not None:
        limited = assist_limit < assist
        assist = np.where(limited, assist_limit, assist)
        mutator = np.where(limited, np.minimum(asked, free - assist), mutator)
    return mutator, assist, np.maximum(free - assist - mutator, 0.0)


def assist_debt_factor(debt: Real) -> Real:
    """Assist debt before credit arrives over that debt with the pacer's runway; 0.05 to 1.

    With the pacer's runway the debt per mutator CPU second is 1/3, because a quarter of the CPU on workers pays for
    three quarters on the mutator. The trigger's upper bound leaves a longer runway and a smaller debt.
    """
    share: Real = minimum(maximum(4.0 * debt / (1.0 + debt), 0.05), 1.0)
    return share


def idle_displaced(pressure: FloatArray) -> FloatArray:
    """The share of idle workers' Ps that assists take, 0 to 1; ``pressure`` as in ``_open_assist``."""
    return np.minimum(np.maximum((pressure - 0.8) / 0.4, 0.0), 1.0)


def _open_assist(
    conditions: MarkConditions, mutator: FloatArray, owed: Owed, pressure: FloatArray
) -> FloatArray:
    """Ps on assists in an open loop, where idle workers and assists share the marking.

    ``pressure`` is the demanded mutator Ps over the mutator Ps with which the heap ends at its goal. Near 1, credit is
    spent as soon as it is earned and assists displace idle workers; well above 1 no P is idle. Position and width of
    the transition are measured (order service, open loop, Go 1.27: half-way at 1).
    """
    displaced = idle_displaced(pressure)
    marking = conditions.gomaxprocs - mutator
    room = marking - conditions.background_procs
    baseline = np.minimum(owed.baseline_share * marking, room)
    return baseline + (room - baseline) * displaced
