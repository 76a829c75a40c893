"""Evidence of memory comes from sources that calibration joins."""

import io
import math
from dataclasses import dataclass
from pathlib import Path

import pytest
from example_service import example_service

from gcsim.calibration.evidence import Evidence, evidence_from
from gcsim.calibration.memory.fit import fit_memory
from gcsim.calibration.memory.limit_goals import GctraceGoals
from gcsim.calibration.memory.measurements import MemoryEvidence, ProcessMemory
from gcsim.calibration.memory.readings import files
from gcsim.calibration.memory.readings.reading import Reading as FileReading
from gcsim.calibration.memory.readings.source import MemoryReadings
from gcsim.calibration.memory.sources import joined, sources_of
from gcsim.engine.simulate import record_cycles
from gcsim.errors import InputError
from gcsim.gctrace import read_gctrace
from gcsim.gctrace.trace import Trace
from gcsim.gctrace.writer import format_gctrace
from gcsim.priors.process_memory import memory_prior
from gcsim.service.parameters import Parameter
from gcsim.settings import Settings
from gcsim.units import MIB

LIMITED = Settings(gogc=None, gomemlimit_bytes=160 * MIB, gomaxprocs=2, go="1.27")


@dataclass(frozen=True)
class Reading:
    """One reading of resident memory, as an operator has it."""

    rss_peak_bytes: float

    def measurements(self, cycles: Evidence, settings: Settings) -> MemoryEvidence:
        del cycles, settings
        return MemoryEvidence(process=ProcessMemory(rss_peak_bytes=self.rss_peak_bytes))


def trace_at(settings: Settings) -> Trace:
    cycles = record_cycles(example_service(), settings, duration_seconds=30.0, seed=1)
    return read_gctrace(io.BytesIO(format_gctrace(cycles).encode()))


def test_a_bare_log_is_its_own_source() -> None:
    """Its goals say something under a memory limit, and nothing without one."""
    for settings, found in ((LIMITED, True), (Settings(gogc=100, gomaxprocs=2, go="1.27"), False)):
        trace = trace_at(settings)
        (source,) = sources_of(trace.info)
        measured = joined([source], evidence_from(trace), settings)
        assert bool(measured) == found
        assert measured.process is None


def test_sources_complete_each_other_and_the_first_counts() -> None:
    """A reading joins the log's goals; a second reading of the same quantity does not replace it."""
    cycles = evidence_from(trace_at(LIMITED))
    found = joined([GctraceGoals(), Reading(200.0 * MIB), Reading(300.0 * MIB)], cycles, LIMITED)
    assert found.limited is not None
    assert found.process == ProcessMemory(rss_peak_bytes=200.0 * MIB)


@dataclass(frozen=True)
class Profile:
    """A source that measures one parameter by itself, as a heap profile could."""

    share: float
    error: float

    def measurements(self, cycles: Evidence, settings: Settings) -> MemoryEvidence:
        del cycles, settings
        return MemoryEvidence(
            direct={"unfilled_slot_share": Parameter(self.share, self.error, "a profile", "capture")}
        )


def test_a_parameter_measured_by_itself_updates_its_prior() -> None:
    """An exact one replaces the prior, a rough one narrows it; the other parameters stay."""
    cycles, prior = evidence_from(trace_at(LIMITED)), memory_prior(27)
    before = fit_memory(cycles, prior=prior, evidence=MemoryEvidence())
    known = before["unfilled_slot_share"]
    for error in (0.01, known.rel_sd):
        found = joined([Profile(0.2, error), Profile(0.3, error)], cycles, LIMITED)
        after = fit_memory(cycles, prior=prior, evidence=found)
        changed = after["unfilled_slot_share"]
        weight = error**-2 / (error**-2 + known.rel_sd**-2)
        assert math.log(changed.value / known.value) == pytest.approx(weight * math.log(0.2 / known.value))
        assert changed.rel_sd < min(error, known.rel_sd)
        assert changed.origin == "capture"
        assert after["metadata_share"] == before["metadata_share"]


def test_a_new_kind_of_file_is_one_row(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also a binary one; its measurements reach calibration through ``--memory-file``."""
    measured = {"metadata_share": Parameter(0.03, 0.05, "a profile", "capture")}
    row = files.Format(
        name="a profile",
        matches=lambda file: file.content.startswith(b"\x1f\x8b"),
        read=lambda file: FileReading(origin=str(file.path), direct=measured),
    )
    saved = tmp_path / "heap.pb.gz"
    saved.write_bytes(b"\x1f\x8b\xff")
    with pytest.raises(InputError, match="is not text"):
        MemoryReadings.of(files=[saved])
    monkeypatch.setattr(files, "FORMATS", (*files.FORMATS, row))
    trace = trace_at(LIMITED)
    readings = MemoryReadings.of(files=[saved])
    assert joined(sources_of(None, readings), evidence_from(trace), LIMITED).direct == measured


def test_no_source_is_no_measurement() -> None:
    """Calibration then has its priors alone."""
    assert not joined([], evidence_from(trace_at(LIMITED)), LIMITED)
