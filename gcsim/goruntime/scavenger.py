"""The scavenger: when free pages go back to the operating system, and so what stays resident.

In the background, at 1 % of CPU, free pages are returned while one of two goals is unmet; and an allocation
that would pass the memory limit, or grows the heap past the first goal, returns pages itself before it goes
on.

    goal from GOGC    heap in use + heap free <= 1.1 x heap in use at the last mark end x next goal / last goal
    goal from limit   mappedReady <= 0.95 x GOMEMLIMIT   (95 x, so never, in Go 1.19 to 1.21)

Both are set when marking ends. Pages go from the highest address down; since Go 1.21 the background scavenger
leaves 4 MiB chunks alone that are over 96.9 % in use. Sizes are bytes, numbers or arrays.

Measured (linux/amd64, a heap of 300 MiB that dies at once, 1 and 2 Ps): Go 1.21, 1.24 and 1.27 release 8.5 to
16 GiB a CPU second, median 12 (64 KiB a call), so 1 % of CPU is about 120 MiB a second for each P: a spike is
gone a second or two after the cycle that finds it dead, not after minutes. Seen: 100-160 MiB/s at P=1, over
240 at P=2.

Source: Go 1.19+ ``gcPaceScavenger``, ``scavengerState.run`` and ``sleep``, ``piController.next``,
``mheap.allocSpan``.
"""

from gcsim.arrays import BoolOrArray, Integer, NumberOrArray, Real
from gcsim.goruntime.arithmetic import maximum, minimum, to_float64, truncate_to_int64, where
from gcsim.goruntime.versions import GoRules
from gcsim.units import MAX_INT64

NO_GOAL = MAX_INT64  # the runtime's ^uint64(0): nothing to do
PHYSICAL_PAGE_BYTES = 4096
RETAIN_EXTRA_DIVISOR = 10  # retainExtraPercent: keep a tenth more than the goal needs
CPU_SHARE = 0.01  # scavengePercent, of GOMAXPROCS
_FAR_ABOVE_ANY_HEAP_BYTES = float(2**61)  # cap, so that a tenth more is still an int64

RELEASE_BYTES_PER_CPU_SECOND = 12.5e9  # measured prior, see above; 9e9 to 17e9


def gc_percent_scavenge_goal_bytes(
    last_heap_in_use_bytes: Integer,
    heap_goal_bytes: Integer | int,
    last_heap_goal_bytes: Integer | int,
    *,
    heap_retained_bytes: Integer | int,
) -> Integer:
    """What heap in use + heap free may be; NO_GOAL before the first mark end and where met within a page.

    ``last_heap_in_use_bytes`` is heap in use at the mark end just past, ``last_heap_goal_bytes`` that cycle's
    goal, ``heap_goal_bytes`` the next one's. Source: Go 1.19+ ``gcPaceScavenger``.
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
    """What mappedReady may be; NO_GOAL where it is met, and always so before Go 1.22.

    Source: Go 1.19+ ``gcPaceScavenger``; up to 1.21 it multiplies by 100 - 5 where 1 - 5/100 was meant.
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
    """Whether either goal is unmet, asked before each quantum. ``scavengerState.shouldStop``."""
    return (heap_retained_bytes > gc_percent_goal_bytes) | (mapped_ready_bytes > limit_goal_bytes)


def released_bytes_per_second(
    gomaxprocs: Real, *, bytes_per_cpu_second: float = RELEASE_BYTES_PER_CPU_SECOND
) -> Real:
    """The background scavenger's steady rate per second of wall time; it settles within about a second."""
    return CPU_SHARE * gomaxprocs * bytes_per_cpu_second
