"""The rises of a log: the parts of memory that grow, each with its fitted form."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.checks.growth import growing_parts
from gcsim.calibration.estimate.live_growth import find_growth
from gcsim.calibration.evidence import Evidence
from gcsim.calibration.stats.standard_error import standard_error
from gcsim.diagnosis.subject import Subject
from gcsim.diagnosis.thresholds import FEW_CYCLES, START_UP_SCATTER, START_UP_SHARE
from gcsim.service.assessment import Growth
from gcsim.service.growth import LiveGrowth
from gcsim.units import MIB


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rise:
    """The growth of one part of memory, and the cycles that show it."""

    part: Growth
    evidence: Evidence
    first_row: int  # of the trace
    fitted: LiveGrowth

    @property
    def values(self) -> FloatArray:
        """The sizes of the part, one per cycle."""
        return self.evidence.live_bytes if self.part.what == "live heap" else self.evidence.stack_bytes

    @property
    def lasted_seconds(self) -> float:
        """Time from the first cycle of the rise to the last."""
        started = self.evidence.start_seconds
        return float(started[-1] - started[0])

    @property
    def slope_sd(self) -> float:
        """Relative standard error of the straight rise."""
        seconds = self.evidence.start_seconds
        left = self.values - self.part.last_bytes - self.part.bytes_per_second * (seconds - seconds[-1])
        rise = self.part.last_bytes - self.part.first_bytes
        return float(np.sqrt(12.0) * standard_error(left) / max(rise, 1.0))


def observed(subject: Subject) -> tuple[Evidence, int]:
    """(the cycles that show growth, the row of the first): the working window, or the whole log if that is short.

    Of the whole log, the cycles of the start-up are left out: a program builds its first data faster than it leaks.
    """
    if subject.seconds < 0.5 * subject.whole_seconds or len(subject.window) < 2 * FEW_CYCLES:
        first = _after_start_up(subject.case.printed)
        return subject.case.printed.select(slice(first, None)), first
    return subject.window, subject.case.window.start or 0


def _after_start_up(evidence: Evidence) -> int:
    """The first row after the start-up: without the rows before it, a line fits the live heap much better."""
    seconds, live = evidence.start_seconds, evidence.live_bytes
    early = int(np.searchsorted(seconds, seconds[0] + START_UP_SHARE * (seconds[-1] - seconds[0])))
    most = min(early, len(evidence) - FEW_CYCLES)
    if most <= 0:
        return 0
    left = [_scatter(seconds[row:], live[row:]) for row in range(most + 1)]
    return next(row for row, one in enumerate(left) if one <= START_UP_SCATTER * min(left))


def _scatter(seconds: FloatArray, values: FloatArray) -> float:
    """Root mean square of the residuals of a straight line, at least a quarter MiB."""
    slope, level = np.polyfit(seconds, values, 1)
    return max(float(np.sqrt(np.mean((values - level - slope * seconds) ** 2))), 0.25 * MIB)


def rises(subject: Subject) -> Iterator[Rise]:
    """The growing parts of a log, the fastest first."""
    evidence, first = observed(subject)
    for part in growing_parts(evidence):
        values = evidence.live_bytes if part.what == "live heap" else evidence.stack_bytes
        fitted = find_growth(values, evidence.start_seconds, "time")
        yield Rise(part=part, evidence=evidence, first_row=first, fitted=fitted)
