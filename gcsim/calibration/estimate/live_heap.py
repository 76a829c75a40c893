"""The exponent of heap growth in mark CPU: a prior, because one log shows one heap size.

Mark CPU is proportional to (peak / live) ** exponent. If garbage lies between live objects, a larger heap spreads the
live objects over more cache lines and pages. If whole spans die together, it does not. The share of free slots in
swept spans distinguishes the two cases.

Slope of log mark CPU over log (peak / live), without roots, in 33 programs on Go 1.27 at GOGC 25 to 400 and under
limits:

- all programs: mean 0.15, standard deviation 0.21; from -0.4 (a cache in a linked list, which one worker follows at a
  time) to 0.7 (logs with a random part that stays live); the same programs on Go 1.19 to 1.26 agree;
- 10 programs with almost no free slots in swept spans: mean 0.085, standard deviation 0.08, from 0 to 0.27;
- the others: mean 0.19, standard deviation 0.24.

The priors below are slightly wider because the samples are small.
"""

from gcsim.calibration.memory.measurements import CountedMemory
from gcsim.service.parameters import Parameter

_SOURCE = "prior: measured on Go 1.27"
_UNKNOWN = Parameter(0.14, 2.0, f"{_SOURCE}, -0.4 to 0.7 by program", "prior")
_SPANS_DIE_WHOLE = Parameter(0.085, 1.3, f"{_SOURCE}, whole spans die together", "prior")
_SPANS_STAY = Parameter(0.19, 1.35, f"{_SOURCE}, garbage lies between live objects", "prior")
_FEW_FREE_SLOTS = 0.05  # slot_garbage_share


def heap_exponent(counted: CountedMemory | None) -> Parameter:
    """The prior of the exponent of (peak / live) in mark CPU, by the counted free slots; ``counted`` None: not read."""
    if counted is None:
        return _UNKNOWN
    return _SPANS_DIE_WHOLE if counted.slot_garbage_share < _FEW_FREE_SLOTS else _SPANS_STAY
