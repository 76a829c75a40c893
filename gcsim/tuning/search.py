"""Where ``recommend`` looks: the edges of a coarse grid, the rows that may hold the answer, then finer around the best.

Few settings are simulated for nothing: at one GOGC a lower limit costs more GC CPU, and a limit that GOGC=off cannot
hold is held by no other GOGC, which collects at least as often.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gcsim.engine.run import Run
from gcsim.settings import Settings
from gcsim.tuning.feasible import keeps_limit
from gcsim.units import MIB

Evaluate = Callable[[Sequence[Settings]], list[Run]]

COARSE_GOGC: tuple[int | None, ...] = (
    10,
    15,
    25,
    35,
    50,
    75,
    100,
    150,
    200,
    300,
    400,
    600,
    800,
    1200,
    1600,
    None,
)
# Published rules of thumb for GOMEMLIMIT / container memory run from 0.7 to 1.0.
COARSE_LIMIT_SHARES = (0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
FINE_STEPS = 5  # new values on either side of the best, per axis
ROWS = 3  # of limits, looked at over every GOGC
LARGER, LARGER_STEPS = 1.5, 10  # limits above the memory, each so much higher than the one before
# The most settings that a search simulates: outline, rows, limits between two, the best one's row, and GOGC around two
# settings, each also under the best limit; where nothing is feasible, larger limits as well.
MOST_SETTINGS = (
    len(COARSE_GOGC) * (1 + ROWS + 1)
    + len(COARSE_LIMIT_SHARES)
    + 2 * FINE_STEPS
    + 4 * 2 * FINE_STEPS
    + LARGER_STEPS
    + 2 * FINE_STEPS
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GridPoint:
    """The fixed part of every setting in a search, and the memory that scales its limits."""

    gomaxprocs: int
    go: str
    memory_bytes: int

    def settings(self, gogc: int | None, limit_bytes: int | None) -> Settings:
        return Settings(gogc=gogc, gomemlimit_bytes=limit_bytes, gomaxprocs=self.gomaxprocs, go=self.go)


def outline(knobs: GridPoint) -> list[Settings]:
    """Two edges of the grid: every GOGC without a limit, and GOGC=off at limits from 0.4 to 1.0 of the memory."""
    limits = dict.fromkeys(whole_mib(share * knobs.memory_bytes) for share in COARSE_LIMIT_SHARES)
    return [*gogc_column(knobs, None), *(knobs.settings(None, limit) for limit in limits)]


def limits_worth_a_look(runs: Sequence[Run], holding: int | None) -> list[int]:
    """Limits of the outline whose rows may hold the answer.

    They are ``holding``, the highest that holds the memory by itself, and two above. Where none holds it by itself, the
    three lowest: a finite GOGC may hold the memory under them. Limits that GOGC=off cannot keep are left out.
    """
    alone = [
        (run.settings.gomemlimit_bytes, keeps_limit(run))
        for run in runs
        if run.settings.gogc is None and run.settings.gomemlimit_bytes is not None
    ]
    kept = sorted(limit for limit, held in alone if held)
    return [limit for limit in kept if holding is None or limit >= holding][:ROWS]


def backstop_limits(knobs: GridPoint, below: int, above: int) -> list[Settings]:
    """GOGC=off at limits between two: finds how high a limit can be and still hold the memory."""
    fine = np.linspace(below, above, 2 * FINE_STEPS + 2)[1:-1]
    limits = dict.fromkeys(whole_mib(value) for value in fine.tolist())
    return [knobs.settings(None, limit) for limit in limits if limit not in (below, above)]


def larger_limits(knobs: GridPoint) -> list[Settings]:
    """GOGC=off at limits from one and a half times the memory to 57 times: for a container that fits."""
    return [
        knobs.settings(None, whole_mib(knobs.memory_bytes * LARGER**k)) for k in range(1, LARGER_STEPS + 1)
    ]


def between_larger_limits(knobs: GridPoint, limit_bytes: int) -> list[Settings]:
    """GOGC=off at limits from one step of ``larger_limits`` below a limit up to it."""
    inner = np.linspace(limit_bytes / LARGER, limit_bytes, FINE_STEPS + 1)[1:-1]
    return [knobs.settings(None, whole_mib(value)) for value in inner.tolist()]


def gogc_column(knobs: GridPoint, limit_bytes: int | None) -> list[Settings]:
    """Every coarse GOGC at one limit."""
    return [knobs.settings(gogc, limit_bytes) for gogc in COARSE_GOGC if (gogc, limit_bytes) != (None, None)]


def finer_gogc(knobs: GridPoint, around: int | None, limit_bytes: int | None) -> list[Settings]:
    """GOGC values between the coarse neighbours of ``around``, at one limit."""
    coarse = [gogc for gogc in COARSE_GOGC if gogc is not None]
    if around is None:
        low, high = coarse[-2], 2 * coarse[-1]
    else:
        place = min(range(len(coarse)), key=lambda i: abs(math.log(max(around, 1) / coarse[i])))
        low, high = coarse[max(0, place - 1)], coarse[min(len(coarse) - 1, place + 1)]
    inner = np.geomspace(low, high, 2 * FINE_STEPS + 2)[1:-1]
    values = dict.fromkeys(_manifest_percent(value) for value in inner.tolist())
    return [knobs.settings(value, limit_bytes) for value in values if value not in COARSE_GOGC]


def whole_mib(size_bytes: float) -> int:
    """Rounded down to whole MiB, at least one, as people write into a manifest."""
    return max(int(size_bytes // MIB), 1) * MIB


def _manifest_percent(value: float) -> int:
    """A percentage in steps that a person would write: 5 up to 200, then 10, then 50."""
    step = 1 if value < 25 else 5 if value < 200 else 10 if value < 500 else 50
    return round(value / step) * step
