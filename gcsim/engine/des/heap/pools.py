"""The pools of a run, operation by operation, on the clock of the program's work.

The clock is bytes that the program allocates without pools. So Gets keep pace with the program when a collection or a
full heap slows it. Each Get and Put follows the runtime's rules (``goruntime.sync_pool``). A Get that misses allocates
an object. The pools know nothing of the heap: between two collections the misses follow from the work alone, so that
``work_until`` can look ahead.

A pool's use is that of ``service.objects.pool_users``: hold times are exponential, arrivals are Poisson, or goroutines
that wait an exponential time between two holds. Each operation runs on a random P.
"""

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gcsim.goruntime.sync_pool import PoolState, collect, get, put
from gcsim.goruntime.versions import GoRules
from gcsim.streams import stream

_PUT, _GET = range(2)  # also the order at equal times
_BLOCK = 4096  # draws made together; the number changes only the speed


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedPool:
    """The use of one pool on the clock of work."""

    gets_per_byte: float
    hold_bytes: float  # work from Get to Put
    object_bytes: float
    goroutines: int | None = None  # that use it; None: unlimited


class PoolCounts(NamedTuple):
    """Sums of one pool since the start of the run."""

    gets: int = 0
    hits: int = 0
    held: int = 0  # objects in use now
    pooled: int = 0  # unused objects in the pool now, the victim's included
    freed: int = 0  # objects that collections dropped

    @property
    def misses(self) -> int:
        """Objects made."""
        return self.gets - self.hits


class _Event(NamedTuple):
    at_bytes: float
    kind: int
    pool: int
    number: int  # of the Get, counted over the run


class _Miss(NamedTuple):
    at_bytes: float
    object_bytes: float


class _Played(NamedTuple):
    """The state at one point of the work."""

    states: tuple[PoolState, ...]
    counts: tuple[PoolCounts, ...]
    events: tuple[_Event, ...]
    gets: tuple[int, ...]  # drawn by each pool


class PoolRun:
    """The pools of one run."""

    def __init__(
        self, pools: Sequence[PlayedPool], *, rules: GoRules, gomaxprocs: int, seed: int, replica: int
    ) -> None:
        self._pools, self._rules, self._procs = tuple(pools), rules, gomaxprocs
        self._draws = [_Draws(stream(seed, f"des pool {i}", replica), gomaxprocs) for i in range(len(pools))]
        self.missed_bytes = 0.0  # allocated by Gets that missed
        self._work_bytes = 0.0
        self._misses: deque[_Miss] = deque()  # ahead of the work
        self._states = [PoolState() for _ in pools]
        self._counts = [PoolCounts() for _ in pools]
        self._at_collection = tuple(self._counts)
        self._gets = [0] * len(pools)
        self._events: list[_Event] = []
        for index, pool in enumerate(self._pools):
            for _ in range(pool.goroutines or 1):
                self._add_get(index, 0.0)
        self._start = self._snapshot()  # of the interval between two collections
        self._ahead_bytes = 0.0  # the work up to which events are played

    @property
    def counts(self) -> tuple[PoolCounts, ...]:
        """The sums of each pool now, if no event is played ahead of the work."""
        return tuple(self._counts)

    @property
    def counts_at_collection(self) -> tuple[PoolCounts, ...]:
        """The sums of each pool when the last collection had dropped the victims."""
        return self._at_collection

    @property
    def pooled_bytes(self) -> float:
        """Bytes of unused objects in the pools; the victims' included."""
        return sum(
            one.objects * pool.object_bytes for one, pool in zip(self._states, self._pools, strict=True)
        )

    def work_until(self, total_bytes: float) -> float:
        """The work after which the program and the pools' misses have allocated ``total_bytes`` together."""
        at, left = self._work_bytes, total_bytes
        index = 0
        while left > 0.0:
            while index == len(self._misses) and self._events[0].at_bytes <= at + left:
                self._play_next()
            if index == len(self._misses) or self._misses[index].at_bytes > at + left:
                return at + left - self._work_bytes
            miss = self._misses[index]
            left -= miss.at_bytes - at + miss.object_bytes
            at, index = miss.at_bytes, index + 1
        return at - self._work_bytes

    def advance(self, work_bytes: float) -> float:
        """Adds work; returns the bytes that Gets allocated in this work because they missed."""
        self._work_bytes += work_bytes
        self._play(self._work_bytes)
        missed = 0.0
        while self._misses and self._misses[0].at_bytes <= self._work_bytes:
            missed += self._misses.popleft().object_bytes
        self.missed_bytes += missed
        return missed

    def collect(self) -> None:
        """Begins a collection: victims are dropped, and all other unused objects become victims (``clearpools``)."""
        if self._ahead_bytes > self._work_bytes:  # a collection before the heap was full
            self._restore(self._start)
            self._play(self._work_bytes)
            self._misses.clear()
            self._ahead_bytes = self._work_bytes
        for index, state in enumerate(self._states):
            self._states[index] = collect(state, rules=self._rules)
            self._drop(index, state.objects - self._states[index].objects)
        self._at_collection = self.counts
        self._start = self._snapshot()
        for draws, gets in zip(self._draws, self._gets, strict=True):
            draws.forget(min([gets, *(one.number for one in self._events)], default=gets))

    def _play(self, to_bytes: float) -> None:
        while self._events[0].at_bytes <= to_bytes:
            self._play_next()
        self._ahead_bytes = max(self._ahead_bytes, to_bytes)

    def _play_next(self) -> None:
        event = heapq.heappop(self._events)
        index, pool = event.pool, self._pools[event.pool]
        draw = self._draws[index].of(event.number)
        counts, before = self._counts[index], self._states[index]
        self._ahead_bytes = max(self._ahead_bytes, event.at_bytes)
        if event.kind == _PUT:
            self._states[index] = put(before, draw.put_on, gomaxprocs=self._procs)
            self._counts[index] = counts._replace(held=counts.held - 1, pooled=counts.pooled + 1)
            if pool.goroutines is not None:
                self._add_get(index, event.at_bytes)
            return
        self._states[index], source = get(before, draw.get_on, gomaxprocs=self._procs)
        hit = source != "miss"
        self._counts[index] = counts._replace(
            gets=counts.gets + 1, hits=counts.hits + hit, held=counts.held + 1, pooled=counts.pooled - hit
        )
        if not hit:
            self._misses.append(_Miss(event.at_bytes, pool.object_bytes))
            self._drop(index, before.objects - self._states[index].objects)  # the victim is closed
        held = event.at_bytes + pool.hold_bytes * draw.hold
        heapq.heappush(self._events, _Event(held, _PUT, index, event.number))
        if pool.goroutines is None:
            self._add_get(index, event.at_bytes)

    def _add_get(self, index: int, after_bytes: float) -> None:
        """Plans the next Get of an arrival process, or of a goroutine that has Put its object."""
        pool, number = self._pools[index], self._gets[index]
        self._gets[index] += 1
        gap = 1.0 / pool.gets_per_byte
        if pool.goroutines is not None:
            gap = pool.goroutines * gap - pool.hold_bytes
        at = after_bytes + gap * self._draws[index].of(number).gap
        heapq.heappush(self._events, _Event(at, _GET, index, number))

    def _drop(self, index: int, objects: int) -> None:
        counts = self._counts[index]
        self._counts[index] = counts._replace(pooled=counts.pooled - objects, freed=counts.freed + objects)

    def _snapshot(self) -> _Played:
        return _Played(tuple(self._states), tuple(self._counts), tuple(self._events), tuple(self._gets))

    def _restore(self, played: _Played) -> None:
        self._states, self._counts = list(played.states), list(played.counts)
        self._events, self._gets = list(played.events), list(played.gets)
        self._misses.clear()


class _Draw(NamedTuple):
    """The random numbers of one Get; ``gap`` and ``hold`` have a mean of 1."""

    gap: float
    hold: float
    get_on: int
    put_on: int


class _Draws:
    """The random numbers of each Get of a pool, by its number."""

    def __init__(self, generator: np.random.Generator, gomaxprocs: int) -> None:
        self._generator, self._procs = generator, gomaxprocs
        self._kept: dict[int, list[_Draw]] = {}  # by block
        self._blocks = 0

    def of(self, number: int) -> _Draw:
        """The draws of a Get."""
        block = number // _BLOCK
        while self._blocks <= block:
            self._kept[self._blocks] = self._block()
            self._blocks += 1
        return self._kept[block][number % _BLOCK]

    def forget(self, first: int) -> None:
        """Drops the draws of Gets before ``first``."""
        for block in [one for one in self._kept if one < first // _BLOCK]:
            del self._kept[block]

    def _block(self) -> list[_Draw]:
        gaps, holds = self._generator.exponential(size=(2, _BLOCK)).tolist()
        places = self._generator.integers(self._procs, size=(2, _BLOCK)).tolist()
        return [_Draw(*row) for row in zip(gaps, holds, *places, strict=True)]
