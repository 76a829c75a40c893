"""Background mark workers: how many Ps mark, and when a fractional worker starts and stops.

The runtime aims to mark with a quarter of GOMAXPROCS while a cycle runs. It does so with *dedicated* workers,
each of which holds a P until marking ends; where rounding to whole Ps misses the aim by more than 30 %, with
*fractional* workers, which every other P runs for a share of its time; and with *idle* workers on Ps that
have nothing to do.

Counts are ``int`` or ``int64`` arrays; the form of the first argument is the form of the result. Source: Go
1.19 to 1.27 ``gcControllerState.startCycle``, ``assignWaitingGCWorker`` (``findRunnableGCWorker`` up to
1.25), ``pollFractionalWorkerExit``. The rounding is the same from Go 1.10 on; older versions are taken to be
alike.
"""

from typing import overload

from gcsim.arrays import BoolOrArray, FloatArray, FloatOrArray, Int64Array, Integer, IntOrArray, NumberOrArray
from gcsim.goruntime.arithmetic import filled_like, to_float64, truncate_to_int64, where
from gcsim.goruntime.versions import GoRules

BACKGROUND_UTILIZATION = 0.25  # gcBackgroundUtilization: what the pacer assumes, whatever the workers do
MAX_UTILIZATION_ERROR = 0.3  # maxUtilError: rounding error beyond which fractional workers make up the rest
FRACTIONAL_EXIT_SLACK = 1.2  # pollFractionalWorkerExit: a worker leaves when this far past its share
DRAIN_CHECK_BYTES = 100_000  # drainCheckThreshold: scan work between two looks at whether to leave
FORCE_PREEMPT_NS = 10_000_000  # forcePreemptNS: sysmon's time slice, for all but dedicated workers
MEAN_SLICE_NS = (
    3 * FORCE_PREEMPT_NS // 2
)  # of a goroutine that does not stop: up to 10 ms late (sysmon, retake)


@overload
def dedicated_workers(gomaxprocs: float) -> int: ...
@overload
def dedicated_workers(gomaxprocs: Int64Array | FloatArray) -> Int64Array: ...
@overload
def dedicated_workers(gomaxprocs: NumberOrArray) -> IntOrArray: ...
def dedicated_workers(gomaxprocs: NumberOrArray) -> IntOrArray:
    """Ps that mark until the cycle ends: P/4 rounded half up, or down where that is over 30 % off.

    Rounding is more than 30 % off at P = 1, 2, 3 and 6 only. Source: ``startCycle``.
    """
    aim = to_float64(gomaxprocs) * BACKGROUND_UTILIZATION
    rounded = truncate_to_int64(aim + 0.5)
    return where(_rounds_too_far(aim, rounded) & (rounded > aim), rounded - 1, rounded)


@overload
def fractional_utilization_goal(gomaxprocs: int) -> float: ...
@overload
def fractional_utilization_goal(gomaxprocs: Int64Array) -> FloatArray: ...
@overload
def fractional_utilization_goal(gomaxprocs: NumberOrArray) -> NumberOrArray: ...
def fractional_utilization_goal(gomaxprocs: NumberOrArray) -> NumberOrArray:
    """The share of its time that a P without a dedicated worker owes to a fractional one; 0: none needed.

    Source: ``startCycle``: the P/4 that dedicated workers miss, spread over all P (not over the Ps that
    remain, so that P = 6 reaches 5/6 of what it lacks).
    """
    aim = to_float64(gomaxprocs) * BACKGROUND_UTILIZATION
    too_far = _rounds_too_far(aim, truncate_to_int64(aim + 0.5))
    return where(too_far, (aim - dedicated_workers(gomaxprocs)) / gomaxprocs, 0.0)


def _rounds_too_far(aim: FloatOrArray, rounded: IntOrArray) -> BoolOrArray:
    error = rounded / aim - 1.0
    return (error < -MAX_UTILIZATION_ERROR) | (error > MAX_UTILIZATION_ERROR)


@overload
def background_share(gomaxprocs: int) -> float: ...
@overload
def background_share(gomaxprocs: Int64Array) -> FloatArray: ...
def background_share(gomaxprocs: NumberOrArray) -> NumberOrArray:
    """The share of GOMAXPROCS that background workers really take while marking: 0.2 (P=5) to 0.3 (P=10).

    The pacer takes it to be a quarter. Where fractional workers run this is the lower end: each may pass its
    share by FRACTIONAL_EXIT_SLACK before it leaves, and is let in again only when it has fallen back to its
    share.
    """
    dedicated = dedicated_workers(gomaxprocs)
    return (dedicated + fractional_utilization_goal(gomaxprocs) * (gomaxprocs - dedicated)) / gomaxprocs


def max_idle_workers(gomaxprocs: Integer, *, periodic: bool, rules: GoRules) -> Integer:
    """How many idle workers may run at once: every P not dedicated; before Go 1.19 every P.

    In the ``periodic`` (two-minute) cycle none, or one where there is no dedicated worker, because fractional
    workers alone are not sure to be scheduled. Source: Go 1.19+ ``startCycle``, ``setMaxIdleMarkWorkers``.
    """
    if not rules.idle_workers_limited:
        return gomaxprocs
    dedicated = dedicated_workers(gomaxprocs)
    if periodic:
        periodic_workers: Integer = where(
            dedicated > 0, filled_like(gomaxprocs, 0), filled_like(gomaxprocs, 1)
        )
        return periodic_workers
    return gomaxprocs - dedicated


def fractional_worker_starts(marked_ns: int, since_mark_start_ns: int, *, goal: float) -> bool:
    """Whether a P that schedules now starts a fractional worker: it is not ahead of its share, ``goal``.

    ``marked_ns`` is what this P has marked as a fractional worker in this cycle.
    Source: Go 1.26+ ``assignWaitingGCWorker``, before ``findRunnableGCWorker``.
    """
    if goal == 0.0:
        return False
    return since_mark_start_ns <= 0 or marked_ns / since_mark_start_ns <= goal
