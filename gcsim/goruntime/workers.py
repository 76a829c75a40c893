"""Background mark workers: how many Ps mark, and when a fractional worker starts and stops.

The runtime aims to mark with a quarter of GOMAXPROCS while a cycle runs. It does so with *dedicated* workers, each of
which holds a P until marking ends; where rounding to whole Ps misses the aim by more than 30 %, with *fractional*
workers, which every other P runs for a share of its time; and with *idle* workers on Ps that have nothing to do.

Source: Go 1.19 to 1.27 ``runtime.(*gcControllerState).startCycle``, ``assignWaitingGCWorker`` (``findRunnableGCWorker``
up to 1.25), ``pollFractionalWorkerExit``. The rounding rule is the same from Go 1.10 on.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from gcsim.cycles import Int64Array

BACKGROUND_UTILIZATION = 0.25  # gcBackgroundUtilization: what the pacer assumes, whatever the workers do
MAX_UTILIZATION_ERROR = 0.3  # maxUtilError: rounding error beyond which fractional workers make up the rest
FRACTIONAL_EXIT_SLACK = 1.2  # pollFractionalWorkerExit: a worker leaves when this far past its share
DRAIN_CHECK_BYTES = 100_000  # drainCheckThreshold: scan work between two looks at whether to leave
FORCE_PREEMPT_NS = 10_000_000  # forcePreemptNS: sysmon's time slice for whatever is not a dedicated worker

Count = TypeVar("Count", int, Int64Array)
Share = TypeVar("Share", float, NDArray[np.float64])


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkWorkers(Generic[Count, Share]):
    """Worker counts of one cycle; scalars, or arrays of one shape for many lanes."""

    dedicated: Count  # Ps held until marking ends
    fractional_share: Share  # of each other P's time; 0 where no fractional worker is needed


@overload
def mark_workers(gomaxprocs: int) -> MarkWorkers[int, float]: ...
@overload
def mark_workers(gomaxprocs: Int64Array) -> MarkWorkers[Int64Array, NDArray[np.float64]]: ...
def mark_workers(
    gomaxprocs: int | Int64Array,
) -> MarkWorkers[int, float] | MarkWorkers[Int64Array, NDArray[np.float64]]:
    """Dedicated workers and the fractional share for GOMAXPROCS of 1 or more, as ``startCycle`` computes them.

    ``dedicated`` is a quarter of the Ps, rounded half up. Where that is more than 30 % off a quarter (P = 1, 2, 3
    and 6 only), it is rounded down and every P not running a dedicated worker owes ``fractional_share`` of its
    time.
    """
    aim = np.asarray(gomaxprocs, dtype=np.int64) * BACKGROUND_UTILIZATION
    dedicated = (aim + 0.5).astype(np.int64)
    error = dedicated / aim - 1.0
    too_far = (error < -MAX_UTILIZATION_ERROR) | (error > MAX_UTILIZATION_ERROR)
    dedicated = dedicated - (too_far & (dedicated > aim))
    fractional = np.where(too_far, (aim - dedicated) / np.asarray(gomaxprocs), 0.0)
    if isinstance(gomaxprocs, np.ndarray):
        return MarkWorkers(dedicated=dedicated, fractional_share=fractional)
    return MarkWorkers(dedicated=int(dedicated), fractional_share=float(fractional))


@overload
def background_share(gomaxprocs: int) -> float: ...
@overload
def background_share(gomaxprocs: Int64Array) -> NDArray[np.float64]: ...
def background_share(gomaxprocs: int | Int64Array) -> float | NDArray[np.float64]:
    """The share of GOMAXPROCS that dedicated and fractional workers really take while marking, 0.2 to 0.3.

    The pacer takes it to be a quarter. A lower bound where fractional workers run: each may overshoot its share by
    FRACTIONAL_EXIT_SLACK before it leaves, so their part lies between the value here and 1.2 times that.
    """
    if isinstance(gomaxprocs, np.ndarray):
        lanes = mark_workers(gomaxprocs)
        return (
            lanes.dedicated + lanes.fractional_share * (gomaxprocs - lanes.dedicated)
        ) / gomaxprocs.astype(np.float64)
    one = mark_workers(gomaxprocs)
    return (one.dedicated + one.fractional_share * (gomaxprocs - one.dedicated)) / float(gomaxprocs)


@overload
def max_idle_workers(gomaxprocs: int, *, periodic: bool = False, limited: bool = True) -> int: ...
@overload
def max_idle_workers(gomaxprocs: Int64Array, *, periodic: bool = False, limited: bool = True) -> Int64Array: ...
def max_idle_workers(
    gomaxprocs: int | Int64Array, *, periodic: bool = False, limited: bool = True
) -> int | Int64Array:
    """How many idle workers may run at once (``setMaxIdleMarkWorkers`` in ``startCycle``).

    ``periodic`` marks the two-minute cycle: none, or one where there is no dedicated worker, because fractional
    workers alone cannot be relied on to finish. ``limited`` is GoRules.idle_workers_limited (Go 1.19+): before it
    any P with nothing to run might mark.
    """
    dedicated = mark_workers(gomaxprocs).dedicated
    if not limited:
        return gomaxprocs
    if not periodic:
        return gomaxprocs - dedicated
    if isinstance(dedicated, np.ndarray):
        return (dedicated == 0).astype(np.int64)
    return int(dedicated == 0)


def fractional_worker_starts(
    fractional_time_ns: int, since_mark_start_ns: int, *, fractional_share: float
) -> bool:
    """Whether a P that schedules now runs a fractional worker: it is not ahead of its share of the mark phase.

    ``fractional_time_ns`` is what this P has already marked as a fractional worker in this cycle.
    Go 1.26+ ``assignWaitingGCWorker``, before ``findRunnableGCWorker``.
    """
    if fractional_share == 0.0:
        return False
    return since_mark_start_ns <= 0 or fractional_time_ns / since_mark_start_ns <= fractional_share


def fractional_worker_stops(
    fractional_time_ns: int, since_mark_start_ns: int, *, fractional_share: float
) -> bool:
    """Whether a running fractional worker leaves, asked after every DRAIN_CHECK_BYTES of scan work.

    ``fractional_time_ns`` includes the current stretch. ``pollFractionalWorkerExit``.
    """
    if since_mark_start_ns <= 0:
        return True
    return fractional_time_ns / since_mark_start_ns > FRACTIONAL_EXIT_SLACK * fractional_share
