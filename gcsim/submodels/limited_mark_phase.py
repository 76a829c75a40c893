"""A mark phase under the GC CPU limiter, which disables a part of the assists."""

from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np

from gcsim.arrays import BoolArray, FloatArray
from gcsim.goruntime.limiter import (
    CAPACITY_PER_P_NS,
    UPDATE_PERIOD_NS,
    Window,
    fluid_window,
    min_assist_ns,
    waiting_share,
)
from gcsim.goruntime.workers import BACKGROUND_UTILIZATION
from gcsim.priors.goroutines import goroutines_per_p
from gcsim.submodels.mark_phase import MarkConditions, MarkPhase, mark_debt, mark_phase

_Record = TypeVar("_Record", MarkConditions, MarkPhase)

LIMITER_SECONDS_PER_PROC = CAPACITY_PER_P_NS * 1e-9


def limited_mark_phase(
    conditions: MarkConditions, fill_seconds: FloatArray
) -> tuple[MarkPhase, FloatArray, FloatArray]:
    """The mark phase, the share of it with the limiter on (0 to 1), and the level of the bucket at its end.

    ``fill_seconds`` is the level of the bucket when marking begins. Both levels are in CPU seconds. Arrays have the
    shape of ``conditions``.

    If the bucket becomes full, the phase is computed twice. The first solution uses the duration without the limiter.
    Limited assists make the phase longer, and the limiter is then on for a smaller share of it. So the second solution
    uses the duration of the first.
    """
    free = mark_phase(conditions)
    busy, gc_share = _busy_and_gc_share(conditions, free)
    fill = np.maximum(fill_seconds + (2.0 * gc_share - 1.0) * busy * free.duration_seconds, 0.0)
    full = fill >= LIMITER_SECONDS_PER_PROC * conditions.gomaxprocs
    limited_share = np.zeros_like(fill)
    if not full.any():
        return free, limited_share, fill
    limited, unlimited, before = _select(conditions, full), _select(free, full), fill_seconds[full]
    phase, window = _limited(limited, unlimited, unlimited, before)
    phase, window = _limited(limited, unlimited, phase, before)
    limited_share[full], fill[full] = window.limited_share, window.fill
    return _replaced(free, full, phase), limited_share, fill


def _select(record: _Record, lanes: BoolArray) -> _Record:
    """The record of the chosen lanes; fields that are not arrays stay."""
    values = {f.name: getattr(record, f.name) for f in fields(record)}
    chosen: dict[str, Any] = {name: a[lanes] for name, a in values.items() if isinstance(a, np.ndarray)}
    return replace(record, **chosen)


def _replaced(phase: MarkPhase, lanes: BoolArray, by: MarkPhase) -> MarkPhase:
    arrays = {f.name: getattr(phase, f.name).copy() for f in fields(phase)}
    for name, array in arrays.items():
        array[lanes] = getattr(by, name)
    return MarkPhase(**arrays)


def _busy_and_gc_share(conditions: MarkConditions, free: MarkPhase) -> tuple[FloatArray, FloatArray]:
    """Ps that are not idle, and the GC share of them as the limiter counts it, with unlimited assists."""
    busy = np.maximum(conditions.gomaxprocs - free.idle_cpu_seconds / free.duration_seconds, 1e-9)
    marking = BACKGROUND_UTILIZATION * conditions.gomaxprocs + free.assist_cpu_seconds / free.duration_seconds
    return busy, marking / busy


def _limited(
    conditions: MarkConditions, free: MarkPhase, lasting: MarkPhase, fill_seconds: FloatArray
) -> tuple[MarkPhase, Window[FloatArray]]:
    """The phase with the assists of ``free`` limited over the duration of ``lasting``, and the limiter's window."""
    procs = conditions.gomaxprocs
    busy, gc_share = _busy_and_gc_share(conditions, free)
    assisting = free.assist_cpu_seconds / free.duration_seconds
    background = BACKGROUND_UTILIZATION * procs / busy
    mark_ns = np.maximum(lasting.duration_seconds * 1e9, 1.0)
    owed_ns = _owed_ns(conditions, background)
    window = fluid_window(
        fill_seconds,
        LIMITER_SECONDS_PER_PROC * procs,
        busy * lasting.duration_seconds,
        gc_share_assisting=gc_share,
        gc_share_limited=background,
        # a pause ends both states of the limiter
        off=np.minimum(min_assist_ns(procs, owed_ns) / mark_ns, 1.0),
        on=np.minimum(UPDATE_PERIOD_NS / mark_ns, 1.0),
    )
    limited = window.assist_pass_through < 1.0
    allowed = assisting * window.assist_pass_through
    waiting = np.zeros_like(allowed)
    if not conditions.open_loop:  # in an open loop other goroutines run
        waits = np.minimum(waiting_share(window.excess_gc_share, procs, owed_ns) * busy, allowed)
        waiting = np.where(limited, waits, 0.0)
    met = replace(conditions, busy_procs=conditions.busy_procs - waiting)
    return mark_phase(met, np.where(limited, allowed - waiting, np.inf)), window


def _owed_ns(conditions: MarkConditions, background: FloatArray) -> FloatArray:
    """Assist debt of one goroutine when the limiter switches off, in ns of wall time.

    The debt is for allocation while the limiter was on, divided equally between the goroutines.
    """
    each = goroutines_per_p(open_loop=conditions.open_loop)
    return UPDATE_PERIOD_NS * (1.0 - background) * mark_debt(conditions) / each
