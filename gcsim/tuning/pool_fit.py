"""The time that a program holds the objects of a pool, from logs of the program at different GOGC.

A pool misses more often if collections are more frequent, so a program with a constant load then allocates more:

    allocation = base + misses(time between collections, hold) x size

``base`` is the same in all logs. The hold time is the one whose misses explain the allocation rates best. A log's
allocation rate has an error of ``ALLOCATION_ERROR``. Other effects that grow with the number of collections, such as
caches behind weak pointers, are taken for misses of the pool.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.engine.pooled import use_of
from gcsim.errors import InputError
from gcsim.goruntime.versions import rules_for
from gcsim.metrics import Estimate
from gcsim.service.model import Model
from gcsim.service.pools import ServicePool

ALLOCATION_ERROR = 0.015  # of an allocation rate from a log: bytes that Go counts between cycles and in them
LEAST_LOGS = 3
_LEAST_FIT = 6.6  # of chi-square with one degree of freedom: misses by chance in one of a hundred
_INSIDE = 2.7  # rise of chi-square at the ends of a 90 % interval
_HOLDS = 25
_LEAST_IN_FLIGHT, _MOST_IN_FLIGHT = 0.05, 500.0
_MOST_BUSY = 0.95  # of a pool's goroutines


class PoolLog(NamedTuple):
    """One log: its name, its allocation and its collections."""

    name: str
    alloc_bytes_per_second: float
    gc_rate_hz: float
    gomaxprocs: int
    go: str

    @classmethod
    def of(cls, model: Model) -> "PoolLog":
        """The log that a model was calibrated on. Raises InputError if the program works at full speed."""
        if model.loop == "closed":
            raise InputError(
                f"--fit: {model.name} is a closed loop, a program that works at full speed, so its allocation rate does"
                " not show the misses of a pool; if arrivals set its load, add --open-loop"
            )
        return cls(
            model.name,
            model.parameters.alloc_bytes_per_second.value,
            model.cycles / max(model.duration_seconds, 1e-9),
            model.settings.gomaxprocs,
            model.settings.go,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFit:
    """A fitted pool."""

    pool: ServicePool
    hold_seconds: Estimate
    base_bytes_per_second: float  # allocation without the misses
    logs: tuple[PoolLog, ...]
    predicted_bytes_per_second: tuple[float, ...]  # allocation in each log

    def to_json(self) -> dict[str, object]:
        """The JSON document of the fit."""
        return {
            "hold_seconds": self.hold_seconds.to_json(),
            "base_bytes_per_second": self.base_bytes_per_second,
            "logs": [
                {
                    "name": log.name,
                    "gc_rate_hz": log.gc_rate_hz,
                    "alloc_bytes_per_second": log.alloc_bytes_per_second,
                    "predicted_bytes_per_second": predicted,
                }
                for log, predicted in zip(self.logs, self.predicted_bytes_per_second, strict=True)
            ],
        }


def fitted_pool(pool: ServicePool, logs: Sequence[PoolLog], *, seed: int) -> PoolFit:
    """The pool with the hold time that the logs show; ``pool`` has the Gets and the size of its objects.

    Raises InputError for too few logs, and for logs that do not show misses.
    """
    if len(logs) < LEAST_LOGS:
        raise InputError(
            f"--fit: {len(logs)} logs are too few to find the misses of a pool; give logs of the same load at"
            f" {LEAST_LOGS} or more GOGC, the log of MODEL included"
        )
    allocated = np.array([log.alloc_bytes_per_second for log in logs])
    holds = _holds(pool)
    missed = np.array([_missed(replace(pool, hold_seconds=one), logs, seed) for one in holds.tolist()])
    bases, errors = zip(*(_base(allocated, one) for one in missed), strict=True)
    chi = np.array(errors)
    best = int(np.argmin(chi))
    _, without = _base(allocated, np.zeros_like(allocated))
    if without - chi[best] < _LEAST_FIT or bases[best] <= 0:
        low, high = allocated.min(), allocated.max()
        rates = sorted(log.gc_rate_hz for log in logs)
        raise InputError(
            f"--fit: the logs show no misses of such a pool: allocation differs by {100 * (high / low - 1):.1f} %, with"
            f" {rates[0]:.3g} to {rates[-1]:.3g} collections per second; give logs at more different GOGC, check --gets"
            " and --size, or state --hold"
        )
    inside = np.flatnonzero(chi <= chi[best] + _INSIDE)
    return PoolFit(
        pool=replace(pool, hold_seconds=float(holds[best])),
        hold_seconds=Estimate(float(holds[best]), float(holds[inside[0]]), float(holds[inside[-1]])),
        base_bytes_per_second=bases[best],
        logs=tuple(logs),
        predicted_bytes_per_second=tuple((bases[best] + missed[best]).tolist()),
    )


def _holds(pool: ServicePool) -> FloatArray:
    """The hold times to try, seconds."""
    most = _MOST_IN_FLIGHT if pool.goroutines is None else _MOST_BUSY * pool.goroutines
    in_flight = np.geomspace(min(_LEAST_IN_FLIGHT, most / 2.0), most, _HOLDS)
    holds: FloatArray = in_flight / pool.gets_per_second
    return holds


def _missed(pool: ServicePool, logs: Sequence[PoolLog], seed: int) -> FloatArray:
    """Bytes per second of the pool's misses in each log."""
    found = [
        use_of(pool, log.gomaxprocs).at(1.0 / log.gc_rate_hz, rules=rules_for(log.go), seed=seed)
        for log in logs
    ]
    return np.array([(1.0 - one.hit_share) for one in found]) * pool.gets_per_second * pool.object_bytes


def _base(allocated: FloatArray, missed: FloatArray) -> tuple[float, float]:
    """(allocation without misses, chi-square of the logs' rates), with the relative error of each rate."""
    weight = (ALLOCATION_ERROR * allocated) ** -2
    base = float(np.sum(weight * (allocated - missed)) / np.sum(weight))
    return base, float(np.sum(weight * (allocated - missed - base) ** 2))
