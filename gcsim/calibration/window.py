"""The working window of a log: its cycles without warm-up and shutdown."""

import numpy as np

from gcsim.calibration.estimate.live_growth import FEWEST_CYCLES, find_growth
from gcsim.calibration.evidence import Evidence

WARM_SHARE = 0.9  # of the later live heap: warm-up ends there
_STEADY = 0.1  # of the median: the 5th to 95th percentiles of a settled live heap's second half lie within
_CYCLES_AHEAD, _PARTS = (
    5,
    10,
)  # an unsettled heap is compared to the next tenth of the log's cycles, at least five
PACER_MEMORY_CYCLES = 5  # Go 1.21+ takes the largest of five measurements, which include start-up at first
_ENOUGH = 5  # cycles in the second half of the log's time, at least


def service_window(evidence: Evidence) -> slice:
    """The rows that a service is calibrated on: its working window, or all of them if the live heap rises throughout.

    If one rise explains the live heap of a whole short log, there is no warm-up: all cycles show the rise, and the few
    at the end would not.
    """
    working = working_window(evidence)
    count = len(evidence)
    if count - working.start < FEWEST_CYCLES <= count and not is_settled(evidence):
        rise = find_growth(evidence.live_bytes, evidence.start_seconds, "time")
        if not rise.is_none:
            return slice(0, working.stop)
    return working


def working_window(evidence: Evidence) -> slice:
    """The rows after warm-up and before shutdown.

    Warm-up ends ``PACER_MEMORY_CYCLES`` cycles after the live heap first reaches 90 % of the median of the log's
    second half; by then the pacer no longer uses measurements of start-up. The window starts in the first half of the
    log and includes its last five cycles. Halves are halves of time: a growing heap collects often, and one second of
    start-up may hold most of the cycles. If the live heap moves in the second half too, steps, ramps and leaks belong
    to the service, and only the initial growth is left out. Forced cycles at the very end belong to the shutdown.
    The window of a log without cycles is empty.
    """
    count = len(evidence)
    if count == 0:
        return slice(0, 0)
    first = _first_warm(evidence)
    first = min(first + min(PACER_MEMORY_CYCLES, count // 10), _second_half(evidence))
    last = count
    while last > first + 2 and not evidence.natural[last - 1]:
        last -= 1
    return slice(first, last)


def is_settled(evidence: Evidence) -> bool:
    """Whether the live heap of the log's second half is steady."""
    if len(evidence) == 0:
        return False
    later = evidence.live_bytes[_second_half(evidence) :]
    low, high = (float(q) for q in np.quantile(later, (0.05, 0.95)))
    return high - low <= _STEADY * float(np.median(later))


def job_window(evidence: Evidence) -> slice:
    """All rows of a job, whose start and end belong to it; cycles that were forced at the very end are left out."""
    last = len(evidence)
    while last > 2 and not evidence.natural[last - 1]:
        last -= 1
    return slice(0, last)


def cycles_since_start(evidence: Evidence) -> int:
    """Cycles from the first goal that includes the whole live heap to the working window, 0 or more.

    The window of a short log follows start-up closely. Heap peaks still rise there, because each goal includes the
    bytes that the cycle before allocated while marking.
    """
    kept = evidence.live_bytes[_first_warm(evidence)]
    counted = int(np.argmax(evidence.heap_marked_bytes >= kept))  # by the next cycle's goal
    return max(int(working_window(evidence).start) - counted - 1, 0)


def _second_half(evidence: Evidence) -> int:
    """The first row of the second half: of time, or of cycles if that is later or time leaves too few cycles."""
    count, started = len(evidence), evidence.start_seconds
    middle = int(np.searchsorted(started, 0.5 * (started[0] + started[-1])))
    return max(count // 2, min(middle, count - _ENOUGH))


def _first_warm(evidence: Evidence) -> int:
    """The first cycle with a settled live heap; for a heap that keeps moving, the first after its initial growth."""
    live = evidence.live_bytes
    level = float(np.median(live[_second_half(evidence) :]))
    if is_settled(evidence):
        reached = np.flatnonzero(live >= WARM_SHARE * level)
        return int(reached[0]) if reached.size else 0
    ahead = max(_CYCLES_AHEAD, live.size // _PARTS)
    for i in range(live.size):
        if live[i] >= WARM_SHARE * float(np.median(live[i : i + ahead])):
            return i
    return 0
