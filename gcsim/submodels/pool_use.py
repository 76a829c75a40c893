"""The hits of a sync.Pool and the objects that it keeps, at a time between collections.

With many Gets in a collection period the closed form of one P holds (``pool_hit_rate``), which is up to half a point
too high with more Ps. With fewer Gets the pool is simulated on its Ps (``service.objects.pool_users``), with an error
of sampling of about half a point.
"""

from dataclasses import dataclass

import numpy as np

from gcsim.goruntime.versions import GoRules
from gcsim.service.objects.pool_users import PoolUsers, simulate_pool_hits
from gcsim.streams import stream
from gcsim.submodels.pool_hit_rate import pool_hit_rate, pool_retained_objects

_CLOSED_FORM_GETS = 40.0  # per P and collection period
_SIMULATED_GETS = 20_000
_MOST_BUSY = 0.99  # of the goroutines of a closed set: all of them cannot hold an object all the time


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUse:
    """The steady use of one pool."""

    gets_per_second: float
    in_flight: float  # mean number of objects held at once
    gomaxprocs: int
    goroutines: int | None = None  # that may hold an object; None: unlimited

    def at(self, gc_period_seconds: float, *, rules: GoRules, seed: int) -> "PoolResult":
        """The hits and retained objects with a mean time between collections."""
        held = self.in_flight
        if self.goroutines is not None:
            held = min(held, _MOST_BUSY * self.goroutines)
        arguments = {
            "gets_per_second": self.gets_per_second,
            "in_flight": held,
            "gc_period_seconds": np.array([gc_period_seconds]),
            "goroutines": self.goroutines,
        }
        gets = self.gets_per_second * gc_period_seconds / self.gomaxprocs
        retained = float(pool_retained_objects(**arguments)[0])  # type: ignore[arg-type]
        if gets >= _CLOSED_FORM_GETS and rules.pool_victim_cache:
            hits = float(pool_hit_rate(**arguments)[0])  # type: ignore[arg-type]
        else:
            hits = self._simulated(held, gc_period_seconds, rules, seed)
        return PoolResult(hit_share=hits, retained_objects=retained)

    def _simulated(self, held: float, gc_period_seconds: float, rules: GoRules, seed: int) -> float:
        users = PoolUsers(
            gets_per_second=self.gets_per_second,
            in_flight=held,
            gc_period_seconds=gc_period_seconds,
            gomaxprocs=self.gomaxprocs,
            goroutines=self.goroutines,
        )
        rng = stream(seed, "pool use", 0)
        hits, gets = simulate_pool_hits(users, gets=_SIMULATED_GETS, rules=rules, rng=rng)
        return hits / gets


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolResult:
    """The hits of a pool and the unused objects that it keeps."""

    hit_share: float  # of Gets
    retained_objects: float  # at a collection
