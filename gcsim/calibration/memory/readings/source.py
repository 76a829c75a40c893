"""Readings of memory as a source of evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from gcsim.calibration.evidence import Evidence
from gcsim.calibration.memory.fit import slot_priors
from gcsim.calibration.memory.measurements import CountedMemory, MemoryEvidence
from gcsim.calibration.memory.readings.combine import RETAINED, process_memory, refuse_contradictions
from gcsim.calibration.memory.readings.files import read_reading
from gcsim.calibration.memory.readings.reading import GoMemory, Reading
from gcsim.capture.elf import BinarySizes
from gcsim.errors import InputError
from gcsim.service.parameters import Parameter
from gcsim.settings import Settings
from gcsim.units import MIB, format_mib

_BELOW_LIVE = 0.95  # a resident process holds at least this share of its live heap
_OTHER_GOAL = 1.5  # a heap goal this far outside the log's range is of another process or setting
_LEAST_ERROR_BYTES = 0.3 * MIB
_DEVIATIONS = np.linspace(-3.0, 3.0, 241)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapOfRun:
    """The heap of the run that readings are of, from its log or predicted by its model."""

    where: str  # "the log" or "the model"
    least_live_bytes: float
    goals_bytes: tuple[float, float] | None  # lowest and highest; None without goals
    mean_peak_bytes: float
    highest_peak_bytes: float
    slot_garbage_share: Parameter
    unfilled_slot_share: Parameter

    @property
    def range_bytes(self) -> tuple[float, float]:
        """The heap peaks that a momentary reading may belong to: of the usual cycle, and of the highest."""
        return min(self.highest_peak_bytes, RETAINED * self.mean_peak_bytes), self.highest_peak_bytes

    @classmethod
    def of(cls, cycles: Evidence) -> Self:
        """The heap in a log."""
        goals = cycles.heap_goal_bytes[np.isfinite(cycles.heap_goal_bytes)]
        priors = slot_priors(cycles)
        return cls(
            where="the log",
            least_live_bytes=float(cycles.live_bytes.min()),
            goals_bytes=(float(goals.min()), float(goals.max())) if goals.size else None,
            mean_peak_bytes=float(cycles.heap_end_bytes.mean()),
            highest_peak_bytes=float(cycles.heap_end_bytes.max()),
            slot_garbage_share=priors["slot_garbage_share"],
            unfilled_slot_share=priors["unfilled_slot_share"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryReadings:
    """Readings of one process, taken while it ran at the load and the settings of its log."""

    readings: tuple[Reading, ...] = ()
    binary: BinarySizes | None = None

    def __bool__(self) -> bool:
        """Whether there is at least one reading."""
        return bool(self.readings) or self.binary is not None

    @classmethod
    def of(
        cls,
        *,
        rss_bytes: int | None = None,
        working_set_bytes: int | None = None,
        files: Sequence[Path] = (),
        binary: BinarySizes | None = None,
    ) -> Self:
        """The readings of sizes and files. Raises InputError for a file without a reading and for a contradiction."""
        found = [read_reading(path) for path in files]
        if working_set_bytes is not None:
            found.insert(0, Reading(origin="--working-set", working_set_bytes=working_set_bytes))
        if rss_bytes is not None:
            found.insert(0, Reading(origin="--rss", rss_bytes=rss_bytes))
        refuse_contradictions(found)
        return cls(readings=tuple(found), binary=binary)

    def measurements(self, cycles: Evidence, settings: Settings) -> MemoryEvidence:
        """The measurements that the readings imply. Raises InputError if the log contradicts one."""
        del settings
        return self.measurements_at(HeapOfRun.of(cycles))

    def measurements_at(self, heap: HeapOfRun) -> MemoryEvidence:
        """The measurements that the readings imply. Raises InputError if the heap contradicts one."""
        for one in self.readings:
            _refuse_less_than_live(one, heap)
            if one.go is not None:
                _refuse_other_goal(one.origin, one.go, heap)
        counted = [counted_reading(one.go, heap) for one in self.readings if one.go is not None]
        return MemoryEvidence(
            process=process_memory(self.readings, heap_range_bytes=heap.range_bytes),
            counted=counted[0] if counted else None,
            binary=self.binary,
            direct={name: value for one in reversed(self.readings) for name, value in one.direct.items()},
        )


def counted_reading(go: GoMemory, heap: HeapOfRun) -> CountedMemory:
    """The counted memory at mark ends, from one account within a cycle.

        free slots = unfilled slots + slot_garbage_share x (heap goal - HeapAlloc)

    One account gives the sum. The two terms keep their priors within it: this function averages over the prior of
    slot_garbage_share, weighted by the prior of the unfilled slots that remain.
    """
    peak = heap.mean_peak_bytes
    goal = min(go.next_gc_bytes, heap.highest_peak_bytes)
    to_come = min(max(goal - go.heap_alloc_bytes, 0.0), peak)
    garbage, unfilled = heap.slot_garbage_share, heap.unfilled_slot_share
    share = np.minimum(garbage.value * np.exp(garbage.rel_sd * _DEVIATIONS), 1.0)
    left = np.maximum(go.free_slot_bytes - share * to_come, 0.1 * MIB)
    deviation = np.log(left / (unfilled.value * peak)) / unfilled.rel_sd
    weight = np.exp(-0.5 * (_DEVIATIONS**2 + deviation**2))
    weight /= weight.sum()
    mean_share, mean_left = float(weight @ share), float(weight @ left)
    return CountedMemory(
        outside_spans_bytes=float(go.outside_spans_bytes),
        unfilled_slot_bytes=mean_left,
        unfilled_error_bytes=max(float(np.sqrt(weight @ (left - mean_left) ** 2)), _LEAST_ERROR_BYTES),
        heap_peak_bytes=peak,
        slot_garbage_share=mean_share,
        slot_garbage_error=float(np.sqrt(weight @ (share - mean_share) ** 2)),
    )


def _refuse_less_than_live(one: Reading, heap: HeapOfRun) -> None:
    named = {
        "resident memory": one.highest_rss_bytes,
        "anonymous memory": one.anonymous_bytes or one.container_anonymous_bytes,
        "the working set": one.working_set_bytes,
        "the usage": one.usage_bytes or one.usage_peak_bytes,
    }
    for what, size in named.items():
        if size is not None and size < _BELOW_LIVE * heap.least_live_bytes:
            raise InputError(
                f"{one.origin}: {what} of {format_mib(size)} is less than the live heap in {heap.where},"
                f" {format_mib(heap.least_live_bytes)}; read the process that wrote the log while it runs at that load,"
                " or use gcsim capture if part of its heap was never touched"
            )


def _refuse_other_goal(origin: str, go: GoMemory, heap: HeapOfRun) -> None:
    if heap.goals_bytes is None:
        return
    low, high = heap.goals_bytes
    if not low / _OTHER_GOAL <= go.next_gc_bytes <= high * _OTHER_GOAL:
        raise InputError(
            f"{origin}: its heap goal (NextGC) of {format_mib(go.next_gc_bytes)} is not one of {heap.where},"
            f" {format_mib(low)} to {format_mib(high)}; save it from the process that wrote the log, at that load"
        )
