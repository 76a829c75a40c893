"""The growth of the live heap as a function of time or work, in each replica.

A rise is straight or levels off:

    factor(t) = 1 + slope * (rise(t) - pivot),    rise(t) = (1 - exp(-curvature * t)) / curvature

``rise`` is t itself for curvature 0. A staircase has the log's own levels; beyond the log's end a step of equal size
follows after each interval. A job has the levels of its log, and ends.

Error: the future is assumed to follow the form of the log. A rise that later gets faster, a ceiling that the log does
not yet bend towards, and a cache's bound on its size are not foreseen.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from gcsim.arrays import BoolArray, FloatArray, Int64Array
from gcsim.service.growth import LiveGrowth

_LEAST_FACTOR = 0.02
_MOST_FACTOR = 1e6
_LEAST_CURVE = 1e-9  # curvature times time, below it the rise is straight


def rise_seconds(curvature: FloatArray, seconds: FloatArray) -> FloatArray:
    """(1 - exp(-curvature * seconds)) / curvature; seconds for curvature 0. Arrays of shapes that broadcast."""
    bend = curvature * seconds
    bent = -np.expm1(-bend) / np.where(curvature > 0, curvature, 1.0)
    rise: FloatArray = np.where(bend > _LEAST_CURVE, bent, seconds)
    return rise


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GrowthCourses:
    """The growth of some replicas, one course each; arrays of shape (replicas,)."""

    growth: LiveGrowth
    pace: FloatArray  # speed of the clock
    curvature_per_second: FloatArray
    slope_per_second: FloatArray
    pivot_seconds: FloatArray
    step_seconds: FloatArray
    step_size: FloatArray
    bytes_per_second: FloatArray  # allocation in a second of the work clock

    @property
    def by_work(self) -> bool:
        """Whether the clock is the program's work."""
        return self.growth.clock == "work"

    @property
    def is_job(self) -> bool:
        """Whether the program ends by itself; its work then starts with its process, and so does a run."""
        return self.growth.form == "job"

    @property
    def job_bytes(self) -> FloatArray:
        """The bytes that one whole run of the job allocates, shape (replicas,); infinite for another form."""
        if not self.is_job:
            return np.full_like(self.bytes_per_second, np.inf)
        return self.growth.log_seconds * self.bytes_per_second

    def factor(self, seconds: FloatArray, replica: Int64Array) -> FloatArray:
        """The factor on the live heap at times of the clock, 0 or more; arrays of one shape."""
        growth = self.growth
        clock = seconds * self.pace[replica]
        if growth.form == "none":
            return np.ones_like(clock)
        if growth.form == "job":
            return np.interp(clock, growth.seconds, growth.levels)
        if growth.form == "steps":
            return np.clip(self._stairs(clock, replica), _LEAST_FACTOR, _MOST_FACTOR)
        risen = rise_seconds(self.curvature_per_second[replica], clock) - self.pivot_seconds[replica]
        return np.clip(1.0 + self.slope_per_second[replica] * risen, _LEAST_FACTOR, _MOST_FACTOR)

    def factor_of_work(self, worked_bytes: FloatArray, replica: Int64Array) -> FloatArray:
        """The factor after the program has allocated some bytes; arrays of one shape."""
        return self.factor(worked_bytes / self.bytes_per_second[replica], replica)

    def is_job_over(self, replica: Int64Array, worked_bytes: FloatArray) -> BoolArray:
        """Whether the program has done the work of its job, arrays of one shape; never for another form."""
        over: BoolArray = worked_bytes >= self.job_bytes[replica]
        return over

    def job_end(
        self, replica: Int64Array, *, worked_bytes: FloatArray, to_allocate_bytes: FloatArray
    ) -> tuple[BoolArray, FloatArray]:
        """(whether the job ends during the next bytes, the part of them that it allocates), arrays of one shape.

        ``worked_bytes`` is the work done, ``to_allocate_bytes`` are the next bytes: those up to the start of the next
        cycle, or those of a mark phase. The part is 0 to 1 where the job ends, and 0 in other lanes.
        """
        left = self.job_bytes[replica] - worked_bytes
        ends = (left > 0) & (left <= to_allocate_bytes)
        return ends, np.where(ends, left, 0.0) / np.maximum(to_allocate_bytes, 1.0)

    def of(self, replica: int) -> "GrowthCourses":
        """The course of one replica alone."""
        one = slice(replica, replica + 1)
        arrays = {f.name: getattr(self, f.name)[one] for f in fields(self) if f.name != "growth"}
        return replace(self, **arrays)

    def _stairs(self, clock: FloatArray, replica: Int64Array) -> FloatArray:
        growth = self.growth
        place = np.searchsorted(growth.seconds, np.minimum(clock, growth.log_seconds), side="right") - 1
        levels: FloatArray = growth.levels[place]
        every = self.step_seconds[replica]
        if growth.step_seconds <= 0:
            return levels
        since = np.minimum(growth.log_seconds - growth.seconds[-1], 0.999 * every)  # the last step of the log
        past = np.maximum(clock - growth.log_seconds, 0.0)
        further = np.where(past > 0, np.floor((past + since) / every), 0.0)
        return levels + further * self.step_size[replica]


def growth_courses(
    growth: LiveGrowth,
    *,
    levels: FloatArray,
    pace: FloatArray,
    first: FloatArray,
    second: FloatArray,
    bytes_per_second: FloatArray,
) -> GrowthCourses:
    """One course per replica: ``levels`` uniform from 0 to 1 choose the curve, the others are standard normal draws.

    Arrays of shape (replicas,). ``first`` moves the slope or the interval of steps, ``second`` the size of steps.
    """
    one = np.ones_like(levels)
    curvature, slope, pivot = 0.0 * one, 0.0 * one, 0.0 * one
    if growth.form in ("linear", "levels off"):
        bounds = np.cumsum(growth.weight) / growth.weight.sum()
        curve = np.minimum(np.searchsorted(bounds, levels, side="right"), growth.weight.size - 1)
        curvature, pivot = growth.curvature_per_second[curve], growth.pivot_seconds[curve]
        slope = growth.slope_per_second[curve] * np.maximum(1.0 + growth.slope_sd[curve] * first, 0.0)
        # the factor at the start of the log stays above 0
        slope = np.minimum(slope, (1.0 - _LEAST_FACTOR) / np.maximum(pivot, 1e-9))
    return GrowthCourses(
        growth=growth,
        pace=np.exp(growth.pace_sd * pace) if growth.extrapolates else one,
        curvature_per_second=curvature,
        slope_per_second=slope,
        pivot_seconds=pivot,
        step_seconds=np.maximum(growth.step_seconds * np.exp(growth.step_seconds_sd * first), 1e-6),
        step_size=growth.step_size * np.exp(growth.step_size_sd * second),
        bytes_per_second=one * growth.bytes_per_second if growth.bytes_per_second > 0 else bytes_per_second,
    )


def central_course(growth: LiveGrowth, *, bytes_per_second: float = 1.0) -> GrowthCourses:
    """The most probable course, as one replica: straight, or with the weighted median curvature."""
    zero = np.zeros(1)
    return growth_courses(
        growth,
        levels=np.array([_central_level(growth)]),
        pace=zero,
        first=zero,
        second=zero,
        bytes_per_second=np.array([bytes_per_second]),
    )


def _central_level(growth: LiveGrowth) -> float:
    """The level of the straight curve, or of the median of the bent ones."""
    straight = float(growth.weight[growth.curvature_per_second == 0].sum()) if growth.weight.size else 0.0
    return 0.5 * straight if growth.form == "linear" else 0.5 * (1.0 + straight)
