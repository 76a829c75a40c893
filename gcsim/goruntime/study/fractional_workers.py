"""When a fractional worker stops."""

from gcsim.goruntime.workers import FRACTIONAL_EXIT_SLACK


def fractional_worker_stops(marked_ns: int, since_mark_start_ns: int, *, goal: float) -> bool:
    """Whether a running fractional worker stops; tested every DRAIN_CHECK_BYTES, with its present stretch counted.

    Source: ``pollFractionalWorkerExit``.
    """
    return since_mark_start_ns <= 0 or marked_ns / since_mark_start_ns > FRACTIONAL_EXIT_SLACK * goal
