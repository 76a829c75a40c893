"""The course of one part of a growing service after the end of its log."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.estimate.live_growth import PACE_SD
from gcsim.calibration.stats.standard_error import standard_error
from gcsim.diagnosis.rises import Rise
from gcsim.diagnosis.thresholds import FEW_CYCLES
from gcsim.streams import stream
from gcsim.submodels.live_growth import GrowthCourses, growth_courses

DRAWS = 400
SEED = 1


def normal(name: str) -> FloatArray:
    """The standard normal draws of one quantity, shape (draws,)."""
    return stream(SEED, f"forecast {name}").standard_normal(DRAWS)


@dataclass(frozen=True, kw_only=True, eq=False)
class Course:
    """One part of memory after the end of the log: a rise, or its late level."""

    values: FloatArray
    seconds: FloatArray  # of the values
    rise: Rise | None
    name: str
    factor: float = 1.0  # on all sizes

    def at(self, ahead_seconds: FloatArray) -> FloatArray:
        """Sizes at some times after the end of the log, shape (times, draws)."""
        rows = [self.at_each(np.full(DRAWS, time)) for time in ahead_seconds.tolist()]
        return np.stack(rows)

    def at_each(self, ahead_seconds: FloatArray) -> FloatArray:
        """Sizes at one time for each draw, shape (draws,)."""
        rise = self.rise
        if rise is None:
            late = float(np.median(self.values[len(self.values) // 2 :]))
            return np.full(DRAWS, self.factor * late) + self.factor * self._drift * ahead_seconds
        paced = ahead_seconds * np.exp(PACE_SD * normal(f"{self.name} pace"))
        if self._courses is None:
            slope = rise.part.bytes_per_second * (1.0 + rise.slope_sd * normal(f"{self.name} slope"))
            return self.factor * (rise.part.last_bytes + np.maximum(slope, 0.0) * paced)
        return (
            self.factor * self._mean * self._courses.factor(rise.fitted.log_seconds + paced, np.arange(DRAWS))
        )

    @cached_property
    def _drift(self) -> float:
        """A slow rise that is not reported as growth, bytes per second; 0 if scatter explains it."""
        if len(self.values) < FEW_CYCLES:
            return 0.0
        slope, level = np.polyfit(self.seconds, self.values, 1)
        left = self.values - level - slope * self.seconds
        error = math.sqrt(12.0) * standard_error(left) / max(float(np.ptp(self.seconds)), 1e-9)
        return float(slope) if slope > 3.0 * error else 0.0

    @cached_property
    def _mean(self) -> float:
        return float(self.values.mean())

    @cached_property
    def _courses(self) -> GrowthCourses | None:
        rise = self.rise
        if rise is None or rise.fitted.is_none:
            return None
        draw = stream(SEED, f"forecast {self.name}")
        return growth_courses(
            rise.fitted,
            levels=draw.uniform(size=DRAWS),
            pace=np.zeros(DRAWS),
            first=draw.standard_normal(DRAWS),
            second=draw.standard_normal(DRAWS),
            bytes_per_second=np.ones(DRAWS),
        )
