"""The memory of one process from all its readings, and their contradictions."""

import math
from collections.abc import Iterator, Sequence

from gcsim.calibration.memory.measurements import ProcessMemory
from gcsim.calibration.memory.readings.reading import Reading
from gcsim.errors import InputError
from gcsim.priors.readings import BELOW_PEAK, MOMENT_ERROR
from gcsim.units import format_mib

# The scavenger leaves a tenth more than the last cycle needed (Go 1.19+ ``gcPaceScavenger``, retainExtraPercent), and
# returns the rest slowly. A momentary reading therefore belongs to a heap between 1.1 times the mean peak and the run's
# highest peak. It is taken for the middle, with the standard error of an even distribution.
RETAINED = 1.1
_EVEN = 12.0**-0.5  # standard deviation of an even distribution over its width
_HIGH_WATER_ERROR = 0.02  # the high-water mark at the time of reading; the run may have gone on
# A usage has inactive file pages, which the kernel reclaims: none in a pod that reads its binary only, or many.
_USAGE_ERROR = 0.2
_MOST_RATIO = 1.5  # of two readings of one quantity
_MOST_EXCESS = 1.1  # of anonymous memory over the memory of its container


def process_memory(
    readings: Sequence[Reading], *, heap_range_bytes: tuple[float, float]
) -> ProcessMemory | None:
    """The peaks that the readings imply, with their errors; None without resident or container memory.

    ``heap_range_bytes`` is the range of heap peaks that a momentary reading may belong to.

    Of several readings of one quantity the highest is nearest to the peak. A measured high-water mark above the
    momentary resident memory was anonymous memory, because a Go program's file pages stay.
    """
    status = max((one for one in readings if one.highest_rss_bytes is not None), key=_order, default=None)
    container, container_error = _container(readings)
    if status is None and container is None:
        return None
    anonymous = _highest(readings, "anonymous_bytes")
    if anonymous is None:
        anonymous = _highest(readings, "container_anonymous_bytes")
    rss, is_peak = None, False
    file, shared, mapped, outside = (
        _highest(readings, name)
        for name in ("file_bytes", "shared_bytes", "heap_mapped_bytes", "rss_outside_heap_bytes")
    )
    if status is not None:
        rss, is_peak = status.highest_rss_bytes, status.rss_peak_bytes is not None
    if is_peak and rss is not None and file is not None and shared is not None:
        anonymous = max(rss - file - shared, anonymous or 0)
        now = None if status is None else status.rss_bytes
        mapped, outside = (mapped, outside) if now == rss else (None, None)  # the map is of another moment
    below = 0.0 if is_peak else BELOW_PEAK
    low, high = heap_range_bytes
    heap_error = _EVEN * (high - low)
    return ProcessMemory(
        rss_peak_bytes=_scaled(rss, below),
        anonymous_peak_bytes=_scaled(anonymous, below),
        file_peak_bytes=_scaled(file, 0.0),
        shared_peak_bytes=_scaled(shared, 0.0),
        heap_mapped_bytes=_scaled(mapped, 0.0),
        rss_outside_heap_bytes=_scaled(outside, 0.0),
        container_peak_bytes=container,
        peak_error=_HIGH_WATER_ERROR if is_peak else _with_heap(MOMENT_ERROR, heap_error, rss or anonymous),
        container_error=_with_heap(container_error, heap_error, container),
        heap_peak_bytes=None if is_peak else 0.5 * (low + high),
    )


def _with_heap(error: float, heap_error_bytes: float, size: float | None) -> float:
    """The relative error of a momentary reading with that of the heap at its moment."""
    return error if not size else math.hypot(error, heap_error_bytes / size)


def refuse_contradictions(readings: Sequence[Reading]) -> None:
    """Raises InputError if two readings cannot be of one process at one load."""
    same = "they are not of one process at one load; give the readings of one moment"
    for names in (("rss_bytes",), ("working_set_bytes",), ("anonymous_bytes", "container_anonymous_bytes")):
        found = sorted(_all(readings, *names))
        if found and found[-1][0] > _MOST_RATIO * found[0][0]:
            (low, first), (high, second) = found[0], found[-1]
            raise InputError(f"{first} says {format_mib(low)} and {second} {format_mib(high)}: {same}")
    anonymous = max(_all(readings, "anonymous_bytes"), default=None)
    charged = min(_all(readings, "working_set_bytes", "usage_bytes"), default=None)
    if anonymous is not None and charged is not None and anonymous[0] > _MOST_EXCESS * charged[0]:
        raise InputError(
            f"{anonymous[1]} says {format_mib(anonymous[0])} of anonymous memory, but {charged[1]} only"
            f" {format_mib(charged[0])} in all: {same}"
        )


def _all(readings: Sequence[Reading], *names: str) -> Iterator[tuple[int, str]]:
    """(size, origin of the reading) of each known quantity."""
    for one in readings:
        for name in names:
            size = getattr(one, name)
            if size is not None:
                yield size, one.origin


def _container(readings: Sequence[Reading]) -> tuple[float | None, float]:
    """The peak of the container's working set, and its relative standard error."""
    inactive = _highest(readings, "inactive_file_bytes")
    usage = _highest(readings, "usage_bytes")
    working_sets = [size for size, _ in _all(readings, "working_set_bytes")]
    if usage is not None and inactive is not None and usage > inactive:
        working_sets.append(usage - inactive)
    if working_sets:
        return max(working_sets) * (1.0 + BELOW_PEAK), MOMENT_ERROR
    usage = usage if usage is not None else _highest(readings, "usage_peak_bytes")
    return (None, 0.0) if usage is None else (float(usage), _USAGE_ERROR)


def _order(one: Reading) -> tuple[bool, int]:
    return one.rss_peak_bytes is not None, one.highest_rss_bytes or 0


def _highest(readings: Sequence[Reading], name: str) -> int | None:
    return max((size for size, _ in _all(readings, name)), default=None)


def _scaled(size: int | None, below: float) -> float | None:
    return None if size is None else size * (1.0 + below)
