"""A trace from metrics: the same record as that of a log, so that calibration and its checks read both."""

import re
from dataclasses import replace

import numpy as np

from gcsim.arrays import FloatArray, Int64Array
from gcsim.calibration.metrics.accounts import accounts_of, outside_arenas_bytes
from gcsim.calibration.metrics.cycles import Knobs, ScrapedCycles, cycles_of
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.capture.info import CaptureInfo
from gcsim.cycles import NO_HEAP_GOAL, CycleTable
from gcsim.errors import InputError
from gcsim.gctrace.trace import FromMetrics, ParseWarning, Trace
from gcsim.scrapes.series import Series
from gcsim.units import MIB

_LIMIT_OFF = 2.0**62  # bytes: metrics show a limit that is off as 2^63 - 1
_GOGC_OFF = 2.0**31  # percent: GOGC=off shows as a number of 20 digits
_MOST_PROCS = 4096
_FIRST_PAUSE = 0.8  # share of sweep termination in both pauses of a cycle: median of the development programs


def trace_of_metrics(series: Series, stated: Overrides | None = None) -> Trace:
    """The trace that metrics imply. ``stated`` settings take precedence over those in the metrics.

    Raises InputError for too few collections, and without GOMAXPROCS.
    """
    knobs, info = _settings(series, stated or Overrides())
    cycles = cycles_of(series, knobs)
    table = _table(cycles, knobs)
    info = _with_memory(info, outside_arenas_bytes(series), cycles)
    notes = tuple(ParseWarning(kind="metrics", line_number=0, text=note) for note in series.notes)
    return Trace(
        generation="1.18",
        cycles=table,
        periodic=np.zeros(len(table), np.bool_),
        leak_check=np.zeros(len(table), np.bool_),
        line_numbers=np.zeros(len(table), np.int64),
        gc_lines_in_log=len(table),
        parse_warnings=notes,
        info=info,
        metrics=FromMetrics(
            scrapes=cycles.scrapes,
            has_cpu=cycles.has_cpu,
            has_live=cycles.has_live,
            accounts=accounts_of(series, first_seconds=_first_scrape_seconds(table, cycles)),
        ),
    )


def _settings(series: Series, stated: Overrides) -> tuple[Knobs, CaptureInfo]:
    """The settings and the use of resources in the metrics."""
    percent, limit = series.last("go_gc_gogc_percent"), series.last("go_gc_gomemlimit_bytes")
    procs = stated.gomaxprocs or _procs(series.last("go_sched_gomaxprocs_threads"))
    if procs is None:
        raise InputError(
            f"{series.source}: does not show GOMAXPROCS (go_sched_gomaxprocs_threads); pass --gomaxprocs"
        )
    gogc = None if percent is None or percent >= _GOGC_OFF else round(percent)
    limit_bytes = None if limit is None or limit >= _LIMIT_OFF else round(limit)
    version = re.match(r"go(1\.\d+)", series.go_version)
    seconds = float(series.seconds[-1] - series.seconds[0])
    cpu, rss = series.rise("process_cpu_seconds_total"), series.first_of("process_resident_memory_bytes")
    known_rss = np.array([]) if rss is None else rss[np.isfinite(rss)]
    assumed = [name for name, value in (("gogc", percent), ("gomemlimit_bytes", limit)) if value is None]
    info = CaptureInfo(
        gogc=100 if percent is None else gogc,
        gomemlimit_bytes=limit_bytes,
        gomaxprocs=procs,
        go_version=series.go_version or None,
        go=None if version is None else version[1],
        rss_peak_bytes=int(known_rss.max()) if known_rss.size else None,
        wall_seconds=seconds,
        cpu_seconds=cpu if cpu is not None and 0 < cpu <= 1.1 * seconds * procs else None,
        was_stopped=True,  # the service runs on: it is no job
        assumed=tuple(assumed),
    )
    told_gogc = stated.gogc if stated.gogc is not None or stated.gogc_off else info.gogc
    told_limit = (
        stated.gomemlimit_bytes
        if stated.gomemlimit_bytes is not None or stated.gomemlimit_off
        else info.gomemlimit_bytes
    )
    knobs = Knobs(
        gogc=None if told_gogc is None else float(told_gogc),
        limit_bytes=None if told_limit is None else float(told_limit),
        gomaxprocs=procs,
    )
    return knobs, info


def _with_memory(info: CaptureInfo, outside_bytes: float | None, cycles: ScrapedCycles) -> CaptureInfo:
    """The resident memory that the highest of the computed heaps has; as it was read, if its parts are not known."""
    if outside_bytes is None:
        return info
    heap = float((cycles.heap_end_bytes + cycles.stack_bytes).max())
    return replace(info, rss_peak_bytes=int(outside_bytes + heap), rss_outside_heap_bytes=int(outside_bytes))


def _procs(value: float | None) -> int | None:
    return None if value is None or not 1 <= value <= _MOST_PROCS else round(value)


def _table(cycles: ScrapedCycles, knobs: Knobs) -> CycleTable:
    """The table with whole MiB, as a log prints them: their middle is unbiased."""
    n = len(cycles.number)
    first = _ns(_FIRST_PAUSE * cycles.pause_seconds)
    second = _ns((1.0 - _FIRST_PAUSE) * cycles.pause_seconds)
    mark = _ns(cycles.mark_seconds)
    end = _ns(cycles.end_seconds)
    start = end - first - second - mark
    start = start - min(int(start[0]), 0)
    goal = np.where(cycles.heap_goal_bytes > _LIMIT_OFF, float(NO_HEAP_GOAL), cycles.heap_goal_bytes)
    return CycleTable(
        cycle_number=cycles.number.astype(np.int64),
        start_ns=start,
        utilization_percent=np.zeros(n, np.int64),
        stw_sweep_term_ns=first,
        mark_ns=mark,
        stw_mark_term_ns=second,
        stw_sweep_term_cpu_ns=first * knobs.gomaxprocs,
        assist_cpu_ns=_ns(cycles.assist_cpu_seconds),
        background_cpu_ns=_ns(cycles.background_cpu_seconds),
        idle_cpu_ns=_ns(cycles.idle_cpu_seconds),
        stw_mark_term_cpu_ns=second * knobs.gomaxprocs,
        heap_start_bytes=_whole(cycles.heap_start_bytes),
        heap_end_bytes=_whole(cycles.heap_end_bytes),
        heap_marked_bytes=_whole(cycles.heap_marked_bytes),
        heap_goal_bytes=_whole(np.minimum(goal, float(NO_HEAP_GOAL >> 1))),
        stack_bytes=_whole(cycles.stack_bytes),
        globals_bytes=_whole(cycles.globals_bytes),
        gomaxprocs=np.full(n, knobs.gomaxprocs, np.int64),
        forced=np.zeros(n, np.bool_),
    )


def _first_scrape_seconds(table: CycleTable, cycles: ScrapedCycles) -> float:
    """The time of the first scrape, on the clock of the table."""
    phases = table.stw_sweep_term_ns + table.mark_ns + table.stw_mark_term_ns
    return float(table.start_ns[0] + phases[0]) / 1e9 - float(cycles.end_seconds[0])


def _ns(seconds: FloatArray) -> Int64Array:
    return np.asarray(np.rint(seconds * 1e9), dtype=np.int64)


def _whole(sizes: FloatArray) -> Int64Array:
    return np.asarray(np.floor(sizes / MIB) * MIB, dtype=np.int64)
