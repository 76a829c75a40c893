"""The sources of measurements of memory outside the heap, one for each kind of evidence.

A new kind of evidence is a new source: a class with ``measurements``. Evidence in a file that the user gives needs no
source of its own: its reader returns a ``Reading`` with ``direct`` measurements, and ``readings.files.FORMATS`` has a
row for it. Calibration joins the measurements of all sources and combines them with the priors. A source without
measurements has no effect.
"""

from collections.abc import Iterable
from dataclasses import fields
from functools import reduce
from typing import Any, Protocol

from gcsim.calibration.evidence import Evidence
from gcsim.calibration.memory.counted import CaptureSideFile
from gcsim.calibration.memory.limit_goals import GctraceGoals
from gcsim.calibration.memory.measurements import MemoryEvidence, ProcessMemory
from gcsim.calibration.memory.readings.source import MemoryReadings
from gcsim.capture.info import CaptureInfo
from gcsim.settings import Settings


class EvidenceSource(Protocol):
    """A reader of one kind of evidence about a service."""

    def measurements(self, cycles: Evidence, settings: Settings) -> MemoryEvidence:
        """The measurements, with their standard errors where they vary; ``cycles`` are those of the window."""
        ...


def sources_of(info: CaptureInfo | None, readings: MemoryReadings | None = None) -> list[EvidenceSource]:
    """The sources of evidence of a log: the log itself, the side file of its capture, and the user's readings."""
    return [
        GctraceGoals(),
        *([] if info is None else [CaptureSideFile(info)]),
        *([] if readings is None else [readings]),
    ]


def joined(sources: Iterable[EvidenceSource], cycles: Evidence, settings: Settings) -> MemoryEvidence:
    """The measurements of all sources; of two measurements of one quantity the first counts."""
    found = [source.measurements(cycles, settings) for source in sources]
    first: dict[str, Any] = {
        field.name: next((value for one in found if (value := getattr(one, field.name)) is not None), None)
        for field in fields(MemoryEvidence)
    }
    processes = [one.process for one in found if one.process is not None]
    first["process"] = reduce(ProcessMemory.completed_by, processes) if processes else None
    first["direct"] = {name: value for one in reversed(found) for name, value in one.direct.items()}
    return MemoryEvidence(**first)
