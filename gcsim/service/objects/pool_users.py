"""The use of a sync.Pool: goroutines that hold an object for some time, and collections.

This module holds all knowledge of pools above the exact rules (``goruntime.sync_pool``): the use of a pool, the share
of its Gets that hit, and the service that would reuse objects. The object-level view of the event engine and any
question about a pool ask it. ``submodels.pool_hit_rate`` is the closed form for one P.
"""

from dataclasses import dataclass, replace

import numpy as np

from gcsim.arrays import FloatArray, Int64Array
from gcsim.errors import InputError
from gcsim.goruntime.sync_pool import PoolState, collect, get, put
from gcsim.goruntime.versions import GoRules
from gcsim.service.model import Model
from gcsim.streams import stream

_POOL_GETS = 20_000
_PUT, _GET, _COLLECT = range(3)  # also the order at equal times

Operations = tuple[FloatArray, Int64Array, Int64Array]  # times in seconds, kinds, Ps


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The use of one sync.Pool."""

    name: str
    gets_per_second: float
    in_flight: float  # mean number of objects held at once

    def __post_init__(self) -> None:
        if min(self.gets_per_second, self.in_flight) <= 0:
            raise ValueError("gets_per_second and in_flight must be more than 0")

    def hit_share(self, gc_period_seconds: float, *, gomaxprocs: int, rules: GoRules, seed: int) -> float:
        """The share of Gets that hit, 0 to 1, at a mean time between collections."""
        users = PoolUsers(
            gets_per_second=self.gets_per_second,
            in_flight=self.in_flight,
            gc_period_seconds=gc_period_seconds,
            gomaxprocs=gomaxprocs,
        )
        period = np.array([gc_period_seconds])
        return float(pool_hit_curve(users, period, rules=rules, seed=seed, gets=_POOL_GETS)[0])


def reusing(model: Model, *, hits_per_second: float, object_bytes: float) -> Model:
    """The same service if some allocations were hits of a pool instead, at the calibrated load.

    A hit allocates nothing. The live heap stays: unused objects of the pool are not added to it. Raises
    InputError if the hits would allocate more than the service does.
    """
    allocated = model.parameters.alloc_bytes_per_second.value
    left = 1.0 - hits_per_second * object_bytes / allocated
    if left <= 0.0:
        raise InputError(
            f"{model.name}: the pool's hits of {hits_per_second * object_bytes:,.0f} bytes a second are not less than"
            f" its allocation of {allocated:,.0f}; check the object's size and the number of Gets"
        )
    return model.scaled(allocation=left)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUsers:
    """Steady use of one pool, in quantities that can be measured on a running service."""

    gets_per_second: float  # all Ps together
    in_flight: float  # mean number of objects held at once: gets per second x mean hold
    gc_period_seconds: float  # between the starts of two collections
    gomaxprocs: int
    goroutines: int | None = None  # that may hold an object; None: unlimited
    put_moves: float = 1.0  # share of holders that Put on another P than their Get's, because they blocked

    def __post_init__(self) -> None:
        if min(self.gets_per_second, self.in_flight, self.gc_period_seconds) <= 0 or self.gomaxprocs < 1:
            raise ValueError("gets_per_second, in_flight, gc_period_seconds and gomaxprocs must be above 0")
        if self.goroutines is not None and self.in_flight > self.goroutines:
            raise ValueError(f"{self.goroutines} goroutines cannot hold {self.in_flight} objects")
        if not 0 <= self.put_moves <= 1:
            raise ValueError(f"put_moves is a share, got {self.put_moves}")


def simulate_pool_hits(
    users: PoolUsers, *, gets: int, rules: GoRules, rng: np.random.Generator
) -> tuple[int, int]:
    """(hits, Gets) of about ``gets`` simulated Gets, after a warm-up of a tenth as many.

    Hold times are exponential. Arrivals are Poisson, or with ``goroutines`` the times between two holds of a goroutine
    are exponential. Each operation runs on a random P. Collections come at equal intervals. Arrivals in bursts miss
    more often.
    """
    times, kinds, processors = _operations(users, gets + gets // 10, rng)
    warm = len(times) // 11
    state, hits = PoolState(), 0
    for index, (kind, processor) in enumerate(zip(kinds.tolist(), processors.tolist(), strict=True)):
        if kind == _GET:
            state, source = get(state, processor, gomaxprocs=users.gomaxprocs)
            hits += source != "miss" and index >= warm
        elif kind == _PUT:
            state = put(state, processor, gomaxprocs=users.gomaxprocs)
        else:
            state = collect(state, rules=rules)
    return hits, int(np.count_nonzero(kinds[warm:] == _GET))


def pool_hit_curve(
    users: PoolUsers, gc_period_seconds: FloatArray, *, rules: GoRules, seed: int, gets: int = 20_000
) -> FloatArray:
    """The share of Gets that hit, 0 to 1, at each period between collections (``users.gc_period_seconds`` is ignored).

    Simulated at 12 periods in the requested range and interpolated in the logarithm of the period; accurate to about
    half a percentage point. The result is deterministic in ``seed``.
    """
    asked = np.asarray(gc_period_seconds, dtype=np.float64)
    grid = np.geomspace(asked.min(), asked.max(), 12)
    rates = []
    for index, period in enumerate(grid.tolist()):
        rng = stream(seed, "pool users", index)
        at_period = replace(users, gc_period_seconds=period)
        hits, counted = simulate_pool_hits(at_period, gets=gets, rules=rules, rng=rng)
        rates.append(hits / counted)
    curve: FloatArray = np.interp(np.log(asked), np.log(grid), rates)
    return curve


def _operations(users: PoolUsers, gets: int, rng: np.random.Generator) -> Operations:
    """All Gets, Puts and collections in order of time."""
    get_times, put_times = _holds(users, gets, rng)
    get_on = rng.integers(users.gomaxprocs, size=len(get_times))
    moved = rng.random(len(get_times)) < users.put_moves
    put_on = np.where(moved, rng.integers(users.gomaxprocs, size=len(get_times)), get_on)
    collections = np.arange(users.gc_period_seconds, get_times.max(), users.gc_period_seconds)
    counts = [len(put_times), len(get_times), len(collections)]
    times = np.concatenate([put_times, get_times, collections])
    kinds = np.repeat(np.array([_PUT, _GET, _COLLECT]), counts)
    processors = np.concatenate([put_on, get_on, np.zeros(len(collections), dtype=np.int64)])
    order = np.lexsort((kinds, times))
    order = order[times[order] <= get_times.max()]
    return times[order], kinds[order], processors[order]


def _holds(users: PoolUsers, gets: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """The start and end of each hold, in seconds."""
    mean_hold = users.in_flight / users.gets_per_second
    if users.goroutines is None:
        begins = np.cumsum(rng.exponential(1 / users.gets_per_second, gets))
        return begins, begins + rng.exponential(mean_hold, gets)
    mean_gap = users.goroutines / users.gets_per_second - mean_hold
    each = (-(-gets // users.goroutines), users.goroutines)
    gaps, holds = rng.exponential(mean_gap, each), rng.exponential(mean_hold, each)
    ends = np.cumsum(gaps + holds, axis=0)
    begins = ends - holds
    in_time = begins <= ends[-1].min()  # beyond it some goroutines have no holds left
    return begins[in_time], ends[in_time]
