"""A mark phase under the GC CPU limiter: what the bucket lets through of its assists."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gcsim.engine.fluid_mark import MarkConditions, MarkPhase, mark_debt, mark_phase
from gcsim.engine.lane_parameters import goroutines_per_p
from gcsim.goruntime.limiter import (
    CAPACITY_PER_P_NS,
    UPDATE_PERIOD_NS,
    Window,
    fluid_window,
    least_assisting_ns,
    waiting_share,
)
from gcsim.goruntime.workers import BACKGROUND_UTILIZATION

FloatArray = NDArray[np.float64]

LIMITER_SECONDS_PER_PROC = CAPACITY_PER_P_NS * 1e-9


def limited_mark_phase(
    conditions: MarkConditions, fill_seconds: FloatArray
) -> tuple[MarkPhase, FloatArray, FloatArray]:
    """The phase, the share of it for which the limiter was on, and the bucket's CPU seconds after it.

    ``fill_seconds`` is what the bucket holds when marking begins; shapes are the conditions'. With fewer assists
    marking takes longer, and the limiter's turns, which do not, are a smaller part of it: seen once more, then.
    """
    free = mark_phase(conditions)
    phase, window = _limited(conditions, free, free, fill_seconds)
    if (window.let_through < 1.0).any():
        phase, window = _limited(conditions, free, phase, fill_seconds)
    return phase, window.limited_share, window.fill


def _limited(
    conditions: MarkConditions, free: MarkPhase, lasting: MarkPhase, fill_seconds: FloatArray
) -> tuple[MarkPhase, Window]:
    """The phase when assists that the phase ``free`` asks for are held for as long as ``lasting`` lasts."""
    procs = conditions.gomaxprocs
    idle = free.idle_cpu_seconds / free.duration_seconds
    busy = np.maximum(procs - idle, 1e-9)  # Ps
    assisting = free.assist_cpu_seconds / free.duration_seconds
    background = BACKGROUND_UTILIZATION * procs / busy
    mark_ns = np.maximum(lasting.duration_seconds * 1e9, 1.0)
    owed_ns = _owed_ns(conditions, background)
    window = fluid_window(
        fill_seconds,
        LIMITER_SECONDS_PER_PROC * procs,
        busy * lasting.duration_seconds,
        gc_share_assisting=background + assisting / busy,
        gc_share_limited=background,
        # the pauses end either turn
        off=np.minimum(least_assisting_ns(procs, owed_ns) / mark_ns, 1.0),
        on=np.minimum(UPDATE_PERIOD_NS / mark_ns, 1.0),
    )
    limited = window.let_through < 1.0
    if not limited.any():
        return lasting, window
    allowed = assisting * window.let_through
    waiting = np.zeros_like(allowed)
    if not conditions.open_loop:  # of an open loop's many goroutines others run
        waits = np.minimum(waiting_share(window.over_share, procs, owed_ns) * busy, allowed)
        waiting = np.where(limited, waits, 0.0)
    met = replace(conditions, busy_procs=conditions.busy_procs - waiting)
    return mark_phase(met, np.where(limited, allowed - waiting, np.inf)), window


def _owed_ns(conditions: MarkConditions, background: FloatArray) -> FloatArray:
    """Wall ns of marking that a goroutine owes when the limiter switches off.

    It is for what was allocated while it was on, by all goroutines alike.
    """
    each = goroutines_per_p(open_loop=conditions.open_loop)
    return UPDATE_PERIOD_NS * (1.0 - background) * mark_debt(conditions) / each
