"""Classification of heap goals: GOGC goals follow heapMarked, limit goals stay constant."""

from dataclasses import dataclass

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.evidence import Evidence
from gcsim.goruntime.pacer import DEFAULT_HEAP_MINIMUM_BYTES
from gcsim.units import MIB

_FEWEST = 5  # goals
_PRINTED_SD = 0.41 * MIB  # of a goal that is truncated to whole MiB
_SAME = 0.02  # relative spread of constant goals
_SIGMAS = 4.0  # of the correlation between goals and heapMarked of the cycle before
_HEADROOM, _METADATA_BYTES = (
    1.05,
    6.0 * MIB,
)  # a limit over its goal: 3 % headroom and metadata; and at least 6 MiB
_STACKS = 2.0  # allocated over scanned, roughly
_DIGITS = 2  # significant digits of a suggested limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Goals:
    """The heap goals of a log's working window, compared with heapMarked of the cycle before each."""

    median_bytes: float
    spread_bytes: float  # standard deviation, from the 10th and 90th percentiles
    follow_marked: bool  # whether goals correlate with heapMarked of the cycle before, beyond chance
    stack_bytes: float

    @property
    def constant(self) -> bool:
        """Whether the goals are constant and do not follow heapMarked."""
        still = self.spread_bytes <= max(_SAME * self.median_bytes, _PRINTED_SD)
        return still and not self.follow_marked

    @property
    def limit_bytes(self) -> int:
        """A round GOMEMLIMIT that approximately gives such goals, in bytes."""
        whole = (_HEADROOM * self.median_bytes + _METADATA_BYTES + _STACKS * self.stack_bytes) / MIB
        step = 10 ** max(int(np.log10(max(whole, 1.0))) + 1 - _DIGITS, 0)
        return int(np.ceil(whole / step) * step) * MIB


def goals_of(printed: Evidence, window: slice) -> Goals | None:
    """The goals of a log of Go 1.18 or later, from its sizes as printed.

    None if the log holds fewer than six cycles, or if fewer than five goals are above the minimum heap.
    """
    if len(printed) <= _FEWEST:
        return None
    evidence = printed.select(window)
    goal = evidence.heap_goal_bytes[1:]
    marked = (evidence.heap_marked_bytes + evidence.stack_bytes + evidence.globals_bytes)[:-1]
    usable = evidence.follows & np.isfinite(goal) & (goal > DEFAULT_HEAP_MINIMUM_BYTES + 2 * MIB)
    goal, marked = goal[usable], marked[usable]
    if goal.size < _FEWEST:
        return None
    return Goals(
        median_bytes=float(np.median(goal)),
        spread_bytes=_spread(goal),
        follow_marked=_correlated(goal, marked),
        stack_bytes=float(evidence.stack_bytes.mean()),
    )


def _correlated(goal: FloatArray, marked: FloatArray) -> bool:
    """Whether goals and heapMarked are positively correlated beyond chance (Student's t of the correlation)."""
    if float(np.ptp(goal)) == 0 or float(np.ptp(marked)) == 0:
        return False
    found = min(float(np.corrcoef(goal, marked)[0, 1]), 1.0 - 1e-12)
    return found > 0 and found * np.sqrt((goal.size - 2) / (1.0 - found**2)) > _SIGMAS


def _spread(values: FloatArray) -> float:
    low, high = (float(q) for q in np.quantile(values, (0.1, 0.9)))
    return (high - low) / 2.563
