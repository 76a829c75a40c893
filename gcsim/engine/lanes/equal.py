"""Lanes of a grid whose runs are equal, so that one of them is simulated.

Random numbers are keyed: at every setting a replica has the same ones. A run in which the memory limit sets no trigger
is therefore the run without the limit, and a run in which the limit sets every trigger does not depend on GOGC.
``outline_of`` simulates the loosest value of each axis, every GOGC at the highest limit and every limit at the highest
GOGC. ``LimitWatch`` finds the lanes that are equal to one of these. All others are simulated.

GOGC=off is left out: it has no periodic collection, and other unusable free slots.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Protocol, Self

import numpy as np

from gcsim.arrays import BoolArray, FloatArray, Int64Array
from gcsim.engine.executors import IN_PROCESS, Executor, executor_for
from gcsim.engine.inputs.bounds import finite_arithmetic
from gcsim.engine.inputs.draws import draw_growth, draw_parameters, lane_parameters
from gcsim.engine.lanes.limit_watch import LimitWatch
from gcsim.engine.lanes.run import lane_cycles, lane_engine, run_lanes
from gcsim.engine.plan import Plan
from gcsim.engine.summary.totals import LaneTotals
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.units import MAX_INT64


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLanes:
    """The sums of the lanes of some settings, setting by setting, where they are known."""

    totals: LaneTotals  # zero where unknown
    is_known: BoolArray

    @classmethod
    def none(cls, lanes: int) -> Self:
        """No known lane."""
        return cls(totals=LaneTotals.zero(lanes), is_known=np.zeros(lanes, dtype=np.bool_))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """The simulated edges of a grid, with the bounds inside which other lanes are equal to theirs."""

    places: dict[Settings, int]  # of the simulated settings, in the arrays below
    highest_gogc: int
    highest_limit_bytes: int | None
    replicas: int
    totals: LaneTotals  # of all lanes, setting by setting
    least_limit_bytes: FloatArray  # shape (settings, replicas)
    least_gogc: FloatArray  # shape (settings, replicas)

    def known(self, settings: Sequence[Settings]) -> KnownLanes:
        """The known lanes of some settings of the grid."""
        sources = np.concatenate([self._sources(one) for one in settings])
        found = KnownLanes.none(sources.size)
        is_known = sources >= 0
        known = self.totals.select(sources[is_known]).with_fixed_setting(
            np.repeat([float(_limit(one.gomemlimit_bytes)) for one in settings], self.replicas)[is_known],
            np.repeat([np.inf if one.gogc is None else float(one.gogc) for one in settings], self.replicas)[
                is_known
            ],
        )
        known.scatter_into(found.totals, np.flatnonzero(is_known))
        return KnownLanes(totals=found.totals, is_known=is_known)

    def unknown_lanes(self, one: Settings) -> int:
        """The number of lanes of a setting that must be simulated."""
        return int((self._sources(one) < 0).sum())

    def _sources(self, one: Settings) -> Int64Array:
        """The simulated lane that each lane of a setting is equal to, shape (replicas,); -1 for none."""
        lanes = np.arange(self.replicas)
        if one in self.places:
            return self.places[one] * self.replicas + lanes
        if one.gogc is None:
            return np.full(self.replicas, -1)
        column = self.places[_at(one, one.gogc, self.highest_limit_bytes)]
        row = self.places[_at(one, self.highest_gogc, one.gomemlimit_bytes)]
        by_limit = self.least_limit_bytes[column] <= _limit(one.gomemlimit_bytes)
        by_gogc = self.least_gogc[row] <= one.gogc
        row_or_none = np.where(by_gogc, row * self.replicas + lanes, -1)
        return np.where(by_limit, column * self.replicas + lanes, row_or_none)


class EdgeKeeper(Protocol):
    """Keeps the simulated edges of a grid, so that a later sweep need not simulate them again."""

    def edges(self) -> Sequence[FloatArray]:
        """The kept parts of the edges, in order."""
        ...

    def keep_edges(self, part: FloatArray) -> None:
        """Keeps the next part of the edges."""
        ...


def outline_of(
    model: Model,
    settings: Sequence[Settings],
    plan: Plan,
    *,
    most_lanes: int = 4096,
    executor: Executor = IN_PROCESS,
    keeper: EdgeKeeper | None = None,
) -> Outline | None:
    """The outline of a full grid of settings with one Go version and GOMAXPROCS; None if it has no finite GOGC.

    An engine call simulates at most ``most_lanes``, or one setting. ``keeper`` receives the result of each call, and
    has those of an earlier sweep.
    """
    gogcs = sorted({one.gogc for one in settings if one.gogc is not None})
    if not gogcs or not settings:
        return None
    limits = list(dict.fromkeys(one.gomemlimit_bytes for one in settings))
    highest_limit = max(limits, key=_limit)
    edges = [_at(settings[0], gogc, highest_limit) for gogc in gogcs]
    edges += [_at(settings[0], gogcs[-1], limit) for limit in limits if limit != highest_limit]
    step = max(most_lanes // plan.replicas, 1)
    found = [] if keeper is None else [_Edges.from_array(one, plan.replicas) for one in keeper.edges()]
    first = sum(len(one.least_gogc) for one in found)
    parts = (edges[start : start + step] for start in range(first, len(edges), step))
    executor = executor_for(
        executor, "lanes", (len(edges) - first) * plan.replicas * lane_cycles(model, plan)
    )
    for one in executor.map(partial(_simulate_edges, model, plan), parts):
        if keeper is not None:
            keeper.keep_edges(one.to_array())
        found.append(one)
    return Outline(
        places={one: place for place, one in enumerate(edges)},
        highest_gogc=gogcs[-1],
        highest_limit_bytes=highest_limit,
        replicas=plan.replicas,
        totals=LaneTotals.joined([part.totals for part in found]),
        least_limit_bytes=np.concatenate([part.least_limit_bytes for part in found]),
        least_gogc=np.concatenate([part.least_gogc for part in found]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edges:
    """A part of ``Outline``, with its arrays."""

    totals: LaneTotals
    least_limit_bytes: FloatArray
    least_gogc: FloatArray

    @classmethod
    def from_array(cls, array: FloatArray, replicas: int) -> Self:
        """The inverse of ``to_array``."""
        shape = (-1, replicas)
        return cls(
            totals=LaneTotals(
                **{one.name: row for one, row in zip(fields(LaneTotals), array[:-2], strict=True)}
            ),
            least_limit_bytes=array[-2].reshape(shape),
            least_gogc=array[-1].reshape(shape),
        )

    def to_array(self) -> FloatArray:
        """All values, a row for each sum and for both bounds, a column for each lane."""
        sums = [getattr(self.totals, one.name) for one in fields(self.totals)]
        return np.stack([*sums, self.least_limit_bytes.ravel(), self.least_gogc.ravel()])


def _simulate_edges(model: Model, plan: Plan, edges: Sequence[Settings]) -> _Edges:
    with finite_arithmetic(model.name):
        drawn = draw_parameters(model, replicas=plan.replicas, seed=plan.seed)
        parameters = lane_parameters(model, edges, drawn)
        growth = draw_growth(model, drawn, seed=plan.seed)
        engine = lane_engine(model, parameters, edges[0].go, plan, growth)
        engine.watch = watch = LimitWatch(parameters.lanes)
        totals = run_lanes(engine, plan)
    shape = (len(edges), plan.replicas)
    return _Edges(
        totals=totals,
        least_limit_bytes=watch.least_limit_bytes.reshape(shape),
        least_gogc=watch.least_gogc.reshape(shape),
    )


def _limit(limit_bytes: int | None) -> int:
    return MAX_INT64 if limit_bytes is None else limit_bytes


def _at(one: Settings, gogc: int, limit_bytes: int | None) -> Settings:
    return Settings(gogc=gogc, gomemlimit_bytes=limit_bytes, gomaxprocs=one.gomaxprocs, go=one.go)
