"""One mark phase as a fluid: how long it lasts, who marks, and how much is allocated meanwhile.

An approximation of what the event engine plays out Go by Go: shares of the processors are constant while a
cycle marks. Within a phase the runtime's assist ratio moves and credit comes in bursts;
``assist_cpu_share`` carries the net of that, measured on the calibrated log. Direction and limits: the
ratio's rise late in a phase that goes badly is replaced by the condition that the heap reaches its goal just
when marking ends, which is what the rise brings about.
"""

from dataclasses import dataclass, replace

import numpy as np

from gcsim.arrays import FloatArray, Real

# An assist that meets an empty runway owes more than it can pay: it marks for as long as marking lasts.
_MAX_DEBT = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkConditions:
    """What a mark phase meets; arrays of one shape, one element per lane. A "P" is one processor."""

    mark_cpu_seconds: FloatArray  # CPU that this cycle's marking takes, whoever does it
    runway_bytes: FloatArray  # from heapLive at the start to the heap goal, 0 or more
    alloc_bytes_per_cpu_second: FloatArray  # of mutator time while marking
    gomaxprocs: FloatArray
    background_procs: FloatArray  # Ps on dedicated and fractional workers
    busy_procs: FloatArray  # closed loop: Ps on mutator and assists together
    mutator_procs: FloatArray  # open loop: Ps on the mutator, assists left out
    open_loop: bool  # of every lane
    assist_cpu_share: FloatArray  # of mark CPU, in a cycle with runway to spare


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkPhase:
    """What came of it; arrays of one shape. CPU times are seconds."""

    duration_seconds: FloatArray
    allocated_bytes: FloatArray
    assist_cpu_seconds: FloatArray
    background_cpu_seconds: FloatArray
    idle_cpu_seconds: FloatArray

    def prolonged(self, factor: FloatArray, runway_bytes: FloatArray) -> "MarkPhase":
        """The same marking taking ``factor`` times as long, for threads that were off their cores meanwhile.

        The program allocates on as far as the goal lets it: assists hold it there.
        """
        within = np.maximum(self.allocated_bytes, runway_bytes)
        return replace(
            self,
            duration_seconds=self.duration_seconds * factor,
            allocated_bytes=np.minimum(self.allocated_bytes * factor, within),
        )


def mark_phase(conditions: MarkConditions, assist_procs_limit: FloatArray | None = None) -> MarkPhase:
    """Solves a mark phase for its assists, duration and allocation.

    Let w be the mark CPU, R the runway, a the allocation per mutator CPU second, c the Ps on the mutator and
    x the Ps on assists. Each allocated byte owes w/R of marking (Go 1.19+ ``gcControllerState.revise``).
    Background credit pays for most, but not at once: it is earned in time slices, and an assist pre-pays at least
    64 KiB of work. Where pacing sets the runway, measured programs spend about the same CPU on assists in every
    cycle at any GOGC, less where it is longer (``assist_debt_factor``): the share s of w, and x follows from
    x * duration = s * w. In a closed loop assists take from the mutator (c = busy - x); in an open loop from idle
    workers. Where the heap would then pass its goal, assists do as much more as ends marking at the goal:
    a * c * duration = R.
    ``assist_procs_limit`` is what the GC CPU limiter leaves to assists on average, infinite where it is off.
    """
    debt = mark_debt(conditions)
    share = _open_shares if conditions.open_loop else _closed_shares
    mutator, assist, idle = share(conditions, debt, assist_procs_limit)
    duration = conditions.mark_cpu_seconds / (conditions.background_procs + assist + idle)
    return MarkPhase(
        duration_seconds=duration,
        allocated_bytes=conditions.alloc_bytes_per_cpu_second * mutator * duration,
        assist_cpu_seconds=assist * duration,
        background_cpu_seconds=conditions.background_procs * duration,
        idle_cpu_seconds=idle * duration,
    )


def mark_debt(conditions: MarkConditions) -> FloatArray:
    """CPU seconds of marking that a CPU second of the program owes, with all the work and all the runway ahead."""
    owed = conditions.mark_cpu_seconds * conditions.alloc_bytes_per_cpu_second
    return np.minimum(owed / np.maximum(conditions.runway_bytes, 1.0), _MAX_DEBT)


Shares = tuple[FloatArray, FloatArray, FloatArray]  # Ps on mutator, assists and idle workers


def _closed_shares(conditions: MarkConditions, debt: FloatArray, assist_limit: FloatArray | None) -> Shares:
    """Every P that the workers leave runs the program or its assists, but for ``busy_procs``' shortfall."""
    busy = conditions.busy_procs
    idle = np.maximum(conditions.gomaxprocs - conditions.background_procs - busy, 0.0)
    baseline = _assist_beside(conditions, debt, workers=conditions.background_procs + idle)
    by_goal = (debt * busy - conditions.background_procs - idle) / (1.0 + debt)
    assist = np.clip(np.maximum(baseline, by_goal), 0.0, busy)
    if assist_limit is not None:
        assist = np.minimum(assist, assist_limit)
    return busy - assist, assist, idle


def _assist_beside(conditions: MarkConditions, debt: FloatArray, *, workers: FloatArray) -> FloatArray:
    """Ps on assists at ease where ``workers`` Ps do all else of the marking: the share s of both together."""
    spared = conditions.assist_cpu_share * assist_debt_factor(debt)
    return workers * spared / (1.0 - spared)


def _open_shares(conditions: MarkConditions, debt: FloatArray, assist_limit: FloatArray | None) -> Shares:
    """Idle workers do what the debt leaves, and the mutator what it is asked for while the goal allows it.

    Nor does the mutator get the Ps on which it pays what it owes at ease: where arrivals keep every P busy, assists
    take from it, as in a closed loop.
    """
    free = conditions.gomaxprocs - conditions.background_procs
    asked = np.minimum(conditions.mutator_procs, free)
    baseline = _assist_beside(conditions, debt, workers=conditions.background_procs)
    wanted = np.minimum(asked, np.maximum(free - baseline, 0.0))
    allowed = conditions.gomaxprocs / (1.0 + debt)  # Ps on the mutator with which marking ends at the goal
    mutator = np.minimum(wanted, allowed)
    assist = _open_assist(conditions, mutator, debt, wanted / allowed)
    if assist_limit is not None:
        limited = assist_limit < assist
        assist = np.where(limited, assist_limit, assist)
        mutator = np.where(limited, np.minimum(asked, free - assist), mutator)
    return mutator, assist, np.maximum(free - assist - mutator, 0.0)


def assist_debt_factor(debt: Real) -> Real:
    """What assists owe before credit comes, over what they owe where pacing sets the runway; 0.05 to 1.

    There the marking owed per second of the program is 1/3, for workers' quarter is planned to pay for the program's
    three quarters. The trigger's ceiling leaves a longer runway, and less is owed.
    """
    share: Real = np.clip(4.0 * debt / (1.0 + debt), 0.05, 1.0)
    return share


def idle_displaced(pressure: FloatArray) -> FloatArray:
    """The part of idle workers' Ps that assists take, 0 to 1, at a ``pressure`` as in ``_open_assist``."""
    return np.clip((pressure - 0.8) / 0.4, 0.0, 1.0)


def _open_assist(
    conditions: MarkConditions, mutator: FloatArray, debt: FloatArray, pressure: FloatArray
) -> FloatArray:
    """Ps on assists in an open loop, where idle workers do what assists leave.

    ``pressure`` is the Ps that the mutator wants over those with which the heap just meets its goal. As it nears
    one, credit is spent as soon as it is earned and assists displace idle workers; well above one no P is idle.
    The transition's place and width are measured (order service, open loop, Go 1.27: half-way at one).
    """
    displaced = idle_displaced(pressure)
    marking = conditions.gomaxprocs - mutator
    room = marking - conditions.background_procs
    baseline = np.minimum(conditions.assist_cpu_share * assist_debt_factor(debt) * marking, room)
    return baseline + (room - baseline) * displaced
