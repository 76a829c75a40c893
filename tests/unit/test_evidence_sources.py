"""Evidence of memory comes from sources that calibration joins."""

import io
from dataclasses import dataclass

from example_service import example_service

from gcsim.calibration.evidence import Evidence, evidence_from
from gcsim.calibration.memory.limit_goals import GctraceGoals
from gcsim.calibration.memory.measurements import MemoryEvidence, ProcessMemory
from gcsim.calibration.memory.sources import joined, sources_of
from gcsim.engine.simulate import record_cycles
from gcsim.gctrace import read_gctrace
from gcsim.gctrace.trace import Trace
from gcsim.gctrace.writer import format_gctrace
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


def test_no_source_is_no_measurement() -> None:
    """Calibration then has its priors alone."""
    assert not joined([], evidence_from(trace_at(LIMITED)), LIMITED)
