"""The scavenger in single steps: its controller, and the pages that an allocation must release."""

import math
from dataclasses import dataclass

from gcsim.arrays import BoolOrArray, NumberOrArray, Real
from gcsim.goruntime.arithmetic import maximum, minimum, where
from gcsim.goruntime.scavenger import CPU_SHARE, released_bytes_per_second

QUANTUM_BYTES = 64 * 1024  # scavengeQuantum: released at once
MIN_WORK_NS = 1e6  # minScavWorkTime: a batch lasts at least this
STARTING_SLEEP_RATIO = 0.001  # startingScavSleepRatio, also the fallback
COOLDOWN_NS = 5e9  # fixed sleeping after the controller has failed
_KP, _TI_NS, _TT_NS = 0.3375, 3.2e6, 1e9
_MIN_RATIO, _MAX_RATIO = 0.001, 1000.0


def allocation_scavenge_bytes(
    scavenged_bytes: NumberOrArray,
    growth_bytes: NumberOrArray,
    *,
    mapped_ready_bytes: NumberOrArray,
    memory_limit_bytes: NumberOrArray,
    heap_retained_bytes: NumberOrArray,
    gc_percent_goal_bytes: NumberOrArray,
    limiting: BoolOrArray,
) -> NumberOrArray:
    """Bytes that an allocation of pages must release first; its time counts as assist time for the CPU limiter.

    ``scavenged_bytes`` is the pages of the new span that are not resident, ``growth_bytes`` the growth of the heap for
    it. If ``limiting``, the CPU limiter is on, and memory may pass the limit. Source: ``mheap.allocSpan``.
    """
    over_limit = maximum(scavenged_bytes + mapped_ready_bytes - memory_limit_bytes, 0)
    over_limit = where(limiting, 0, over_limit)
    overage = maximum(heap_retained_bytes + growth_bytes - gc_percent_goal_bytes, 0)
    return maximum(over_limit, minimum(growth_bytes, overage))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScavengerPace:
    """State of the background scavenger's controller (``scavengerState``)."""

    sleep_ratio: float = STARTING_SLEEP_RATIO  # time worked / time slept
    error_integral: float = 0.0
    cooldown_ns: float = 0.0

    def sleep_ns(self, worked_ns: float) -> int:
        """The sleep after a batch, ns; a batch counts as 1 ms at least. ``scavengerState.sleep``."""
        return int(max(worked_ns, MIN_WORK_NS) / self.sleep_ratio)

    def after_sleep(self, worked_ns: float, slept_ns: float, *, gomaxprocs: int) -> "ScavengerPace":
        """The pace after a batch and its sleep: a PI step toward 1 % of GOMAXPROCS.

        A controller that overflows is reset and stays at its start value for 5 s. Source: ``scavengerState.sleep``,
        ``piController.next``.
        """
        worked_ns = max(worked_ns, MIN_WORK_NS)
        period_ns = slept_ns + worked_ns
        if self.cooldown_ns > 0:
            left_ns = max(self.cooldown_ns - period_ns, 0.0)
            return ScavengerPace(
                sleep_ratio=self.sleep_ratio, error_integral=self.error_integral, cooldown_ns=left_ns
            )
        error = CPU_SHARE - worked_ns / (period_ns * gomaxprocs)
        raw = _KP * error + self.error_integral
        ratio = min(max(raw, _MIN_RATIO), _MAX_RATIO)
        integral = (
            self.error_integral + (_KP * period_ns / _TI_NS) * error + period_ns / _TT_NS * (ratio - raw)
        )
        if not (math.isfinite(raw) and math.isfinite(integral)):
            return ScavengerPace(cooldown_ns=COOLDOWN_NS)
        return ScavengerPace(sleep_ratio=ratio, error_integral=integral)


def heap_retained_after_bytes(
    heap_retained_bytes: Real,
    *,
    goal_bytes: Real,
    seconds: Real,
    gomaxprocs: Real,
) -> Real:
    """Heap in use + heap free after ``seconds`` of background scavenging toward the lower of its goals.

    The result holds before the next peak. At the peak the value is the larger of this and heap in use. With NO_GOAL
    nothing is released.
    """
    fallen = heap_retained_bytes - released_bytes_per_second(gomaxprocs) * seconds
    return minimum(heap_retained_bytes, maximum(fallen, goal_bytes))
