"""The inputs of every check of one log, computed once."""

from dataclasses import dataclass

from gcsim.calibration.checks.growth import growing_parts
from gcsim.calibration.evidence import Evidence, evidence_from
from gcsim.calibration.settings.log_settings import LogSettings
from gcsim.calibration.window import working_window
from gcsim.gctrace.trace import Trace
from gcsim.service.assessment import Growth
from gcsim.service.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCase:
    """One log with the inputs of its checks."""

    trace: Trace
    window: slice  # rows of the trace that show the service at work
    evidence: Evidence  # those rows
    log: LogSettings
    growth: tuple[Growth, ...]
    model: Model | None = None  # None for a log that is inspected without calibration

    @property
    def seconds(self) -> float:
        """Time from the window's first cycle to its last."""
        return float(self.evidence.start_seconds[-1] - self.evidence.start_seconds[0])


def case_of(trace: Trace, log: LogSettings) -> LogCase:
    """The case of a log that is not calibrated; the trace holds at least one cycle."""
    evidence = evidence_from(trace)
    window = working_window(evidence)
    evidence = evidence.select(window)
    return LogCase(trace=trace, window=window, evidence=evidence, log=log, growth=growing_parts(evidence))
