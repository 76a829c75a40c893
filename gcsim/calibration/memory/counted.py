"""What the runtime's own counts, read while the log was captured, say of memory outside the heap."""

import math
from dataclasses import dataclass

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.evidence import Evidence
from gcsim.capture.runtime_counters import HeapAccounts
from gcsim.units import MIB

_FEWEST_LOOKS = 8
# Of a cycle's allocation, what is still to come at most: sweeping is done by then (``free_slot_bytes``); and where the
# line's end is looked for, as it bends a little in some programs
_SWEPT, _LATE = 0.6, 0.35
_LEAST_ERROR_BYTES = 0.2 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedMemory:
    """At the calibrated setting. Bytes; ``error`` is a standard error."""

    outside_spans_bytes: float  # metadata and stacks towards mark ends, on average: stacks come and go
    unfilled_slot_bytes: float  # free in spans in use when marking ends, on average
    unfilled_error_bytes: float
    heap_peak_bytes: float  # at these mark ends, on average
    slot_garbage_share: float  # of what is allocated, that fills slots of swept spans: 0 to 1
    slot_garbage_error: float


def counted_memory(accounts: HeapAccounts | None, evidence: Evidence) -> CountedMemory | None:
    """From the looks within the evidence's time; None where there are too few of them.

    Free slots fall in a straight line with what is allocated, from the end of sweeping to mark end: its slope and its
    end are fitted, by least squares over the later part of all cycles.
    """
    if accounts is None or not evidence.follows.any():
        return None
    seconds = np.array(accounts.seconds)
    within = (seconds > evidence.end_seconds[0]) & (seconds < evidence.end_seconds[-1])
    marked, live, free, outside = (
        np.array(column, dtype=np.float64)[within]
        for column in (
            accounts.heap_marked_bytes,
            accounts.heap_live_bytes,
            accounts.free_slot_bytes,
            accounts.outside_spans_bytes,
        )
    )
    share_to_come, growth = _to_come(seconds[within], live - marked, evidence)
    to_come = np.maximum(share_to_come, 0.0) * growth
    swept, late = ((share_to_come < most) & (share_to_come > -0.2) for most in (_SWEPT, _LATE))
    if int(late.sum()) < _FEWEST_LOOKS:
        return None
    _, slope, (_, slope_error) = _line(to_come[swept], free[swept], len(evidence))
    unfilled, _, (unfilled_error, _) = _line(to_come[late], free[late], len(evidence))
    return CountedMemory(
        outside_spans_bytes=float(outside[late].mean()),
        unfilled_slot_bytes=max(unfilled, 0.0),
        unfilled_error_bytes=max(unfilled_error, _LEAST_ERROR_BYTES),
        heap_peak_bytes=float(evidence.heap_end_bytes.mean()),
        slot_garbage_share=float(np.clip(slope, 0.0, 1.0)),
        slot_garbage_error=slope_error,
    )


def _to_come(seconds: FloatArray, grown: FloatArray, evidence: Evidence) -> tuple[FloatArray, FloatArray]:
    """What is still to be allocated in each look's cycle, as a share of all of it; and all of it, in bytes."""
    after = np.flatnonzero(evidence.follows) + 1
    growth = np.maximum(evidence.heap_end_bytes[after] - evidence.heap_marked_bytes[after - 1], 1.0)
    nearest = np.clip(np.searchsorted(evidence.end_seconds[after], seconds), 0, after.size - 1)
    # a short cycle's look may be the next one's: the mean of its neighbours stands for it
    smooth = np.convolve(np.pad(growth, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")[nearest]
    return 1.0 - grown / smooth, smooth


def _line(x: FloatArray, y: FloatArray, cycles: int) -> tuple[float, float, tuple[float, float]]:
    """Intercept at 0, slope, and their standard errors; the points of one cycle err together."""
    independent = min(x.size, cycles)
    design = np.stack([np.ones(x.size), x], axis=1)
    (at_zero, slope), *_ = np.linalg.lstsq(design, y, rcond=None)
    spread = float(np.sqrt(np.mean((y - design @ [at_zero, slope]) ** 2)))
    covariance = np.linalg.pinv(design.T @ design / x.size) / independent
    first, second = (spread * math.sqrt(max(float(covariance[k, k]), 0.0)) for k in (0, 1))
    return float(at_zero), float(slope), (first, second)
