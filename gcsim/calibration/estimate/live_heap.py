"""How mark CPU grows with the heap around the live objects: a prior, for one log shows one heap size.

Where what dies lies between what lives, live objects lie further apart in a larger heap, on more cache lines and
pages. Where whole spans die together they do not. Free slots of swept spans tell the two apart.

Slopes of log mark CPU over log (peak / live), roots aside, of 33 programs on Go 1.27 at GOGC 25 to 400 and under
limits: -0.4 (a cache in a linked list, which one worker can follow at a time) to 0.7 (logs of which a random part
stays), mean 0.15, standard deviation 0.21; the same program's on Go 1.19 to 1.26 are like it. Where hardly a slot of
swept spans was free, 0 to 0.27 with a mean of 0.085 in 10 programs, standard deviation 0.08; in the others 0.19 and
0.24. A little more is taken, for so few programs leave both open.
"""

from gcsim.calibration.memory.counted import CountedMemory
from gcsim.service.parameters import Parameter

_SOURCE = "prior: measured on Go 1.27"
_UNKNOWN = Parameter(0.14, 2.0, f"{_SOURCE}, -0.4 to 0.7 by program", "prior")
_SPANS_DIE_WHOLE = Parameter(0.085, 1.3, f"{_SOURCE}, where whole spans die together", "prior")
_SPANS_LIVE_ON = Parameter(0.19, 1.35, f"{_SOURCE}, where what dies lies between what lives", "prior")
_HARDLY_ANY = 0.05  # slot garbage share


def heap_exponent(counted: CountedMemory | None) -> Parameter:
    """The exponent of (peak / live) in mark CPU, by what the runtime's counts say of free slots; None: not read."""
    if counted is None:
        return _UNKNOWN
    return _SPANS_DIE_WHOLE if counted.slot_garbage_share < _HARDLY_ANY else _SPANS_LIVE_ON
