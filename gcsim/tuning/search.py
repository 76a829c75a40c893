"""Where ``recommend`` looks: a coarse grid over the knobs, then a finer one around the best cell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gcsim.engine.run import Run
from gcsim.settings import Settings
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """What is searched and what is fixed."""

    gomaxprocs: int
    go: str
    memory_bytes: int

    def settings(self, gogc: int | None, limit_bytes: int | None) -> Settings:
        return Settings(gogc=gogc, gomemlimit_bytes=limit_bytes, gomaxprocs=self.gomaxprocs, go=self.go)


def coarse_settings(knobs: Knobs) -> list[Settings]:
    """The first look: GOGC from 10 to off, limits from 0.4 to 1.0 of the memory and off."""
    limits = [None, *(whole_mib(share * knobs.memory_bytes) for share in COARSE_LIMIT_SHARES)]
    return [
        knobs.settings(gogc, limit)
        for limit in dict.fromkeys(limits)
        for gogc in COARSE_GOGC
        if (gogc, limit) != (None, None)  # no collection at all: never an answer
    ]


def net_limits(knobs: Knobs, below: int, above: int) -> list[Settings]:
    """GOGC=off at limits between two: finds how high a limit can be and still hold the memory."""
    fine = np.linspace(below, above, 2 * FINE_STEPS + 2)[1:-1]
    limits = dict.fromkeys(whole_mib(value) for value in fine.tolist())
    return [knobs.settings(None, limit) for limit in limits if limit not in (below, above)]


def gogc_column(knobs: Knobs, limit_bytes: int | None) -> list[Settings]:
    """Every coarse GOGC at one limit."""
    return [knobs.settings(gogc, limit_bytes) for gogc in COARSE_GOGC if (gogc, limit_bytes) != (None, None)]


def finer_gogc(knobs: Knobs, around: int | None, limit_bytes: int | None) -> list[Settings]:
    """GOGC values between the coarse neighbours of ``around``, at one limit."""
    place = COARSE_GOGC.index(around) if around in COARSE_GOGC else 0
    coarse = [gogc for gogc in COARSE_GOGC if gogc is not None]
    low = coarse[max(0, min(place, len(coarse) - 1) - 1)]
    high = coarse[min(len(coarse) - 1, place + 1)]
    if around is None:
        high = 2 * coarse[-1]
    inner = np.geomspace(low, high, 2 * FINE_STEPS + 2)[1:-1]
    values = dict.fromkeys(_manifest_percent(value) for value in inner.tolist())
    return [knobs.settings(value, limit_bytes) for value in values if value not in COARSE_GOGC]


def whole_mib(size_bytes: float) -> int:
    """Rounded down to whole MiB, at least one: what one writes into a manifest."""
    return max(int(size_bytes // MIB), 1) * MIB


def _manifest_percent(value: float) -> int:
    """A percentage in steps that a person would write: 5 up to 200, then 10, then 50."""
    step = 1 if value < 25 else 5 if value < 200 else 10 if value < 500 else 50
    return round(value / step) * step
