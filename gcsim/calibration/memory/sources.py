"""The sources of measurements of memory outside the heap, one for each kind of evidence.

A new kind of evidence is a new source. Calibration joins the measurements of all sources and combines them with the
priors. A source without measurements has no effect.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Protocol

from gcsim.calibration.evidence import Evidence
from gcsim.calibration.memory.counted import counted_memory
from gcsim.calibration.memory.limit_goals import outside_heap
from gcsim.calibration.memory.parts import MemoryEvidence, ProcessMemory
from gcsim.capture.info import CaptureInfo
from gcsim.goruntime.versions import rules_for
from gcsim.settings import Settings


class EvidenceSource(Protocol):
    """A reader of one kind of evidence about a service."""

    def measurements(self, cycles: Evidence, settings: Settings) -> MemoryEvidence:
        """The measurements, with their standard errors where they vary; ``cycles`` are those of the window."""
        ...


class GctraceGoals:
    """The heap goals that a memory limit set, in the log itself."""

    def measurements(self, cycles: Evidence, settings: Settings) -> MemoryEvidence:
        """Memory outside the heap, from each goal: the limit less the goal."""
        return MemoryEvidence(limited=outside_heap(cycles, settings, rules_for(settings.go)))


@dataclass(frozen=True, slots=True)
class CaptureSideFile:
    """The side file of gcsim capture: resident memory, and the runtime's own counters."""

    info: CaptureInfo

    def measurements(self, cycles: Evidence, settings: Settings) -> MemoryEvidence:
        """The peak of resident memory, and the counters' samples within the window."""
        del settings
        return MemoryEvidence(
            process=ProcessMemory.from_capture(self.info),
            counted=counted_memory(self.info.heap_accounts, cycles),
        )


def joined(sources: Iterable[EvidenceSource], cycles: Evidence, settings: Settings) -> MemoryEvidence:
    """The measurements of all sources; of two measurements of one quantity the first counts."""
    found = [source.measurements(cycles, settings) for source in sources]
    first = {
        field.name: next((value for one in found if (value := getattr(one, field.name)) is not None), None)
        for field in fields(MemoryEvidence)
    }
    return MemoryEvidence(**first)
