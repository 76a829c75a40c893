"""The form of growth of a live heap: a straight rise, a rise that levels off, or steps; by their likelihoods.

Every form is fitted to the live heap of each cycle by least squares. With residuals of n independent cycles, the
likelihood of a form is RSS ** (-n / 2). Cycles of real programs are correlated: n is the number of cycles, reduced by
the correlation of consecutive residuals. A form with further numbers is judged by the mean over the values that they
may have (curvature), or pays n ** (-1 / 2) for each (steps: a time and a size), as in Schwarz's criterion.
"""

import itertools
import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.stats.standard_error import standard_error
from gcsim.service.growth import GrowthClock, GrowthForm, LiveGrowth
from gcsim.submodels.live_growth import rise_seconds
from gcsim.units import MIB

RiseForm = Literal["linear", "levels off", "steps"]

FEWEST_CYCLES = 8
_DECIDED = 1.0  # log of the likelihood of one clock over that of the other
_LEAST_BYTES = 2.0 * MIB  # of the rise: more than truncation makes
_LEAST_RISE = 0.15  # of the live heap at the start
_SIGMAS = 4.0
_LEAST_EVIDENCE = (
    9.0  # log of the likelihood over that of a steady live heap: few correlated cycles can drift
)
_EXPLAINED = 0.8  # share of the variance of block means that the form explains, at least
_RISING = 0.4  # Kendall's tau of block means; a fill-up that has ended keeps some
_BLOCKS = 8
_LOG_LENGTHS = (0.1, 30.0)  # curvature times the length of the log: from nearly straight to long ended
_CURVES = 48
_LEAST_WEIGHT = 1e-3
_MOST_STEPS = 24
_STEPS_GO_ON = 3  # steps in a log, at least, from which more are expected
_LEAST_STEP = 0.03  # of the mean live heap
_LEAST_STEP_SD = 0.05
_STEP_SIGMAS = 4.0
_FEWEST_AFTER_A_STEP, _LEVELS = (
    2,
    25,
)  # cycles of a level, at least; and this part of all: loading takes some cycles
# standard deviation of the log pace of two runs of one program: that of the cycle rate, docs/explanation/accuracy.md
PACE_SD = 0.12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FormFit:
    """One form, fitted to the live heap of a log relative to its mean."""

    form: RiseForm
    residual_bytes: float  # root mean square of a cycle
    probability: float  # among the forms
    fitted: FloatArray  # at each cycle, relative to the mean


def find_growth(live_bytes: FloatArray, clock_seconds: FloatArray, clock: GrowthClock) -> LiveGrowth:
    """The growth of the live heap of each cycle; none if chance or movement up and down explain it."""
    fits = _fits(live_bytes, clock_seconds)
    if fits is None:
        return LiveGrowth.none()
    best = max(fits.forms, key=lambda fit: fit.probability)
    if not _is_growth(live_bytes, best.fitted, fits.independent):
        return LiveGrowth.none()
    length = float(clock_seconds[-1] - clock_seconds[0])
    shared = LiveGrowth(clock=clock, log_seconds=length, pace_sd=PACE_SD)
    if best.form == "steps" and fits.steps is not None:
        return _staircase(shared, fits.steps, clock_seconds - clock_seconds[0], fits.relative)
    return _rise(shared, best.form, fits)


def better_clock(live_bytes: FloatArray, time_seconds: FloatArray, work_seconds: FloatArray) -> GrowthClock:
    """The clock by which the forms explain the live heap better; work if the log does not decide.

    A growing heap slows a closed loop down. A rise that is straight by its work is bent by time, or the reverse.
    """
    fits = [_fits(live_bytes, clock) for clock in (time_seconds, work_seconds)]
    if fits[0] is None or fits[1] is None:
        return "work"
    # the residuals of the true clock are the less correlated ones
    independent = max(fits[0].independent, fits[1].independent)
    by_time, by_work = (_fits(live_bytes, clock, independent) for clock in (time_seconds, work_seconds))
    assert by_time is not None
    assert by_work is not None
    return "time" if by_time.log_evidence > by_work.log_evidence + _DECIDED else "work"


def compared_forms(live_bytes: FloatArray, clock_seconds: FloatArray) -> tuple[FormFit, ...]:
    """The forms that were compared, the most probable first; empty for a log without enough cycles."""
    fits = _fits(live_bytes, clock_seconds)
    return () if fits is None else tuple(sorted(fits.forms, key=lambda fit: -fit.probability))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fits:
    """All forms fitted to one log."""

    forms: tuple[FormFit, ...]
    relative: FloatArray  # live heap over its mean
    curvature: FloatArray  # of each curve; the first is 0
    probability: FloatArray  # of each curve
    slope: FloatArray
    slope_sd: FloatArray  # relative
    pivot: FloatArray
    independent: float  # number of independent residuals
    log_evidence: float  # log of the likelihood of all forms together
    steps: tuple[int, ...] | None  # first cycle of each level, the first level included


def _fits(
    live_bytes: FloatArray, clock_seconds: FloatArray, independent: float | None = None
) -> _Fits | None:
    """All forms, with a given number of independent residuals or the number that the best form leaves."""
    count, mean = live_bytes.size, float(live_bytes.mean()) if live_bytes.size else 0.0
    length = float(clock_seconds[-1] - clock_seconds[0]) if count else 0.0
    if count < FEWEST_CYCLES or length <= 0 or mean <= 0:
        return None
    relative, seconds = live_bytes / mean, clock_seconds - clock_seconds[0]
    curvature = np.concatenate([[0.0], np.geomspace(*_LOG_LENGTHS, _CURVES) / length])
    rise = rise_seconds(curvature[:, None], seconds[None, :])
    pivot = rise.mean(axis=1)
    centred = rise - pivot[:, None]
    spread = (centred**2).sum(axis=1)
    slope = centred @ relative / spread
    residuals = relative - 1.0 - slope[:, None] * centred
    squares = np.maximum((residuals**2).sum(axis=1), 1e-12)
    bends = int(np.argmin(squares))
    steps = _steps(relative)
    stairs = _levels(relative, steps)
    of_stairs = max(float(((relative - stairs) ** 2).sum()), 1e-12)
    if independent is None:
        independent = _independent(residuals[bends] if squares[bends] < of_stairs else relative - stairs)
    logs = -0.5 * independent * np.log(squares)
    priors = np.concatenate([[1.0], np.full(_CURVES, 1.0 / _CURVES)])
    numbers = 2 * (len(steps) - 1) - 1  # more than those of a line
    of_steps = -0.5 * independent * math.log(of_stairs) - 0.5 * numbers * math.log(independent)
    top = max(float(logs.max()), of_steps if len(steps) > 1 else -math.inf)
    likelihood = priors * np.exp(logs - top)
    step_likelihood = math.exp(of_steps - top) if len(steps) > 1 else 0.0
    total = float(likelihood.sum()) + step_likelihood
    error = np.sqrt(squares / max(independent - 2.0, 1.0) / (spread * independent / count))
    bent = 1 + int(np.argmax(likelihood[1:]))

    def fit(form: RiseForm, fitted: FloatArray, share: float) -> FormFit:
        rms = float(np.sqrt(np.mean((relative - fitted) ** 2)))
        return FormFit(form=form, residual_bytes=rms * mean, probability=share / total, fitted=fitted)

    forms = [
        fit("linear", 1.0 + slope[0] * centred[0], float(likelihood[0])),
        fit("levels off", 1.0 + slope[bent] * centred[bent], float(likelihood[1:].sum())),
        *([fit("steps", stairs, step_likelihood)] if len(steps) > 1 else []),
    ]
    return _Fits(
        forms=tuple(forms),
        relative=relative,
        curvature=curvature,
        probability=likelihood / max(float(likelihood.sum()), 1e-300),
        slope=slope,
        slope_sd=error / np.maximum(np.abs(slope), 1e-12),
        pivot=pivot,
        independent=independent,
        log_evidence=top + math.log(total),
        steps=steps if len(steps) > 1 else None,
    )


def _independent(residuals: FloatArray) -> float:
    """The number of independent residuals among correlated ones, 4 or more."""
    centred = residuals - residuals.mean()
    power = float((centred**2).sum())
    if power <= 0:
        return float(residuals.size)
    correlation = float(np.clip((centred[1:] * centred[:-1]).sum() / power, 0.0, 0.95))
    return max(residuals.size * (1.0 - correlation) / (1.0 + correlation), 4.0)


def _is_growth(live_bytes: FloatArray, fitted: FloatArray, independent: float) -> bool:
    """Whether the fitted course rises by more than chance and explains the movement of the live heap."""
    mean = float(live_bytes.mean())
    first, last = float(fitted[0]) * mean, float(fitted[-1]) * mean
    rise = last - first
    if rise < max(_LEAST_BYTES, _LEAST_RISE * first):
        return False
    if rise < _SIGMAS * 2.0 * standard_error(live_bytes - fitted * mean):
        return False
    left, all_of_it = float(np.var(live_bytes - fitted * mean)), float(np.var(live_bytes))
    if 0.5 * independent * math.log(all_of_it / max(left, 1e-12 * all_of_it)) < _LEAST_EVIDENCE:
        return False
    blocks = _block_means(live_bytes)
    unexplained = float(np.var(blocks - _block_means(fitted * mean)))
    return _tau(blocks) >= _RISING and unexplained <= (1.0 - _EXPLAINED) * float(np.var(blocks))


def _block_means(values: FloatArray) -> FloatArray:
    count = max(min(_BLOCKS, values.size // 2), 3)
    return np.array([float(part.mean()) for part in np.array_split(values, count)])


def _tau(values: FloatArray) -> float:
    signs = np.sign(values[None, :] - values[:, None])[np.triu_indices(values.size, 1)]
    return float(signs.mean())


def _rise(shared: LiveGrowth, form: GrowthForm, fits: _Fits) -> LiveGrowth:
    """The curves that matter: those with a rise and more than a little probability."""
    kept = (fits.probability >= _LEAST_WEIGHT) & (fits.slope > 0)
    return replace(
        shared,
        form=form,
        curvature_per_second=fits.curvature[kept],
        weight=fits.probability[kept] / float(fits.probability[kept].sum()),
        slope_per_second=fits.slope[kept],
        slope_sd=fits.slope_sd[kept],
        pivot_seconds=fits.pivot[kept],
    )


def _steps(relative: FloatArray) -> tuple[int, ...]:
    """The first cycle of each level of a staircase that only rises; (0,) if the live heap has no such steps.

    The staircase starts as one level. The split that lowers the squares most is added while its step is larger than
    the scatter within levels and than a small share of the live heap.
    """
    bounds = [0, relative.size]
    noise = 0.5 * float(np.median(np.diff(relative) ** 2)) / 0.455  # median of chi-squared: jumps are few
    while len(bounds) - 2 < _MOST_STEPS:
        found = [_split(relative, first, last) for first, last in itertools.pairwise(bounds)]
        gain, place = max(found)
        if gain == 0.0 or gain < _STEP_SIGMAS**2 * max(noise, 1e-9):
            break
        bounds = sorted([*bounds, place])
    levels = [float(relative[a:b].mean()) for a, b in itertools.pairwise(bounds)]
    rises = np.diff(levels)
    return tuple(bounds[:-1]) if rises.size and bool((rises >= _LEAST_STEP).all()) else (0,)


def _split(relative: FloatArray, first: int, last: int) -> tuple[float, int]:
    """(fall of the sum of squares, first cycle of the second part) of the best split of a level.

    The fall is 0 if no split has a step that is large enough. A step may fall.
    """
    part, fewest = relative[first:last], max(_FEWEST_AFTER_A_STEP, relative.size // _LEVELS)
    places = np.arange(fewest, part.size - fewest + 1)
    if places.size == 0:
        return 0.0, 0
    sums = np.cumsum(part)
    before, after = sums[places - 1] / places, (sums[-1] - sums[places - 1]) / (part.size - places)
    gains = (after - before) ** 2 * places * (part.size - places) / part.size
    gains[np.abs(after - before) < _LEAST_STEP] = 0.0
    best = int(np.argmax(gains))
    return float(gains[best]), first + int(places[best])


def _levels(relative: FloatArray, steps: tuple[int, ...]) -> FloatArray:
    """The staircase at each cycle."""
    bounds = [*steps, relative.size]
    parts = [np.full(b - a, relative[a:b].mean()) for a, b in itertools.pairwise(bounds)]
    return np.concatenate(parts)


def _staircase(
    shared: LiveGrowth, steps: tuple[int, ...], seconds: FloatArray, relative: FloatArray
) -> LiveGrowth:
    """The levels of a staircase, and its further steps if the log has enough of them.

    The interval is the mean time between two steps. If the next step is more than an interval late, the time without it
    counts, too. The further steps are as many again, so that the spread of single steps counts twice.
    """
    levels = np.array([float(relative[a:b].mean()) for a, b in zip(steps, [*steps[1:], None], strict=True)])
    later = np.array(steps[1:])
    at = np.concatenate([[0.0], 0.5 * (seconds[later] + seconds[later - 1])])
    course = replace(shared, form="steps", seconds=at, levels=levels)
    if later.size < _STEPS_GO_ON:
        return course
    intervals, sizes = np.diff(at[1:]), np.diff(levels)
    every, waiting = float(intervals.mean()), shared.log_seconds - float(at[-1])
    if waiting > 2.0 * every:
        every = (float(intervals.sum()) + waiting) / (intervals.size + 1)
    return replace(
        course,
        step_seconds=every,
        step_seconds_sd=max(_spread(intervals) * math.sqrt(2.0 / intervals.size), _LEAST_STEP_SD),
        step_size=float(sizes.mean()),
        step_size_sd=max(_spread(sizes) * math.sqrt(2.0 / sizes.size), _LEAST_STEP_SD),
    )


def _spread(values: FloatArray) -> float:
    return float(values.std(ddof=1) / values.mean()) if values.size > 1 else 1.0
