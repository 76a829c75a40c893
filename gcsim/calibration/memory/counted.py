"""Memory outside the heap from a capture: resident memory, and the runtime's own counters that it sampled."""

import math
from dataclasses import dataclass

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.evidence import Evidence
from gcsim.calibration.memory.measurements import CountedMemory, MemoryEvidence, ProcessMemory
from gcsim.capture.info import CaptureInfo
from gcsim.capture.runtime_counters import HeapAccounts
from gcsim.settings import Settings
from gcsim.units import MIB

# Tails of fresh spans per byte of growth: 0.017 to 0.034 in 8 development programs on Go 1.27, GOGC=100 against 400
_FRESH_TAILS = 0.022
_MOST_RECOUNTED_SHARE = 0.3
_FEWEST_SAMPLES = 8
# Share of a cycle's allocation that is still to come, at most: sweeping has ended there (``free_slot_bytes``); and in
# the part of the line that gives its end, because the line bends slightly in some programs
_SWEPT, _LATE = 0.6, 0.35
_LEAST_ERROR_BYTES = 0.2 * MIB


@dataclass(frozen=True, slots=True)
class CaptureSideFile:
    """The side file of gcsim capture: resident memory, and the runtime's own counters."""

    info: CaptureInfo

    def measurements(self, cycles: Evidence, settings: Settings) -> MemoryEvidence:
        """The peak of resident memory, and the counters' samples within the window."""
        del settings
        return MemoryEvidence(
            process=ProcessMemory.from_capture(self.info),
            counted=counted_memory(self.info.heap_accounts, cycles),
            binary=self.info.binary,
            read_ahead_kib=self.info.read_ahead_kib,
        )


def counted_memory(
    accounts: HeapAccounts | None,
    evidence: Evidence,
    *,
    fewest: int = _FEWEST_SAMPLES,
    is_scraped: bool = False,
) -> CountedMemory | None:
    """Metadata, stacks and free slots, which GOMEMLIMIT counts, from the capture's samples of the runtime's counters.

    From the end of sweeping to mark termination, free slots fall linearly with allocation. Least squares over samples
    late in the cycles give the slope (``slot_garbage_share``) and the end (``unfilled_slot_bytes``). The result is
    None without samples, and with fewer than ``fewest``. Samples from scrapes are few, so that all after sweeping count
    as late, and their heapLive is computed from allocation: it does not show what is recounted.
    """
    if accounts is None or not evidence.follows.any():
        return None
    seconds = np.array(accounts.seconds)
    within = (seconds > evidence.end_seconds[0]) & (seconds < evidence.end_seconds[-1])
    marked, live, in_use, free, outside = (
        np.array(column, dtype=np.float64)[within]
        for column in (
            accounts.heap_marked_bytes,
            accounts.heap_live_bytes,
            accounts.heap_in_use_bytes,
            accounts.free_slot_bytes,
            accounts.outside_spans_bytes,
        )
    )
    share_to_come, growth = _to_come(seconds[within], live - marked, evidence)
    to_come = np.maximum(share_to_come, 0.0) * growth
    swept, late = ((share_to_come < most) & (share_to_come > -0.2) for most in (_SWEPT, _LATE))
    late = swept if is_scraped else late
    if int(late.sum()) < fewest:
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
        recounted_share=None
        if is_scraped
        else _recounted_share(
            (live - (in_use - free))[late], (live - marked)[late], float(evidence.live_bytes.mean())
        ),
    )


def _recounted_share(ahead: FloatArray, grown: FloatArray, live_bytes: float) -> float | None:
    """Growth of heapLive per cycle that is not allocation, over the live heap, from samples late in the cycles.

        heapLive - objects = spans that Ps hold, as far as they were free when taken + tails of fresh spans

    ``ahead`` is the left side and ``grown`` the growth of heapLive since the last cycle, bytes, of one shape. The
    runtime counts an object when its P has left the span. When a cycle starts, half of the spans that Ps hold is
    allocated. None if dead objects are not swept yet: ``ahead`` is then too small.
    """
    held = float(np.median(ahead - _FRESH_TAILS * grown))
    if held <= 0 or float(np.quantile(ahead, 0.1)) <= 0:
        return None
    return min(0.5 * held / max(live_bytes, 1.0), _MOST_RECOUNTED_SHARE)


def _to_come(seconds: FloatArray, grown: FloatArray, evidence: Evidence) -> tuple[FloatArray, FloatArray]:
    """The share of allocation still to come in each sample's cycle, and the cycle's allocation in bytes."""
    after = np.flatnonzero(evidence.follows) + 1
    growth = np.maximum(evidence.heap_end_bytes[after] - evidence.heap_marked_bytes[after - 1], 1.0)
    nearest = np.clip(np.searchsorted(evidence.end_seconds[after], seconds), 0, after.size - 1)
    # a sample of a short cycle may belong to the next one: use the mean of the neighbours
    smooth = np.convolve(np.pad(growth, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")[nearest]
    return 1.0 - grown / smooth, smooth


def _line(x: FloatArray, y: FloatArray, cycles: int) -> tuple[float, float, tuple[float, float]]:
    """Intercept at 0, slope, and their standard errors; errors within one cycle are fully correlated."""
    independent = min(x.size, cycles)
    design = np.stack([np.ones(x.size), x], axis=1)
    (at_zero, slope), *_ = np.linalg.lstsq(design, y, rcond=None)
    spread = float(np.sqrt(np.mean((y - design @ [at_zero, slope]) ** 2)))
    covariance = np.linalg.pinv(design.T @ design / x.size) / independent
    first, second = (spread * math.sqrt(max(float(covariance[k, k]), 0.0)) for k in (0, 1))
    return float(at_zero), float(slope), (first, second)
