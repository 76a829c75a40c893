"""The heap goal from GOMEMLIMIT (Go 1.19+).

Sizes are bytes, each an ``int`` or an ``int64`` array; the form of the first argument is the form of the
result. GOMEMLIMIT=off is MAX_INT64 (2^63 - 1), as in the runtime.
"""

from gcsim.arrays import Integer
from gcsim.goruntime.arithmetic import filled_like, maximum, where
from gcsim.goruntime.versions import GoRules
from gcsim.units import MAX_INT64


def non_heap_bytes(
    mapped_ready_bytes: Integer, heap_free_bytes: Integer | int, heap_alloc_bytes: Integer | int
) -> Integer:
    """Memory that counts against the limit and holds neither heap objects nor free pages, bytes.

        non_heap = mapped_ready - heap_free - heap_alloc

    These are stacks, metadata, work buffers, and the free slots and tails of spans in use. ``mapped_ready_bytes`` is
    all memory that is mapped and not released, ``heap_free_bytes`` is free pages that are not released,
    ``heap_alloc_bytes`` is totalAlloc - totalFree. Requires heap_free + heap_alloc <= mapped_ready. Source: Go 1.19+
    ``gcControllerState.memoryLimitHeapGoal``, term 1.
    """
    return mapped_ready_bytes - heap_free_bytes - heap_alloc_bytes


def overage_bytes(mapped_ready_bytes: Integer, memory_limit_bytes: Integer | int) -> Integer:
    """Mapped memory beyond the limit, 0 or more bytes.

    Source: Go 1.19+ ``gcControllerState.memoryLimitHeapGoal``, term 2.
    """
    overage: Integer = maximum(mapped_ready_bytes - memory_limit_bytes, 0)
    return overage


def memory_limit_heap_goal_bytes(
    heap_marked_bytes: Integer,
    memory_limit_bytes: Integer | int,
    non_heap_bytes: Integer | int,
    overage_bytes: Integer | int,
    *,
    rules: GoRules,
) -> Integer:
    """The heap goal that keeps the process at its memory limit, bytes; the runtime computes it at each use.

        available = limit - non_heap - overage
        headroom  = max(available/100 * headroom_percent, 1 MiB)      1 MiB alone before 1.21
        goal      = max(available - headroom, headroom, heap_marked)  heap_marked if available <= 0

    The goal is at most 2^63 - 1 - 1 MiB. At GOGC=off it therefore binds even if the limit is off. A Go version
    without a memory limit (before 1.19) has the goal MAX_INT64, which never binds. Source: Go 1.19+
    ``gcControllerState.memoryLimitHeapGoal``.
    """
    if not rules.memory_limit:
        return filled_like(heap_marked_bytes, MAX_INT64)
    available = memory_limit_bytes - (non_heap_bytes + overage_bytes)
    if rules.limit_headroom_percent:
        percent = available // 100 * rules.limit_headroom_percent
        headroom = maximum(percent, rules.limit_headroom_min_bytes)
        room: Integer | int = maximum(available - headroom, headroom)
    else:
        room = maximum(available - rules.limit_headroom_min_bytes, rules.limit_headroom_min_bytes)
    goal: Integer = where(available > 0, maximum(room, heap_marked_bytes), heap_marked_bytes)
    return goal
