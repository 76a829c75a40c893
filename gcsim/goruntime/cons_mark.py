"""cons/mark: the program's allocation rate over the collector's scan rate, measured in each cycle.

    cons_mark = bytes allocated per CPU time of the program / bytes scanned per CPU time of marking

It is the only value that the pacer learns from a cycle. The pacer computes the next runway from it. The functions are
pure rules of ``runtime/mgcpacer.go`` ``endCycle``, on Python numbers or int64/float64 arrays; the form of the first
argument is the form of the result. Times are integer nanoseconds, sizes and scan work integer bytes.
"""

import math
from dataclasses import dataclass
from typing import Generic, overload

import numpy as np

from gcsim.arrays import BoolArray, FloatArray, FloatOrArray, Int64Array, IntOrArray, Real
from gcsim.goruntime.arithmetic import divide, maximum, minimum, to_float64, where
from gcsim.goruntime.versions import GoRules
from gcsim.goruntime.workers import BACKGROUND_UTILIZATION

# consMarkController of Go 1.18 and 1.19: kp 0.9, ti 4 cycles, tt 1000 cycles, output within 1000 of zero
_PROPORTIONAL_GAIN = 0.9
_INTEGRAL_GAIN = 0.9 * 1.0 / 4.0
_RESET_GAIN = 1.0 / 1000.0
_MAX_CONS_MARK = 1000.0


@overload
def mark_utilization(assist_time_ns: int, mark_duration_ns: int, gomaxprocs: int) -> float: ...
@overload
def mark_utilization(
    assist_time_ns: Int64Array, mark_duration_ns: Int64Array | int, gomaxprocs: Int64Array | int
) -> FloatArray: ...
def mark_utilization(
    assist_time_ns: IntOrArray, mark_duration_ns: IntOrArray, gomaxprocs: IntOrArray
) -> FloatOrArray:
    """The share of all CPU that marks: 0.25, which the pacer assumes for the workers, plus the share of assists.

    ``mark_duration_ns`` is the time from the first stop-the-world to mark termination; at 0 the share is 0.25.
    Source: Go 1.18+ ``gcControllerState.endCycle``.
    """
    return BACKGROUND_UTILIZATION + _share_of_cpu(assist_time_ns, mark_duration_ns, gomaxprocs)


@overload
def idle_utilization(idle_mark_time_ns: int, mark_duration_ns: int, gomaxprocs: int) -> float: ...
@overload
def idle_utilization(
    idle_mark_time_ns: Int64Array, mark_duration_ns: Int64Array | int, gomaxprocs: Int64Array | int
) -> FloatArray: ...
def idle_utilization(
    idle_mark_time_ns: IntOrArray, mark_duration_ns: IntOrArray, gomaxprocs: IntOrArray
) -> FloatOrArray:
    """The share of all CPU that idle workers marked with; 0 for a mark phase of duration 0.

    Source: Go 1.18+ ``gcControllerState.endCycle``.
    """
    return _share_of_cpu(idle_mark_time_ns, mark_duration_ns, gomaxprocs)


def _share_of_cpu(cpu_ns: IntOrArray, wall_ns: IntOrArray, gomaxprocs: IntOrArray) -> FloatOrArray:
    """CPU time over wall time x GOMAXPROCS; 0 for a wall time of 0."""
    offered_ns = maximum(wall_ns, 0) * gomaxprocs
    return to_float64(where(offered_ns > 0, cpu_ns, 0)) / to_float64(maximum(offered_ns, 1))


@overload
def measured_cons_mark(
    allocated_bytes: int, scan_work_bytes: int, utilization: float, idle_utilization: float
) -> float: ...
@overload
def measured_cons_mark(
    allocated_bytes: Int64Array,
    scan_work_bytes: Int64Array,
    utilization: FloatArray,
    idle_utilization: FloatArray | float,
) -> FloatArray: ...
def measured_cons_mark(
    allocated_bytes: IntOrArray,
    scan_work_bytes: IntOrArray,
    utilization: FloatOrArray,
    idle_utilization: FloatOrArray,
) -> FloatOrArray:
    """cons/mark of this cycle: allocated bytes per scanned byte, each per CPU time of its side.

        cons_mark = allocated * (u + idle) / (scan_work * (1 - u))

    ``allocated_bytes`` is heapLive at mark end - triggered, more than 0; otherwise the runtime measures nothing
    (``is_measured`` of ``next_cons_mark``). Without scan work, or with u = 1, the result is infinity.
    Source: Go 1.18+ ``gcControllerState.endCycle``.
    """
    return divide(
        to_float64(allocated_bytes) * (utilization + idle_utilization),
        to_float64(scan_work_bytes) * (1.0 - utilization),
    )


@dataclass(frozen=True, slots=True)
class ConsMarkMemory(Generic[Real]):
    """The pacer's memory of cons/mark between cycles; its form depends on the Go version."""

    cons_mark: Real  # the value in force, from which the runway follows
    # max_of_five: four measurements, oldest first; mean_of_two: one measurement; controller: its integral
    kept: tuple[Real, ...]


def initial_cons_mark(form: Real, *, rules: GoRules) -> ConsMarkMemory[Real]:
    """The memory before the first cycle, all zero; ``form`` is a float or an array of the lanes' shape.

    Raises ValueError for a Go version whose pacer has no cons/mark (before 1.18).
    """
    zero = form * 0.0
    kept = {"controller": 1, "mean_of_two": 1, "max_of_five": 4}.get(rules.cons_mark_smoothing)
    if kept is None:
        raise ValueError(f"Go {rules.go} has no cons/mark; its pacer is in pacer_before_119.py")
    return ConsMarkMemory(zero, (zero,) * kept)


def next_cons_mark(
    memory: ConsMarkMemory[Real], measured: Real, is_measured: bool | BoolArray, *, rules: GoRules
) -> ConsMarkMemory[Real]:
    """The memory after a cycle that measured ``measured`` (finite or infinite, not NaN).

    ``is_measured`` is heapLive at mark end > triggered; where it is false, the memory stays. Go 1.18 and 1.19 use a PI
    controller, Go 1.20 the mean of the last two cycles, Go 1.21+ the largest of the last five. With the latter, a rise
    acts at once and a fall after five cycles.
    Source: Go 1.18+ ``gcControllerState.endCycle``.
    """
    match rules.cons_mark_smoothing:
        case "max_of_five":
            updated = _max_of_five(memory, measured)
        case "mean_of_two":
            updated = ConsMarkMemory((measured + memory.kept[0]) / 2.0, (measured,))
        case _:
            updated = _controlled(memory, measured)
    if is_measured is True or (isinstance(is_measured, np.ndarray) and is_measured.all()):
        return updated
    cons_mark = where(is_measured, updated.cons_mark, memory.cons_mark)
    kept = (where(is_measured, new, old) for new, old in zip(updated.kept, memory.kept, strict=True))
    return ConsMarkMemory(cons_mark, tuple(kept))  # type: ignore[arg-type]  # an array of flags comes with arrays


def _max_of_five(memory: ConsMarkMemory[Real], measured: Real) -> ConsMarkMemory[Real]:
    """The memory after a cycle in Go 1.21+."""
    largest: Real = measured
    for earlier in memory.kept:
        largest = maximum(largest, earlier)
    return ConsMarkMemory(largest, memory.kept[1:] + (measured,))  # noqa: RUF005  # mypy cannot type *


def _controlled(memory: ConsMarkMemory[Real], measured: Real) -> ConsMarkMemory[Real]:
    """The memory after one step of the PI controller, with a period of one cycle; an overflow resets it to 0.

    Source: Go 1.19 ``piController.next``.
    """
    (integral,) = memory.kept
    error = measured - memory.cons_mark
    raw = _PROPORTIONAL_GAIN * error + integral
    output = minimum(maximum(raw, -_MAX_CONS_MARK), _MAX_CONS_MARK)
    with np.errstate(invalid="ignore"):  # infinities cancel, and the controller is reset below
        integral = integral + (_INTEGRAL_GAIN * error + _RESET_GAIN * (output - raw))
    finite = (abs(raw) < math.inf) & (abs(integral) < math.inf)
    return ConsMarkMemory(where(finite, output, 0.0), (where(finite, integral, 0.0),))
