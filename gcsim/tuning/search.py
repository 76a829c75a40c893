"""The settings that ``recommend`` simulates: the edges of a coarse grid, candidate rows, then finer steps.

Two facts keep the search small. At one GOGC a lower limit costs more GC CPU. If GOGC=off cannot keep a limit, no other
GOGC can: it collects at least as often.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gcsim.engine.run import Run
from gcsim.settings import Settings
from gcsim.tuning.constraints import Constraint
from gcsim.tuning.feasible import MOST_LIMIT_SHARE, keeps_limit
from gcsim.units import MIB


class Evaluate(Protocol):
    """Simulates settings; the result holds all runs so far. ``likely`` are settings that a later call may ask for."""

    def __call__(self, settings: Sequence[Settings], likely: Sequence[Settings] = (), /) -> list[Run]:
        """All runs so far, those of ``settings`` included."""


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
# Published rules of thumb for GOMEMLIMIT / container memory run from 0.7 to 1.0. The low ones are for containers that
# hold much memory outside the heap.
COARSE_LIMIT_SHARES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, MOST_LIMIT_SHARE)
FINE_STEPS = 5  # new values on each side of the best, per axis
ROWS = 3  # candidate limits, simulated at every GOGC
LARGER, LARGER_STEPS = 1.5, 10  # limits above the memory: ratio of consecutive limits, and their number
# The maximum number of settings in a search: outline, rows, limits between two, the row of the best limit, GOGC near
# two settings (each also under the best limit), and larger limits if nothing is feasible.
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
        """The setting with these values of GOGC and GOMEMLIMIT."""
        return Settings(gogc=gogc, gomemlimit_bytes=limit_bytes, gomaxprocs=self.gomaxprocs, go=self.go)


def outline(knobs: GridPoint) -> list[Settings]:
    """Two edges of the grid: every GOGC without a limit; GOGC=off at limits from 0.2 to 0.95 of the memory."""
    limits = dict.fromkeys(whole_mib(share * knobs.memory_bytes) for share in COARSE_LIMIT_SHARES)
    return [*gogc_column(knobs, None), *(knobs.settings(None, limit) for limit in limits)]


def likely_row(knobs: GridPoint) -> list[Settings]:
    """The row of the outline's highest limit, which the search usually asks for next."""
    highest = max(one.gomemlimit_bytes or 0 for one in outline(knobs))
    return gogc_column(knobs, highest)


def candidate_limits(runs: Sequence[Run], holding: int | None, memory: Constraint) -> list[int]:
    """The limits of the outline whose rows may contain the best setting.

    They are ``holding``, the highest limit that alone keeps the memory, and the two limits above it, under which a
    finite GOGC may keep it. If no limit does, they are the three lowest, which come nearest. Limits that GOGC=off
    cannot keep are left out, and so are limits that leave no room in the memory.
    """
    kept = sorted(
        run.settings.gomemlimit_bytes
        for run in runs
        if run.settings.gogc is None
        and run.settings.gomemlimit_bytes is not None
        and keeps_limit(run)
        and memory.leaves_room(run)
    )
    return [limit for limit in kept if holding is None or limit >= holding][:ROWS]


def backstop_limits(knobs: GridPoint, below: int, above: int) -> list[Settings]:
    """GOGC=off at limits between two limits, to find the highest one that keeps the memory."""
    fine = np.linspace(below, above, 2 * FINE_STEPS + 2)[1:-1]
    limits = dict.fromkeys(whole_mib(value) for value in fine.tolist())
    return [knobs.settings(None, limit) for limit in limits if limit not in (below, above)]


def larger_limits(knobs: GridPoint) -> list[Settings]:
    """GOGC=off at limits from 1.5 to 57 times the memory."""
    return [
        knobs.settings(None, whole_mib(knobs.memory_bytes * LARGER**k)) for k in range(1, LARGER_STEPS + 1)
    ]


def between_larger_limits(knobs: GridPoint, limit_bytes: int) -> list[Settings]:
    """GOGC=off at limits between one step of ``larger_limits`` below a limit and that limit."""
    inner = np.linspace(limit_bytes / LARGER, limit_bytes, FINE_STEPS + 1)[1:-1]
    return [knobs.settings(None, whole_mib(value)) for value in inner.tolist()]


def gogc_column(knobs: GridPoint, limit_bytes: int | None) -> list[Settings]:
    """All coarse GOGC values at one limit."""
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
    """The size rounded down to whole MiB, at least 1 MiB."""
    return max(int(size_bytes // MIB), 1) * MIB


def _manifest_percent(value: float) -> int:
    """The percentage rounded to usual steps: 1 below 25, 5 below 200, 10 below 500, then 50."""
    step = 1 if value < 25 else 5 if value < 200 else 10 if value < 500 else 50
    return round(value / step) * step
