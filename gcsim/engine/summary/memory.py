"""Peaks of a process's memory in each lane: RSS, anonymous memory, and memory charged to the container.

    anonymous = RSS - file pages
    container = anonymous + hot share x file pages + kernel memory

File pages are those of files and shared memory. The kernel can drop the cold ones. It cannot drop the hot ones without
a stall, because the program reads them again at once.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.engine.summary.totals import LaneTotals
from gcsim.goruntime.pacer import gc_percent_heap_goal_bytes
from gcsim.submodels.process_memory import UNFILLED_AT_PEAK, container_bytes, unfilled_slot_bytes
from gcsim.units import MAX_INT64, MIB

_SET_BY_LIMIT = 0.97  # a goal below this share of GOGC's goal is one that the memory limit sets


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessDraws:
    """The drawn parameters of a process's memory, arrays of shape (lanes,); ``service.Parameters`` defines them."""

    rss_base_bytes: FloatArray
    rss_ratio: FloatArray
    rss_beside_bytes: FloatArray
    file_resident_bytes: FloatArray
    file_hot_share: FloatArray
    kernel_bytes: FloatArray

    @classmethod
    def of(cls, drawn: dict[str, FloatArray], settings: int) -> Self:
        """The draws of each replica, repeated for each setting."""
        return cls(**{name: np.tile(drawn[name], settings) for name in cls.__dataclass_fields__})


def memory_metrics(
    totals: LaneTotals, parameters: LaneParameters, process: ProcessDraws, peak_bytes: FloatArray
) -> dict[str, FloatArray]:
    """The memory metrics of each lane for its highest heap, arrays of shape (lanes,)."""
    most_mapped = _most_mapped(parameters, _limit_bytes(totals, parameters), peak_bytes)
    resident = np.minimum(
        process.rss_base_bytes
        + np.maximum(
            process.rss_ratio * peak_bytes, _mapped_at_limit(totals, parameters, most_mapped, peak_bytes)
        ),
        process.rss_beside_bytes + most_mapped,
    )
    return _process_metrics(resident, process)


def memory_bounds(
    totals: LaneTotals, parameters: LaneParameters, process: ProcessDraws, peak_bytes: FloatArray
) -> dict[str, FloatArray]:
    """The most that each lane's memory metrics can be under its limit, arrays of shape (lanes,).

    While a run keeps its limit, the memory that GOMEMLIMIT counts is at most the limit, or the need of the lane's own
    highest heap if that is more: assists stop a mark phase near the limit (``limit_stop_bytes``). Memory that the limit
    does not count comes on top. Infinite without a limit, and in lanes with the GC CPU limiter on, which lets the heap
    pass.
    """
    limit = _limit_bytes(totals, parameters)
    most_mapped = _most_mapped(parameters, limit, peak_bytes)
    outside = parameters.outside_heap_bytes(peak_bytes, parameters.calibrated_peak_bytes)
    found = {
        "heap_peak_bytes": np.maximum(limit - outside, peak_bytes),
        **_process_metrics(process.rss_beside_bytes + most_mapped, process),
    }
    is_bounded = (limit < MAX_INT64) & (totals.limited_seconds == 0.0)
    return {name: np.where(is_bounded, values, np.inf) for name, values in found.items()}


def _limit_bytes(totals: LaneTotals, parameters: LaneParameters) -> FloatArray:
    """The highest limit in force in each lane, MAX_INT64 without one."""
    limit: FloatArray = np.where(
        totals.cycles > 0, totals.highest_limit_bytes, parameters.memory_limit_bytes
    ).astype(np.float64)
    return limit


def _process_metrics(resident: FloatArray, process: ProcessDraws) -> dict[str, FloatArray]:
    """The three memory metrics of lanes with ``resident`` bytes of RSS."""
    anonymous = np.maximum(resident - process.file_resident_bytes, 0.0)
    return {
        "rss_peak_bytes": resident,
        "anonymous_peak_bytes": anonymous,
        "container_peak_bytes": container_bytes(
            anonymous,
            file_bytes=process.file_resident_bytes,
            hot_share=process.file_hot_share,
            kernel_bytes=process.kernel_bytes,
        ),
    }


def _mapped_at_limit(
    totals: LaneTotals, parameters: LaneParameters, most_mapped: FloatArray, peak_bytes: FloatArray
) -> FloatArray:
    """Memory mapped at mark end beyond the calibrated base in lanes whose goals the limit sets, bytes; else 0.

    At the limit's goal the heap, unusable free slots and all other Go memory add up to the limit
    (``memoryLimitHeapGoal``). A service that grew without collections had filled these slots with live objects or
    garbage, so that all of this memory is resident. In 33 programs peaks of RSS were the limit less 3 %, plus or minus
    memory outside the limit. If a controller changes the setting, the cycles at the highest one count.
    """
    cycles = np.maximum(totals.highest_cycles, 1.0)
    goal = totals.highest_goal_mib / cycles * MIB
    marked = totals.highest_marked_mib / cycles * MIB
    gc_percent = np.where(np.isfinite(totals.highest_gogc), totals.highest_gogc, -1.0).astype(np.int64)
    # without the minimum goal: printed in whole MiB, it would look like a goal that a limit has lowered
    own_goal = gc_percent_heap_goal_bytes(
        marked.astype(np.int64), parameters.root_bytes.astype(np.int64), 0, gc_percent, 0
    )
    binds = (totals.highest_limit_bytes < MAX_INT64) & (goal < _SET_BY_LIMIT * own_goal)
    highest = np.maximum(peak_bytes, goal)
    constant = parameters.metadata_base_bytes + parameters.allocated_stack_bytes
    share, calibrated = parameters.unfilled_slot_share, parameters.calibrated_peak_bytes
    unfilled = unfilled_slot_bytes(highest, share=share, calibrated_peak_bytes=calibrated)
    mapped = constant + (1.0 + parameters.metadata_share) * highest + unfilled
    mapped = np.minimum(mapped, most_mapped)
    found: FloatArray = np.where(
        binds & (goal > 0), mapped - constant - UNFILLED_AT_PEAK * share * calibrated, 0.0
    )
    return found


def _most_mapped(parameters: LaneParameters, limit_bytes: FloatArray, peak_bytes: FloatArray) -> FloatArray:
    """The most memory that is mapped at once, bytes: the highest limit, or the highest heap's need if that is more.

    An allocation that would pass the limit first returns free pages (Go 1.19+ ``mheap.allocSpan``). Free slots cannot
    be returned. If they and the heap together pass the limit, this result is too low.
    """
    needed = parameters.metadata_base_bytes + parameters.allocated_stack_bytes
    needed = needed + (1.0 + parameters.metadata_share) * peak_bytes
    most: FloatArray = np.maximum(limit_bytes, needed)
    return most
