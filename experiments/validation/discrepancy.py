"""How far real Go lies from the simulator beyond what parameters and chance explain, from the development programs.

An interval's standard deviation, of the logarithm, is that of the replicas together with the discrepancy:
``at_home`` at the calibrated setting, ``per_doubling`` for each doubling of distance from it, and ``under_limit``
(``gcsim/engine/summary/model_errors.py``). They are estimated here from residuals log(observed / predicted): their
ratios by likelihood under Student's t with four degrees of freedom, so that a few wild cases do not set them;
then all are scaled until nine in ten of the residuals are inside. Every program weighs the same. Last, widths
grow until nine in ten runs of programs left out one by one are inside, to twice as wide at most. Held-out programs
have no part in it.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from scipy import stats

from experiments.validation.study import Row
from experiments.validation.summary import groups
from gcsim.arrays import FloatArray
from gcsim.engine.summary.intervals import Z90, distance
from gcsim.engine.summary.model_errors import DISCREPANCY, Extrapolation, LoadKind, ModelError
from gcsim.settings import Settings
from gcsim.units import MIB

COVERAGE = 0.90
_DEGREES = 4.0
_PER_DOUBLING = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)  # over at_home
_UNDER_LIMIT = (0.0, 1.0, 2.0, 4.0)  # over at_home
_SHAPES = tuple(ModelError(1.0, per, limit) for per in _PER_DOUBLING for limit in _UNDER_LIMIT)
_LEAST, _MOST = 0.004, 2.0
_MIN_ROWS = 15
_MOST_FACTOR = 2.0


def discrepancy_table(rows: Iterable[Row]) -> str:
    """The table as Python source, a line for each metric that has residuals enough.

    With each, what the width was multiplied by to hold for programs that had no part in it.
    """
    lines = []
    for course, table in DISCREPANCY.items():
        lines.append(f'    "{course}": {{')
        design = [row for row in rows if not row.held_out and row.course == course]
        for metric, chosen in groups(design, lambda row: row.metric).items():
            found = fit_discrepancy(chosen) if metric in table else None
            if found is not None:
                factor = _for_unseen(chosen)
                home, per, limit = (min(one, _MOST) for one in _scaled(found, factor))
                lines.append(
                    f'        "{metric}": Width({home:.3f}, {per:.3f}, {limit:.3f}),'
                    f"  # {len(chosen)} runs, times {factor:.1f}"
                )
        lines.append("    },")
    return "\n".join(lines)


def _for_unseen(rows: Iterable[Row]) -> float:
    """By how much widths grow so that they hold nine in ten runs of a program that had no part in them.

    Leaves one program out after the other, and judges it by the others' width times the factor; 1 to 2.
    """
    by_program = groups(rows, lambda row: row.label)
    judged = []
    for label, own in by_program.items():
        others = [row for name, part in by_program.items() if name != label for row in part]
        found = fit_discrepancy(others)
        if found is not None and (usable := _usable(own)):
            judged.append((usable, found))
    for factor in np.geomspace(1.0, _MOST_FACTOR, 40):
        inside = [
            np.mean([_is_covered(row, _scaled(found, factor)) for row in usable]) for usable, found in judged
        ]
        if inside and np.mean(inside) >= COVERAGE:
            return float(factor)
    return _MOST_FACTOR


def _scaled(width: ModelError, factor: float) -> ModelError:
    return ModelError(*(factor * part for part in width))


def _is_covered(row: Row, width: ModelError) -> bool:
    away = _distance(row)
    spread = math.hypot(_scatter(row, away), width.at(away))
    return abs(math.log(row.observed / row.predicted)) <= Z90 * spread


def _usable(rows: Iterable[Row]) -> list[Row]:
    """Rows whose logarithms exist."""
    return [row for row in rows if min(row.observed, row.predicted, row.low) > 0 and row.high > row.low]


def fit_discrepancy(rows: Iterable[Row]) -> ModelError | None:
    """The width of one metric; None with too few residuals."""
    usable = _usable(rows)
    if len(usable) < _MIN_ROWS:
        return None
    residual = np.array([math.log(row.observed / row.predicted) for row in usable])
    away = [_distance(row) for row in usable]
    scatter = np.array([_scatter(row, one) for row, one in zip(usable, away, strict=True)])
    weight = _weights(usable)
    shapes = [np.array([shape.at(one) for one in away]) for shape in _SHAPES]
    fits = [_most_likely(residual, scatter, shape, weight) for shape in shapes]
    best = int(np.argmax([likelihood for likelihood, _ in fits]))
    return _scaled(_SHAPES[best], _covering(residual, scatter, shapes[best], weight))


def _weights(rows: Sequence[Row]) -> FloatArray:
    """One for each program together, however many versions and repeats it was run on."""
    runs = Counter(row.label for row in rows)
    return np.array([1.0 / runs[row.label] for row in rows])


def _distance(row: Row) -> Extrapolation:
    """As the engine measures it."""
    limit = None if row.limit_mib is None else row.limit_mib * MIB
    asked = Settings(gogc=row.gogc, gomemlimit_bytes=limit, gomaxprocs=row.procs, go=row.go)
    limited = asked.gomemlimit_bytes is not None
    return distance(Settings(gomaxprocs=row.procs, go=row.go), asked, limit_binds=limited)


def _course(row: Row) -> LoadKind:
    return next(course for course in DISCREPANCY if course == row.course)


def _scatter(row: Row, away: Extrapolation) -> float:
    """The replicas' part of an interval, on the side where the outcome lies: the whole less the discrepancy."""
    side = row.high / row.predicted if row.observed > row.predicted else row.predicted / row.low
    whole = math.log(max(side, 1.0)) / Z90
    return math.sqrt(max(whole**2 - DISCREPANCY[_course(row)][row.metric].at(away) ** 2, 0.0))


def _most_likely(
    residual: FloatArray, scatter: FloatArray, shape: FloatArray, weight: FloatArray
) -> tuple[float, float]:
    """The largest log-likelihood over the scale, and that scale."""
    best = (-math.inf, _LEAST)
    for scale in np.geomspace(_LEAST, _MOST, 80):
        spread = np.hypot(scatter, scale * shape)
        found = float(np.sum(weight * (stats.t.logpdf(residual / spread, _DEGREES) - np.log(spread))))
        best = max(best, (found, float(scale)))
    return best


def _covering(residual: FloatArray, scatter: FloatArray, shape: FloatArray, weight: FloatArray) -> float:
    """The smallest scale at which COVERAGE of the residuals are inside their intervals."""
    for scale in np.geomspace(_LEAST, _MOST, 400):
        inside = np.abs(residual) <= Z90 * np.hypot(scatter, scale * shape)
        if np.average(inside, weights=weight) >= COVERAGE:
            return float(scale)
    return _MOST
