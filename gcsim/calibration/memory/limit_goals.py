"""Memory outside the heap, as heap goals under a memory limit tell it."""

import math
from dataclasses import dataclass

import numpy as np

from gcsim.arrays import FloatArray, Int64Array
from gcsim.calibration.evidence import Evidence
from gcsim.calibration.stats.standard_error import printing_error
from gcsim.goruntime.pacer import gc_percent_heap_goal_bytes, heap_minimum_bytes
from gcsim.goruntime.versions import GoRules
from gcsim.settings import Settings

_FEWEST_GOALS = 6
_CLEAR_OF = 0.03  # a goal this close to GOGC's, or to what was marked, may not be the limit's
_LEAST_ERROR = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideHeap:
    """What a limit left out of its goals at mark ends, on average."""

    bytes: float
    error_bytes: float  # standard error
    heap_peak_bytes: float  # of the same cycles, on average


def outside_heap(evidence: Evidence, settings: Settings, rules: GoRules) -> OutsideHeap | None:
    """What counted against the limit beside objects and free pages, where the limit set goals; else None.

    A goal at mark end is the limit less that memory, less the headroom (``memory_limit_heap_goal_bytes``), which is
    turned round here. Goals at GOGC's or at the marked heap tell only a bound, and are left out.
    """
    if settings.gomemlimit_bytes is None or not rules.memory_limit:
        return None
    after = np.flatnonzero(evidence.follows) + 1
    goal, marked = evidence.heap_goal_bytes[after], evidence.heap_marked_bytes[after - 1]
    gc_goal: FloatArray | Int64Array = np.full(goal.shape, np.inf)
    if settings.gogc is not None:
        roots = evidence.stack_bytes[after - 1] + evidence.globals_bytes[after - 1]
        gc_goal = gc_percent_heap_goal_bytes(
            marked.astype(np.int64),
            roots.astype(np.int64),
            0,
            settings.gogc,
            heap_minimum_bytes(settings.gogc),
        )
    told = np.isfinite(goal) & (goal < (1 - _CLEAR_OF) * gc_goal) & (goal > (1 + _CLEAR_OF) * marked)
    if int(told.sum()) < _FEWEST_GOALS:
        return None
    keep = 1.0 - rules.limit_headroom_percent / 100.0
    available = np.maximum(goal[told] / keep, goal[told] + rules.limit_headroom_min_bytes)
    outside = settings.gomemlimit_bytes - available
    steps = evidence.heap_step_bytes[after][told]
    error = math.hypot(
        float(outside.std()) / math.sqrt(outside.size),
        printing_error(goal[told], steps),
        _LEAST_ERROR * float(available.mean()),
    )
    return OutsideHeap(
        bytes=float(outside.mean()),
        error_bytes=error,
        heap_peak_bytes=float(evidence.heap_end_bytes[after][told].mean()),
    )
