"""One log with the readings that calibration and the checks share, each computed once."""

from dataclasses import dataclass, field

from gcsim.calibration.evidence import Evidence, evidence_from
from gcsim.calibration.memory.measurements import MemoryEvidence
from gcsim.calibration.settings.log_settings import LogSettings
from gcsim.calibration.window import working_window
from gcsim.gctrace.trace import Trace
from gcsim.service.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCase:
    """One log with its settings, its evidence and its working window."""

    trace: Trace
    log: LogSettings
    printed: Evidence  # every cycle, sizes as printed
    window: slice  # rows of the trace that show the service at work
    evidence: Evidence  # those rows, as exact as the settings allow
    measured: MemoryEvidence = field(default_factory=MemoryEvidence)  # of memory outside the heap
    model: Model | None = None  # None for a log that is inspected without calibration

    @property
    def seconds(self) -> float:
        """Time from the window's first cycle to its last."""
        return float(self.evidence.start_seconds[-1] - self.evidence.start_seconds[0])


def case_of(trace: Trace, log: LogSettings) -> LogCase:
    """The case of a log that is not calibrated; the trace holds at least one cycle."""
    printed = evidence_from(trace)
    window = working_window(printed)
    return LogCase(trace=trace, log=log, printed=printed, window=window, evidence=printed.select(window))
