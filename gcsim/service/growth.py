"""The growth of the live heap over a log and beyond its end, with its uncertainty."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.documents import number, numbers, text_of
from gcsim.errors import InputError

#: Form of the course. "none": no growth. "linear": a steady rise. "levels off": a rise towards a ceiling. "steps": a
#: staircase. "job": the course of one whole run of a finite job.
GrowthForm = Literal["none", "linear", "levels off", "steps", "job"]
#: "time": growth goes on with the clock. "work": with the bytes that the program allocates, as in a closed loop.
GrowthClock = Literal["time", "work"]

_MOST_FACTOR = 1e6
_MOST_SECONDS = 1e9


def _nothing() -> FloatArray:
    return np.zeros(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveGrowth:
    """Factor on the live heap over time: the movement that does not repeat. Its mean over the log's cycles is 1.

    ``submodels.live_growth`` has the formulas. A rise, linear or levelling off, is a list of curves with weights:
    linear has curvature 0. ``seconds`` and ``levels`` are the knots of steps and jobs. Time 0 is the start of the
    calibrated window, and of a job the start of its process; the work clock is in seconds of the calibrated run.
    """

    form: GrowthForm = "none"
    clock: GrowthClock = "time"
    log_seconds: float = 0.0  # length of the calibrated window; of a job, from its start to its end
    bytes_per_second: float = 0.0  # allocation in a second of the work clock; 0 for the time clock
    pace_sd: float = 0.0  # of log speed of the clock: how far two runs of one program differ
    # curves of a rise, arrays of one length
    curvature_per_second: FloatArray = field(
        default_factory=_nothing
    )  # 1 / time constant; 0 for a straight line
    weight: FloatArray = field(default_factory=_nothing)  # probability of each curve; sum 1
    slope_per_second: FloatArray = field(default_factory=_nothing)  # at time 0
    slope_sd: FloatArray = field(default_factory=_nothing)  # relative
    pivot_seconds: FloatArray = field(
        default_factory=_nothing
    )  # mean of the curve's rise, where the factor is 1
    # steps and jobs
    seconds: FloatArray = field(
        default_factory=_nothing
    )  # start of each level of a staircase; knots of a job
    levels: FloatArray = field(default_factory=_nothing)  # the factor from there on; at the knots of a job
    # beyond the log's end, of a staircase; an interval of 0: no further steps
    step_seconds: float = 0.0
    step_seconds_sd: float = 0.0  # relative
    step_size: float = 0.0
    step_size_sd: float = 0.0  # relative
    # of a job's captured run, with the start of the process; 0 if it is not known
    job_wall_seconds: float = 0.0
    job_cpu_seconds: float = 0.0

    @property
    def whole_job_seconds(self) -> float:
        """Wall time of a job's captured run; without a side file, that of its allocation at the log's rate."""
        return self.job_wall_seconds or self.log_seconds

    def __post_init__(self) -> None:
        curves = {getattr(self, name).shape for name in _CURVES}
        if len(curves) != 1 or self.seconds.shape != self.levels.shape:
            raise InputError("growth: the lists of curves, and seconds and levels, must have one length each")
        single = (self.log_seconds, self.pace_sd, self.step_seconds, self.step_seconds_sd, self.step_size,
                  self.job_wall_seconds, self.job_cpu_seconds)  # fmt: skip
        every = np.concatenate([*(getattr(self, name) for name in (*_CURVES, "levels")), single])
        if not bool((np.isfinite(every) & (every >= 0) & (every <= _MOST_SECONDS)).all()):
            raise InputError("growth: all numbers must be finite and 0 or more")
        if self.form in ("linear", "levels off") and not (self.weight.size and self.weight.sum() > 0):
            raise InputError("growth: a rise needs curves with a weight above 0")
        if self.form in ("steps", "job") and (
            self.seconds.size == 0 or bool((self.levels > _MOST_FACTOR).any())
        ):
            raise InputError("growth: steps and jobs need levels")
        if self.form in ("steps", "job") and (
            self.seconds[0] != 0 or bool((np.diff(self.seconds) <= 0).any())
        ):
            raise InputError("growth: seconds must rise from 0")
        if self.form != "none" and self.log_seconds <= 0:
            raise InputError("growth: log_seconds must be more than 0")

    @classmethod
    def none(cls) -> Self:
        """The growth of a service that does not grow."""
        return cls()

    @property
    def is_none(self) -> bool:
        """Whether the live heap does not grow."""
        return self.form == "none"

    @property
    def extrapolates(self) -> bool:
        """Whether the course goes on beyond the end of the log; a job ends."""
        return self.form not in ("none", "job")

    @classmethod
    def from_document(cls, entry: Mapping[str, Any]) -> Self:
        """The growth in a model file's table. Raises InputError."""
        form, clock = text_of(entry, "form"), text_of(entry, "clock")
        if form not in get_args(GrowthForm) or clock not in get_args(GrowthClock):
            raise InputError(
                f"growth: form must be one of {', '.join(get_args(GrowthForm))}, and clock time or work;"
                f" got {form!r} and {clock!r}"
            )
        lists = {name: numbers(entry, name) for name in (*_CURVES, "seconds", "levels")}
        single = {name: number(entry, name) for name in _SINGLE}
        later = {name: number(entry, name) for name in _LATER if name in entry}
        return cls(form=form, clock=clock, **lists, **single, **later)  # type: ignore[arg-type]

    def to_document(self) -> dict[str, Any]:
        """The table of the model file."""
        return {
            "form": self.form,
            "clock": self.clock,
            **{name: float(getattr(self, name)) for name in _SINGLE},
            **{name: float(getattr(self, name)) for name in _LATER if getattr(self, name)},
            **{name: getattr(self, name).tolist() for name in (*_CURVES, "seconds", "levels")},
        }


_CURVES = ("curvature_per_second", "weight", "slope_per_second", "slope_sd", "pivot_seconds")
_SINGLE = (
    "log_seconds", "bytes_per_second", "pace_sd", "step_seconds", "step_seconds_sd", "step_size", "step_size_sd",
)  # fmt: skip
_LATER = (
    "job_wall_seconds",
    "job_cpu_seconds",
)  # missing in older model files, and in logs without a side file
