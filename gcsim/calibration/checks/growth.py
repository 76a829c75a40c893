"""Growth of live heap and stacks over a log."""

from collections.abc import Iterator

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.evidence import Evidence
from gcsim.calibration.stats.standard_error import standard_error
from gcsim.service.assessment import Finding, GrowingPart, Growth
from gcsim.service.growth import LiveGrowth
from gcsim.submodels.live_growth import central_course
from gcsim.units import MIB, format_mib

_FEWEST_CYCLES = 6
_MOST_BLOCKS, _CYCLES_PER_BLOCK = 8, 2  # block means separate a slope from scatter
_RISING = 0.75  # Kendall's tau of the block means: share of rising pairs less share of falling pairs
_ENOUGH = 0.15  # relative rise, at least
_LEAST_BYTES = 2.0 * MIB  # more than truncation makes
_SIGMAS = 4.0
_SLOWER = 0.4  # of the whole log's slope: below it in the last third, growth ends within the log
_LONG, _ENDED = (
    1e6,
    0.95,
)  # log lengths until a ceiling; share of the whole rise within the log that has ended
_LEAST_STACK_SHARE = 0.1  # of the live heap: smallest reported growth of stacks


def growing_parts(evidence: Evidence) -> tuple[Growth, ...]:
    """The parts of memory that grow over the evidence, the fastest first."""
    found = [
        _growth("live heap", evidence.start_seconds, evidence.live_bytes, least_bytes=_LEAST_BYTES),
        _growth(
            "stacks",
            evidence.start_seconds,
            evidence.stack_bytes,
            least_bytes=max(_LEAST_BYTES, _LEAST_STACK_SHARE * float(evidence.live_bytes.mean())),
        ),
    ]
    growing = [growth for growth in found if growth is not None]
    return tuple(sorted(growing, key=lambda growth: -growth.bytes_per_second))


def _growth(
    what: GrowingPart, seconds: FloatArray, values: FloatArray, *, least_bytes: float
) -> Growth | None:
    """A rise over time that scatter between cycles does not explain; None without one."""
    lasted = float(seconds[-1] - seconds[0]) if seconds.size else 0.0
    if values.size < _FEWEST_CYCLES or lasted <= 0 or _tau(_blocks(values)) < _RISING:
        return None
    slope, level = _line(seconds - seconds[0], values)
    first, last = max(level, 0.0), level + slope * lasted
    if last - first < max(least_bytes, _ENOUGH * first):
        return None
    residuals = values - level - slope * (seconds - seconds[0])
    if last - first < _SIGMAS * 2.0 * standard_error(residuals):
        return None
    third = slice(2 * values.size // 3, None)
    latest, _ = _line(seconds[third] - seconds[0], values[third])
    return Growth(
        what=what,
        bytes_per_second=slope,
        first_bytes=first,
        last_bytes=last,
        continues=latest >= _SLOWER * slope,
    )


def _blocks(values: FloatArray) -> FloatArray:
    count = max(min(_MOST_BLOCKS, values.size // _CYCLES_PER_BLOCK), 3)
    return np.array([float(part.mean()) for part in np.array_split(values, count)])


def _tau(values: FloatArray) -> float:
    signs = np.sign(values[None, :] - values[:, None])[np.triu_indices(values.size, 1)]
    return float(signs.mean())


def _line(seconds: FloatArray, values: FloatArray) -> tuple[float, float]:
    """Slope and intercept of the least-squares line."""
    middle, mean = float(seconds.mean()), float(values.mean())
    spread = float(((seconds - middle) ** 2).sum())
    slope = float(((seconds - middle) * (values - mean)).sum()) / spread if spread > 0 else 0.0
    return slope, mean - slope * middle


def growth_findings(
    growth: tuple[Growth, ...], fitted: LiveGrowth, *, live_bytes: float, peak_ratio: float, gogc: str
) -> Iterator[Finding]:
    """One finding per growing part.

    ``fitted`` is the model's growth, ``live_bytes`` its mean live heap, ``peak_ratio`` is heap peak over live heap.
    """
    if fitted.form == "levels off" or (fitted.form == "steps" and fitted.step_seconds == 0):
        yield _ending(fitted, live_bytes)
        growth = tuple(part for part in growth if part.what != "live heap")
    for part in growth:
        if part.what == "live heap" and fitted.form == "job":
            text = (
                f"{_moved(part)}, over one whole run of a job: predictions are of that job"
                " (pass --no-job if the program would go on)"
            )
            yield Finding("growth", "note", text)
        elif part.continues:
            yield Finding("growth", "distrust", _leak(part, peak_ratio, gogc))
        else:
            text = f"{_moved(part)}, and slows down towards the end of the log: a warm-up; log for longer"
            yield Finding("growth", "care", text)


def _ending(fitted: LiveGrowth, live_bytes: float) -> Finding:
    """The finding of a rise that ends: within the log, or by its form later."""
    one = np.zeros(1, dtype=np.int64)
    course = central_course(fitted)
    first, last, ceiling = (
        float(course.factor(np.array([seconds]), one)[0]) * live_bytes
        for seconds in (0.0, fitted.log_seconds, _LONG * fitted.log_seconds)
    )
    moved = f"live heap grows from {format_mib(first)} to {format_mib(last)}"
    if last - first >= _ENDED * (ceiling - first):
        return Finding(
            "growth", "note", f"{moved} and has levelled off; predictions start with that rise, too"
        )
    return Finding(
        "growth",
        "care",
        f"{moved} and slows down: towards {format_mib(ceiling)} by its form; predictions go on to there; log until"
        " it is steady",
    )


def _moved(part: Growth) -> str:
    return (
        f"{part.what} {'grow' if part.what == 'stacks' else 'grows'} {format_mib(part.bytes_per_second)}/s,"
        f" from {format_mib(part.first_bytes)} to {format_mib(part.last_bytes)}"
    )


def _leak(part: Growth, peak_ratio: float, gogc: str) -> str:
    if part.what == "stacks":
        return (
            f"{_moved(part)}: goroutines accumulate; look at /debug/pprof/goroutine; no GC setting fixes that, and"
            " predictions hold only for the length of the log"
        )
    size = _next_size(peak_ratio * part.last_bytes)
    reached = part.seconds_until(size / peak_ratio)
    return (
        f"{_moved(part)}; at this rate the heap peak reaches {format_mib(size)} in {_duration(reached)} at"
        f" GOGC={gogc}: a leak or a warm-up; no GC setting fixes a leak; predictions go on with this growth"
        " for the whole --duration (for a job that ends with its log, calibrate with --job)"
    )


def _next_size(size_bytes: float) -> float:
    """The smallest power of two that is at least 1.5 times ``size_bytes``: a container size that growth exceeds."""
    return float(2.0 ** np.ceil(np.log2(max(1.5 * size_bytes, MIB))))


def _duration(seconds: float) -> str:
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= length:
            return f"{seconds / length:.{0 if seconds >= 10.0 * length else 1}f} {unit}"
    return f"{max(seconds, 1.0):.0f} s"
