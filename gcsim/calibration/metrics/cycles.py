"""Computes the cycles of a trace from metrics: counters give means between scrapes, gauges give single cycles.

Between two scrapes with n collections:

    period            = (time of the last cycle, second scrape - first scrape) / n
    growth of heap    = allocated bytes / n                    (heapLive, from mark end to mark end)
    heap at mark end  = heapMarked of the cycle before + growth
    mark CPU          = GC CPU by class / n
    mark duration     = background CPU / (share of background workers x GOMAXPROCS)

A gauge belongs to the last cycle before its scrape. A cycle has the gauges of the scrape nearest to it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gcsim.arrays import FloatArray, Int64Array
from gcsim.errors import InputError
from gcsim.goruntime.workers import background_share
from gcsim.scrapes.series import ALLOCATED, COLLECTIONS, GOAL, Series
from gcsim.units import MIB

LEAST_COLLECTIONS = 6
_CPU = "go_cpu_classes_gc_{}_cpu_seconds_total"
# of the mark CPU without idle workers: median of the development programs at GOGC=100
ASSIST_SHARE = 0.22
# mark CPU per marked byte, for metrics without GC CPU: median of the development programs at GOGC=100
MARK_SECONDS_PER_BYTE = 0.5e-9
# allocation per CPU second while marking over that outside, where the program has too few Ps while marking
_MARK_SPEED = 0.75
# spread of the means between scrapes, above which they are the load's and not chance
_MOVES = 0.1
_MOST_BLACK_SHARE = 0.7  # of the marked bytes: what was allocated while marking counts as marked
_LIMIT_OFF = 2.0**62  # bytes: a goal without GOGC and without a limit
_LEAST_LIVE_BYTES = 0.25 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """The settings that cycles depend on."""

    gogc: float | None  # percent; None is off
    limit_bytes: float | None
    gomaxprocs: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScrapedCycles:
    """One row per cycle, shape (n,): seconds since the first scrape, bytes."""

    number: Int64Array
    end_seconds: FloatArray
    mark_seconds: FloatArray
    pause_seconds: FloatArray  # both pauses
    assist_cpu_seconds: FloatArray
    background_cpu_seconds: FloatArray
    idle_cpu_seconds: FloatArray
    heap_start_bytes: FloatArray
    heap_end_bytes: FloatArray
    heap_marked_bytes: FloatArray
    heap_goal_bytes: FloatArray
    stack_bytes: FloatArray
    globals_bytes: FloatArray
    forced_share: float  # of all collections
    has_cpu: bool  # GC CPU is known, by class or as a whole
    has_live: bool  # heapMarked is known; otherwise it is solved from the goal
    scrapes: int  # with a collection since the scrape before


_PerCycle = Callable[[FloatArray | None], FloatArray | None]


def cycles_of(series: Series, knobs: Knobs) -> ScrapedCycles:
    """The cycles between the first scrape and the last. Raises InputError for too few, and for lacking metrics."""
    count = _required(series, COLLECTIONS, "the number of collections (go_gc_duration_seconds_count)")
    allocated = _required(series, ALLOCATED, "allocated bytes (go_memstats_alloc_bytes_total)")
    goal = _required(series, GOAL, "the heap goal (go_memstats_next_gc_bytes)")
    rows = np.isfinite(count) & np.isfinite(allocated) & np.isfinite(goal)
    rows &= np.concatenate([[True], np.diff(np.maximum.accumulate(np.where(rows, count, -1.0))) > 0])
    anchor = np.flatnonzero(rows)
    total = 0 if anchor.size < 2 else int(count[anchor[-1]] - count[anchor[0]])
    if total < LEAST_COLLECTIONS:
        raise InputError(
            f"{series.source}: shows {total} collections between its scrapes, but calibration needs"
            f" {LEAST_COLLECTIONS}; scrape the service under load for longer"
        )
    at = count[anchor]
    ends = _ends(series, anchor)
    number = np.arange(int(at[0]) + 1, int(at[-1]) + 1)
    part = np.searchsorted(at, number) - 1  # the interval between two anchors that a cycle lies in
    n = np.diff(at)

    def per_cycle(column: FloatArray | None) -> FloatArray | None:
        """The mean of a counter in each cycle's interval; None if it is not known."""
        if column is None or not np.isfinite(column[anchor]).all():
            return None
        means = np.maximum(np.diff(column[anchor]), 0.0) / n
        mean = float((means * n).sum() / n.sum())
        if (
            n.mean() > 2
            and mean > 0
            and float(np.sqrt(np.average((means / mean - 1.0) ** 2, weights=n))) < _MOVES
        ):
            means = np.full(
                n.shape, mean
            )  # chance: it would look like a load that changes from scrape to scrape
        return np.asarray(means)[part]

    def nearest(column: FloatArray | None, numbers: NDArray[Any], otherwise: float = 0.0) -> FloatArray:
        """A gauge at the scrape nearest to each cycle."""
        if column is None:
            return np.full(numbers.shape, otherwise)
        known = np.isfinite(column[anchor])
        if not known.any():
            return np.full(numbers.shape, otherwise)
        places, values = at[known], column[anchor][known]
        middles = 0.5 * (places[1:] + places[:-1])
        return np.asarray(values[np.searchsorted(middles, numbers)])

    growth = per_cycle(allocated)
    assert growth is not None
    period = (np.diff(ends) / n)[part]
    stacks = nearest(series.first_of("go_gc_scan_stack_bytes"), number)
    if not stacks.any():
        stacks = nearest(series.first_of("go_memstats_stack_inuse_bytes"), number)
    roots = nearest(series.first_of("go_gc_scan_globals_bytes"), number)
    goals = nearest(goal, number - 1.0)  # the goal that the cycle before has set
    live = series.first_of("go_gc_heap_live_bytes")
    if live is not None:
        marked, before = nearest(live, number), nearest(live, number - 1.0)
    else:
        before = _marked_of_goal(goals, stacks + roots, growth, knobs)
        marked = _marked_of_goal(nearest(goal, number), stacks + roots, growth, knobs)
    pauses = per_cycle(series.first_of("go_gc_duration_seconds_sum"))
    assist, background, idle, has_cpu = _cpu(series, per_cycle, marked, knobs)
    share = background_share(knobs.gomaxprocs) * knobs.gomaxprocs
    mark_s = np.minimum(np.maximum(background / share, 1e-6), 0.95 * period)
    end = before + growth
    room = np.maximum(goals - before, 0.0)
    if (
        bool((goals < _LIMIT_OFF).all()) and room.sum() > 0
    ):  # the heap ends at one share of its way to the goal
        end = before + room * float(np.clip(growth.sum() / room.sum(), 0.5, 1.1))
    end = np.maximum(end, marked)
    used = (assist + background + idle) / mark_s
    black = _black(series, knobs, growth, period, mark_s, np.minimum(used, 0.98 * knobs.gomaxprocs))
    black = np.minimum(black, _MOST_BLACK_SHARE * marked)
    forced = series.rise("go_gc_cycles_forced_gc_cycles_total")
    return ScrapedCycles(
        number=number,
        end_seconds=np.interp(number, at, ends),
        mark_seconds=mark_s,
        pause_seconds=np.zeros(number.shape) if pauses is None else pauses,
        assist_cpu_seconds=assist,
        background_cpu_seconds=background,
        idle_cpu_seconds=idle,
        heap_start_bytes=end - black,
        heap_end_bytes=end,
        heap_marked_bytes=marked,
        heap_goal_bytes=goals,
        stack_bytes=stacks,
        globals_bytes=roots,
        forced_share=0.0 if forced is None else min(forced / total, 1.0),
        has_cpu=has_cpu,
        has_live=live is not None,
        scrapes=int(anchor.size),
    )


def _required(series: Series, names: tuple[str, ...], what: str) -> FloatArray:
    column = series.first_of(*names)
    if column is None:
        raise InputError(f"{series.source}: lacks {what}; scrape the metrics of the Go collector")
    return column


def _ends(series: Series, anchor: Int64Array) -> FloatArray:
    """The end of the last cycle before each scrape, seconds since the first scrape; the scrape itself if unknown."""
    seconds = np.asarray(series.seconds[anchor] - series.seconds[0], dtype=np.float64)
    last = series.first_of("go_memstats_last_gc_time_seconds")
    if last is None or not np.isfinite(last[anchor]).all():
        return seconds
    # the service's clock may be ahead of that of the scrapes
    shift = min(float(np.min(series.seconds[anchor] - last[anchor])), 0.0)
    ends = last[anchor] + shift - series.seconds[0]
    return np.asarray(ends, dtype=np.float64) if bool((np.diff(ends) > 0).all()) else seconds


def _black(
    series: Series, knobs: Knobs, growth: FloatArray, period: FloatArray, mark_s: FloatArray, used: FloatArray
) -> FloatArray:
    """Bytes allocated while marking: a program with enough Ps allocates on, another one in proportion to its Ps.

    rate while marking / rate outside = min(1, speed x (P - Ps that mark) / Ps of the program)
    """
    cpu, seconds = series.rise("process_cpu_seconds_total"), float(series.seconds[-1] - series.seconds[0])
    procs = float(knobs.gomaxprocs)
    of_marking = used * mark_s / period
    program = (
        procs - of_marking if cpu is None else np.maximum(cpu / max(seconds, 1e-9) - of_marking, 0.02 * procs)
    )
    slower = np.minimum(1.0, _MARK_SPEED * (procs - used) / program)
    outside = growth / np.maximum(period - mark_s + slower * mark_s, 1e-9)
    return np.minimum(outside * slower * mark_s, growth)


def _marked_of_goal(goals: FloatArray, roots: FloatArray, growth: FloatArray, knobs: Knobs) -> FloatArray:
    """heapMarked from the goal: goal = marked + (marked + roots) x GOGC / 100; with a limit, from the growth.

    A limit may have set the goal. The heap then ends near its goal, so that heapMarked is the goal less the growth.
    """
    by_growth = goals - growth
    if knobs.gogc is None or knobs.limit_bytes is not None:
        return np.maximum(by_growth, _LEAST_LIVE_BYTES)
    ratio = knobs.gogc / 100.0
    by_gogc = (goals - roots * ratio) / (1.0 + ratio)
    # the minimum heap may have set the goal
    is_least = goals <= 1.02 * 4.0 * MIB * ratio
    return np.maximum(np.where(is_least, by_growth, by_gogc), _LEAST_LIVE_BYTES)


def _cpu(
    series: Series, per_cycle: _PerCycle, marked: FloatArray, knobs: Knobs
) -> tuple[FloatArray, FloatArray, FloatArray, bool]:
    """CPU seconds of a cycle's assists, background workers and idle workers, and whether the metrics show them."""
    parts = [
        per_cycle(series.first_of(_CPU.format(f"mark_{name}"))) for name in ("assist", "dedicated", "idle")
    ]
    if parts[0] is not None and parts[1] is not None and parts[2] is not None and parts[1].any():
        return parts[0], parts[1], parts[2], True
    whole = _gc_cpu_of_fraction(series, knobs)
    cpu = per_cycle(whole)
    if cpu is not None and cpu.any():
        pauses = per_cycle(series.first_of("go_gc_duration_seconds_sum"))
        if pauses is not None:
            cpu = np.maximum(cpu - pauses * knobs.gomaxprocs, 0.1 * cpu)
        return ASSIST_SHARE * cpu, (1.0 - ASSIST_SHARE) * cpu, np.zeros(cpu.shape), True
    cpu = MARK_SECONDS_PER_BYTE * marked
    return ASSIST_SHARE * cpu, (1.0 - ASSIST_SHARE) * cpu, np.zeros(cpu.shape), False


def _gc_cpu_of_fraction(series: Series, knobs: Knobs) -> FloatArray | None:
    """GC CPU since the start, from GCCPUFraction, the share of GOMAXPROCS since the start; None without it."""
    fraction = series.first_of("go_memstats_gc_cpu_fraction")
    started = series.first_of("process_start_time_seconds")
    last = series.first_of("go_memstats_last_gc_time_seconds")
    if fraction is None or started is None:
        return None
    until = series.seconds if last is None else last  # the runtime computes the share at each mark end
    return np.asarray(fraction * (until - started) * knobs.gomaxprocs)
