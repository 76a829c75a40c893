"""The sources of measurements of memory outside the heap, one for each kind of evidence.

A new kind of evidence is a new source. Calibration joins the measurements of all sources and combines them with the
priors. A source without measurements has no effect.
"""

from collections.abc import Iterable
from dataclasses import fields
from typing import Protocol

from gcsim.calibration.evidence import Evidence
from gcsim.calibration.memory.counted import CaptureSideFile
from gcsim.calibration.memory.limit_goals import GctraceGoals
from gcsim.calibration.memory.measurements import MemoryEvidence
from gcsim.capture.info import CaptureInfo
from gcsim.settings import Settings


class EvidenceSource(Protocol):
    """A reader of one kind of evidence about a service."""

    def measurements(self, cycles: Evidence, settings: Settings) -> MemoryEvidence:
        """The measurements, with their standard errors where they vary; ``cycles`` are those of the window."""
        ...


def sources_of(info: CaptureInfo | None) -> list[EvidenceSource]:
    """The sources of evidence that come with a log: the log itself, and the side file of its capture."""
    return [GctraceGoals(), *([] if info is None else [CaptureSideFile(info)])]


def joined(sources: Iterable[EvidenceSource], cycles: Evidence, settings: Settings) -> MemoryEvidence:
    """The measurements of all sources; of two measurements of one quantity the first counts."""
    found = [source.measurements(cycles, settings) for source in sources]
    first = {
        field.name: next((value for one in found if (value := getattr(one, field.name)) is not None), None)
        for field in fields(MemoryEvidence)
    }
    return MemoryEvidence(**first)
