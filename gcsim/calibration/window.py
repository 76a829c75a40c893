"""Which cycles of a log show the service at work: warm-up and shutdown left out."""

import numpy as np

from gcsim.calibration.evidence import Evidence

WARM_SHARE = 0.9  # of the later live heap: where warm-up ends
_STEADY = 0.1  # of the median: the log's second half, 5th to 95th percentile, where the live heap has settled
_CYCLES_AHEAD, _PARTS = (
    5,
    10,
)  # what is later where it has not: a tenth of the log's cycles, no fewer than five
PACER_MEMORY_CYCLES = 5  # Go 1.21+ takes the largest of five measurements; start-up's are among the first
_ENOUGH = 5  # cycles that a second half of the log's time must hold to be taken for one


def working_window(evidence: Evidence) -> slice:
    """The rows after warm-up and before shutdown.

    Warm-up ends when the live heap first reaches 90 % of the median of the log's second half, and the pacer has then
    forgotten start-up's measurements; no more is left out than the log's first half, and never its last five cycles.
    Halves are of its time, for a heap that builds up collects often: a second of start-up may hold most of the log's
    cycles. Where the second half moves too,
    steps, ramps and leaks are the service at work, and only the heap's building up is left out. A forced cycle at the
    very end is a shutdown's.
    """
    count = len(evidence)
    first = _first_warm(evidence)
    first = min(first + min(PACER_MEMORY_CYCLES, count // 10), _second_half(evidence))
    last = count
    while last > first + 2 and not evidence.natural[last - 1]:
        last -= 1
    return slice(first, last)


def cycles_since_start(evidence: Evidence) -> int:
    """Cycles between the first whose goal counted all that the service keeps and the working window, 0 or more.

    A short log's window follows start-up closely: heaps still climb there, for each cycle's goal counts what the
    cycle before allocated while it marked.
    """
    kept = evidence.live_bytes[_first_warm(evidence)]
    counted = int(np.argmax(evidence.heap_marked_bytes >= kept))  # by the next cycle's goal
    return max(int(working_window(evidence).start) - counted - 1, 0)


def _second_half(evidence: Evidence) -> int:
    """Where the second half of the log's time begins; of its cycles, where that is later or leaves too few of them."""
    count, started = len(evidence), evidence.start_seconds
    middle = int(np.searchsorted(started, 0.5 * (started[0] + started[-1])))
    return max(count // 2, min(middle, count - _ENOUGH))


def _first_warm(evidence: Evidence) -> int:
    """The first cycle that found the live heap where it stays, or, where it keeps moving, built up."""
    live = evidence.live_bytes
    later = live[_second_half(evidence) :]
    level = float(np.median(later))
    low, high = (float(q) for q in np.quantile(later, (0.05, 0.95)))
    if high - low <= _STEADY * level:
        reached = np.flatnonzero(live >= WARM_SHARE * level)
        return int(reached[0]) if reached.size else 0
    ahead = max(_CYCLES_AHEAD, live.size // _PARTS)
    for i in range(live.size):
        if live[i] >= WARM_SHARE * float(np.median(live[i : i + ahead])):
            return i
    return 0
