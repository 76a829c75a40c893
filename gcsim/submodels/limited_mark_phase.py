"""A mark phase under the GC CPU limiter, which disables a part of the assists."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from gcsim.arrays import BoolArray, FloatArray, Int64Array
from gcsim.goruntime.limiter import (
    CAPACITY_PER_P_NS,
    UPDATE_PERIOD_NS,
    Demand,
    Window,
    min_assist_ns,
    unpaid_share,
    waiting_share,
)
from gcsim.goruntime.workers import BACKGROUND_UTILIZATION, dedicated_workers
from gcsim.priors.goroutines import goroutines_per_p
from gcsim.submodels.mark_phase import MarkConditions, MarkPhase, Owed, mark_phase_owing

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
    owed = Owed.under(conditions)
    free = mark_phase_owing(conditions, owed)
    busy, assisting, gc_share = _demand(conditions, free)
    fill = np.maximum(fill_seconds + (2.0 * gc_share - 1.0) * busy * free.duration_seconds, 0.0)
    full = fill >= LIMITER_SECONDS_PER_PROC * conditions.gomaxprocs
    limited_share = np.zeros_like(fill)
    if not full.any():
        return free, limited_share, fill
    lanes = np.flatnonzero(full)
    limiter = _Limiter.of(
        _select(conditions, lanes),
        owed=owed.select(lanes),
        busy=busy[lanes],
        assisting=assisting[lanes],
        gc_share=gc_share[lanes],
        fill_seconds=fill_seconds[lanes],
        may_wait=_may_wait(conditions, lanes),
    )
    phase, _ = limiter.phase(free.duration_seconds[lanes])
    phase, window = limiter.phase(phase.duration_seconds)
    limited_share[lanes], fill[lanes] = window.limited_share, window.fill
    return _replaced(free, lanes, phase), limited_share, fill


def _may_wait(conditions: MarkConditions, lanes: Int64Array) -> BoolArray | None:
    """Whether goroutines of these lanes may wait for credit, shape (lanes,) or (1,) for all; None if none may.

    They may without a dedicated worker, in a closed loop: in an open loop other goroutines run in place of one that
    waits.
    """
    if conditions.open_loop:
        return None
    procs = conditions.gomaxprocs
    same = bool((procs == procs[0]).all())
    waits: BoolArray = dedicated_workers(procs[:1] if same else procs) == 0
    if not waits.any():
        return None
    return waits if same else waits[lanes]


def _select(conditions: MarkConditions, lanes: Int64Array) -> MarkConditions:
    """The conditions of the chosen lanes; fields that are not arrays stay."""
    values = {f.name: getattr(conditions, f.name) for f in fields(conditions)}
    chosen: dict[str, Any] = {name: a[lanes] for name, a in values.items() if isinstance(a, np.ndarray)}
    return replace(conditions, **chosen)


def _replaced(phase: MarkPhase, lanes: Int64Array, by: MarkPhase) -> MarkPhase:
    """The phase, with the chosen lanes replaced in place."""
    for f in fields(phase):
        getattr(phase, f.name)[lanes] = getattr(by, f.name)
    return phase


def _demand(conditions: MarkConditions, free: MarkPhase) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Ps that are not idle, Ps on assists, and the GC share of the former as the limiter counts it; without a limit."""
    duration = free.duration_seconds
    busy = np.maximum(conditions.gomaxprocs - free.idle_cpu_seconds / duration, 1e-9)
    assisting = free.assist_cpu_seconds / duration
    return busy, assisting, (BACKGROUND_UTILIZATION * conditions.gomaxprocs + assisting) / busy


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limiter:
    """Mark phases whose bucket becomes full, and everything that does not depend on their duration."""

    conditions: MarkConditions
    owed: Owed
    busy: FloatArray  # the results of _demand
    assisting: FloatArray
    demand: Demand[FloatArray]
    min_assist_ns: FloatArray
    unpaid: FloatArray | None  # unpaid_share where goroutines wait for credit; None where none does

    @classmethod
    def of(
        cls,
        conditions: MarkConditions,
        *,
        owed: Owed,
        busy: FloatArray,
        assisting: FloatArray,
        gc_share: FloatArray,
        fill_seconds: FloatArray,
        may_wait: BoolArray | None,
    ) -> Self:
        """The phases with these conditions and demands; ``may_wait`` is the result of ``_may_wait``.

        When the limiter switches off, a goroutine owes for its allocation while the limiter was on. This debt is
        divided equally between the goroutines.
        """
        procs = conditions.gomaxprocs
        background = BACKGROUND_UTILIZATION * procs / busy
        each = goroutines_per_p(open_loop=conditions.open_loop)
        owed_ns = UPDATE_PERIOD_NS * (1.0 - background) * owed.debt / each
        unpaid = None if may_wait is None else np.where(may_wait, unpaid_share(owed_ns), 0.0)
        return cls(
            conditions=conditions,
            owed=owed,
            busy=busy,
            assisting=assisting,
            demand=Demand.of(
                fill_seconds,
                LIMITER_SECONDS_PER_PROC * procs,
                assisting=gc_share,
                limited=background,  # with assists off
            ),
            min_assist_ns=min_assist_ns(procs, owed_ns),
            unpaid=unpaid,
        )

    def phase(self, lasting_seconds: FloatArray) -> tuple[MarkPhase, Window[FloatArray]]:
        """The phase with assists limited over a duration of ``lasting_seconds``, and the limiter's window."""
        conditions, procs = self.conditions, self.conditions.gomaxprocs
        mark_ns = np.maximum(lasting_seconds * 1e9, 1.0)
        window = self.demand.over(
            self.busy * lasting_seconds,
            # a pause ends both states of the limiter
            off=np.minimum(self.min_assist_ns / mark_ns, 1.0),
            on=np.minimum(UPDATE_PERIOD_NS / mark_ns, 1.0),
        )
        limited = window.assist_pass_through < 1.0
        allowed = self.assisting * window.assist_pass_through
        if self.unpaid is not None:
            waits = waiting_share(window.excess_gc_share, procs, self.unpaid) * self.busy
            waiting = np.where(limited, np.minimum(waits, allowed), 0.0)
            conditions = replace(conditions, busy_procs=conditions.busy_procs - waiting)
            allowed = allowed - waiting
        return mark_phase_owing(conditions, self.owed, np.where(limited, allowed, np.inf)), window
