"""The scavenger: when the runtime returns free pages to the operating system.

The background scavenger returns free pages, at 1 % of CPU, while one of two goals is not met. An allocation that would
pass the memory limit, or that grows the heap past the first goal, returns pages itself before it continues.

    goal from GOGC    heap in use + heap free <= 1.1 x heap in use at the last mark end x next goal / last goal
    goal from limit   mappedReady <= 0.95 x GOMEMLIMIT   (95 x, so never, in Go 1.19 to 1.21)

The runtime sets both goals when marking ends. It returns pages from the highest address down. Since Go 1.21 the
background scavenger skips 4 MiB chunks that are over 96.9 % in use. Sizes are bytes, numbers or arrays.

Measured (linux/amd64, a heap of 300 MiB that dies at once, 1 and 2 Ps): Go 1.21, 1.24 and 1.27 release 8.5 to 16 GiB
per CPU second, median 12 (64 KiB per call). 1 % of CPU then releases about 120 MiB per second and P, so that a peak is
returned a second or two after the cycle that finds it dead. Measured rates: 100-160 MiB/s at P=1, over 240 at P=2.

Source: Go 1.19+ ``gcPaceScavenger``, ``scavengerState.run`` and ``sleep``, ``piController.next``,
``mheap.allocSpan``.
"""

from gcsim.arrays import BoolOrArray, Integer, NumberOrArray, Real
from gcsim.goruntime.arithmetic import maximum, minimum, to_float64, truncate_to_int64, where
from gcsim.goruntime.versions import GoRules
from gcsim.units import MAX_INT64

NO_GOAL = MAX_INT64  # the runtime's ^uint64(0): nothing to release
PHYSICAL_PAGE_BYTES = 4096
RETAIN_EXTRA_DIVISOR = 10  # retainExtraPercent: a tenth more than the goal needs stays
CPU_SHARE = 0.01  # scavengePercent, of GOMAXPROCS
_FAR_ABOVE_ANY_HEAP_BYTES = float(2**61)  # bound, so that a tenth more is still an int64

RELEASE_BYTES_PER_CPU_SECOND = 12.5e9  # measured prior, see above; 9e9 to 17e9


def gc_percent_scavenge_goal_bytes(
    last_heap_in_use_bytes: Integer,
    heap_goal_bytes: Integer | int,
    last_heap_goal_bytes: Integer | int,
    *,
    heap_retained_bytes: Integer | int,
) -> Integer:
    """The scavenger's goal from GOGC for heap in use + heap free, bytes.

    The result is NO_GOAL before the first mark end and if the goal is met within a page. ``last_heap_in_use_bytes`` is
    heap in use at the last mark end, ``last_heap_goal_bytes`` the heap goal of that cycle, ``heap_goal_bytes`` the heap
    goal of the next. Source: Go 1.19+ ``gcPaceScavenger``.
    """
    last_goal = maximum(last_heap_goal_bytes, 1)
    ratio = to_float64(heap_goal_bytes) / to_float64(last_goal)
    scaled = minimum(to_float64(last_heap_in_use_bytes) * ratio, _FAR_ABOVE_ANY_HEAP_BYTES)
    goal: Integer = truncate_to_int64(scaled)
    goal = goal + goal // RETAIN_EXTRA_DIVISOR
    goal = (goal + PHYSICAL_PAGE_BYTES - 1) // PHYSICAL_PAGE_BYTES * PHYSICAL_PAGE_BYTES
    met = (heap_retained_bytes - goal < PHYSICAL_PAGE_BYTES) | (last_heap_goal_bytes == 0)
    aim: Integer = where(met, NO_GOAL, goal)
    return aim


def memory_limit_scavenge_goal_bytes(
    mapped_ready_bytes: Integer, memory_limit_bytes: Integer | int, *, rules: GoRules
) -> Integer:
    """The scavenger's goal from the memory limit for mappedReady, bytes; NO_GOAL if it is met.

    Up to Go 1.21 the runtime by mistake multiplies the limit by 100 - 5 instead of 1 - 5/100, so that the goal is
    always met. Source: Go 1.19+ ``gcPaceScavenger``.
    """
    if rules.scavenge_limit_goal_percent is None:
        never_due: Integer = where(mapped_ready_bytes < 0, mapped_ready_bytes, NO_GOAL)
        return never_due
    percent = rules.scavenge_limit_goal_percent / 100.0
    product = minimum(to_float64(memory_limit_bytes) * percent, _FAR_ABOVE_ANY_HEAP_BYTES)
    goal = truncate_to_int64(product)
    aim: Integer = where(mapped_ready_bytes <= goal, NO_GOAL, goal)
    return aim


def background_scavenger_works(
    heap_retained_bytes: NumberOrArray,
    mapped_ready_bytes: NumberOrArray,
    *,
    gc_percent_goal_bytes: NumberOrArray,
    limit_goal_bytes: NumberOrArray,
) -> BoolOrArray:
    """Whether one of the goals is not met; tested before each quantum. ``scavengerState.shouldStop``."""
    return (heap_retained_bytes > gc_percent_goal_bytes) | (mapped_ready_bytes > limit_goal_bytes)


def released_bytes_per_second(
    gomaxprocs: Real, *, bytes_per_cpu_second: float = RELEASE_BYTES_PER_CPU_SECOND
) -> Real:
    """The background scavenger's steady rate, bytes per second of wall time; reached within about a second."""
    return CPU_SHARE * gomaxprocs * bytes_per_cpu_second
