"""Background mark workers: how many Ps mark, and when a fractional worker starts.

While a cycle marks, the runtime aims to use a quarter of GOMAXPROCS for it. A *dedicated* worker keeps its P until
marking ends. If rounding to whole Ps misses the aim by more than 30 %, every other P runs a *fractional* worker for a
share of its time. *Idle* workers run on Ps that have no other work.

Counts are ``int`` or ``int64`` arrays; the form of the first argument is the form of the result. Source: Go 1.19 to
1.27 ``gcControllerState.startCycle``, ``assignWaitingGCWorker`` (``findRunnableGCWorker`` up to 1.25),
``pollFractionalWorkerExit``. The rounding is the same from Go 1.10 on; the same is assumed for older versions.
"""

from typing import overload

from gcsim.arrays import BoolOrArray, FloatArray, FloatOrArray, Int64Array, Integer, IntOrArray, NumberOrArray
from gcsim.goruntime.arithmetic import filled_like, to_float64, truncate_to_int64, where
from gcsim.goruntime.versions import GoRules

BACKGROUND_UTILIZATION = 0.25  # gcBackgroundUtilization: the workers' share of CPU that the pacer assumes
MAX_UTILIZATION_ERROR = 0.3  # maxUtilError: with a larger rounding error there are fractional workers
FRACTIONAL_EXIT_SLACK = 1.2  # pollFractionalWorkerExit: a worker stops at this multiple of its share
DRAIN_CHECK_BYTES = 100_000  # drainCheckThreshold: scan work between two checks whether to stop
FORCE_PREEMPT_NS = 10_000_000  # forcePreemptNS: sysmon's time slice, for all but dedicated workers
# Mean time slice of a goroutine that does not block: preemption is up to 10 ms late (sysmon, retake)
MEAN_SLICE_NS = 3 * FORCE_PREEMPT_NS // 2


@overload
def dedicated_workers(gomaxprocs: float) -> int: ...
@overload
def dedicated_workers(gomaxprocs: Int64Array | FloatArray) -> Int64Array: ...
@overload
def dedicated_workers(gomaxprocs: NumberOrArray) -> IntOrArray: ...
def dedicated_workers(gomaxprocs: NumberOrArray) -> IntOrArray:
    """Number of dedicated workers: P/4 rounded half up, or down if rounding up is over 30 % off.

    Rounding is more than 30 % off only at P = 1, 2, 3 and 6. Source: ``startCycle``.
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
    """The share of time that a P without a dedicated worker gives to a fractional worker; 0 if none is needed.

        (P/4 - dedicated workers) / P

    The runtime divides by all P and not by the remaining Ps. At P = 6 fractional workers therefore give only 5/6 of the
    missing part. Source: ``startCycle``.
    """
    aim = to_float64(gomaxprocs) * BACKGROUND_UTILIZATION
    too_far = _rounds_too_far(aim, truncate_to_int64(aim + 0.5))
    return where(too_far, (aim - dedicated_workers(gomaxprocs)) / gomaxprocs, 0.0)


def _rounds_too_far(aim: FloatOrArray, rounded: IntOrArray) -> BoolOrArray:
    """Whether rounding is more than 30 % off."""
    error = rounded / aim - 1.0
    return (error < -MAX_UTILIZATION_ERROR) | (error > MAX_UTILIZATION_ERROR)


@overload
def background_share(gomaxprocs: int) -> float: ...
@overload
def background_share(gomaxprocs: Int64Array) -> FloatArray: ...
def background_share(gomaxprocs: NumberOrArray) -> NumberOrArray:
    """The real share of GOMAXPROCS that background workers use while marking: 0.2 (P=5) to 0.3 (P=10).

    The pacer assumes a quarter. With fractional workers the result is a lower bound: a fractional worker may reach
    FRACTIONAL_EXIT_SLACK times its share before it stops, and starts again only when it is back at its share.
    """
    dedicated = dedicated_workers(gomaxprocs)
    return (dedicated + fractional_utilization_goal(gomaxprocs) * (gomaxprocs - dedicated)) / gomaxprocs


def max_idle_workers(gomaxprocs: Integer, *, periodic: bool, rules: GoRules) -> Integer:
    """The largest number of idle workers at once: P less dedicated workers; P before Go 1.19.

    In a ``periodic`` (two-minute) cycle it is 0, or 1 without a dedicated worker, because the runtime may not schedule
    fractional workers alone. Source: Go 1.19+ ``startCycle``, ``setMaxIdleMarkWorkers``.
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
    """Whether a P that schedules now starts a fractional worker: its marked share is at most ``goal``.

    ``marked_ns`` is the time that this P has run a fractional worker in this cycle.
    Source: Go 1.26+ ``assignWaitingGCWorker``, before ``findRunnableGCWorker``.
    """
    if goal == 0.0:
        return False
    return since_mark_start_ns <= 0 or marked_ns / since_mark_start_ns <= goal
