"""Memory outside the heap, solved from heap goals under a memory limit."""

import math

import numpy as np

from gcsim.arrays import FloatArray, Int64Array
from gcsim.calibration.evidence import Evidence
from gcsim.calibration.memory.measurements import MemoryEvidence, OutsideHeap
from gcsim.calibration.stats.standard_error import printing_error
from gcsim.goruntime.pacer import gc_percent_heap_goal_bytes, heap_minimum_bytes
from gcsim.goruntime.versions import GoRules, rules_for
from gcsim.settings import Settings

_FEWEST_GOALS = 6
_CLEAR_OF = 0.03  # relative: a goal this close to the GOGC goal or to heapMarked may not be set by the limit
_LEAST_ERROR = 0.01


class GctraceGoals:
    """The heap goals that a memory limit set, in the log itself."""

    def measurements(self, cycles: Evidence, settings: Settings) -> MemoryEvidence:
        """Memory outside the heap, from each goal: the limit less the goal."""
        return MemoryEvidence(limited=outside_heap(cycles, settings, rules_for(settings.go)))


def outside_heap(evidence: Evidence, settings: Settings, rules: GoRules) -> OutsideHeap | None:
    """Memory that counts against the limit outside objects and free pages; None if the limit set too few goals.

    goal = limit - outside - headroom (``memory_limit_heap_goal_bytes``), solved for outside. Goals close to the GOGC
    goal or to heapMarked only bound that memory; they are left out.
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
    limited = np.isfinite(goal) & (goal < (1 - _CLEAR_OF) * gc_goal) & (goal > (1 + _CLEAR_OF) * marked)
    if int(limited.sum()) < _FEWEST_GOALS:
        return None
    keep = 1.0 - rules.limit_headroom_percent / 100.0
    available = np.maximum(goal[limited] / keep, goal[limited] + rules.limit_headroom_min_bytes)
    outside = settings.gomemlimit_bytes - available
    steps = evidence.heap_step_bytes[after][limited]
    error = math.hypot(
        float(outside.std()) / math.sqrt(outside.size),
        printing_error(goal[limited], steps),
        _LEAST_ERROR * float(available.mean()),
    )
    return OutsideHeap(
        bytes=float(outside.mean()),
        error_bytes=error,
        heap_peak_bytes=float(evidence.heap_end_bytes[after][limited].mean()),
    )
