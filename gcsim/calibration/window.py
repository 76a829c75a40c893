"""Which cycles of a log show the service at work: warm-up and shutdown left out."""

import numpy as np

from gcsim.calibration.evidence import Evidence, FloatArray

WARM_SHARE = 0.9  # of the live heap soon after: where warm-up ends
_CYCLES_AHEAD, _PARTS = 5, 10  # what is soon: a tenth of the log's cycles, and no fewer than five
PACER_MEMORY_CYCLES = 5  # Go 1.21+ takes the largest of five measurements; start-up's are among the first
MAX_WARM_UP_SHARE = 0.5  # of all cycles


def working_window(evidence: Evidence) -> slice:
    """The rows after warm-up and before shutdown.

    Warm-up ends when the live heap first reaches 90 % of the median of the cycles that follow, and the pacer
    has then forgotten start-up's measurements; at most half of the log is left out. Steps, ramps and leaks that come
    later are the service at work. A forced cycle at the
    very end is a shutdown's.
    """
    count = len(evidence)
    live = evidence.live_bytes
    first = _first_warm(live)
    first = min(first + min(PACER_MEMORY_CYCLES, count // 10), int(count * MAX_WARM_UP_SHARE))
    last = count
    while last > first + 2 and not evidence.natural[last - 1]:
        last -= 1
    return slice(first, last)


def cycles_since_start(evidence: Evidence) -> int:
    """Cycles between the one that first found the service at work and the working window, 0 or more.

    A short log's window follows start-up closely: heaps still climb there, for each cycle's goal counts what the
    cycle before allocated while it marked.
    """
    return max(int(working_window(evidence).start) - _first_warm(evidence.live_bytes) - 1, 0)


def _first_warm(live: FloatArray) -> int:
    """The first cycle after which the live heap no longer grows as it does while it is built up."""
    ahead = max(_CYCLES_AHEAD, live.size // _PARTS)
    for i in range(live.size):
        if live[i] >= WARM_SHARE * float(np.median(live[i : i + ahead])):
            return i
    return 0
