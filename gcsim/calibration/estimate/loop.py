"""Detection of the loop: allocation paced by the program's speed (closed) or by arrivals (open)."""

import math
from dataclasses import dataclass

from gcsim.calibration.estimate.intervals import Intervals, outside_rate
from gcsim.calibration.evidence import Evidence
from gcsim.calibration.stats.standard_error import printing_error, time_steps
from gcsim.capture.info import CaptureInfo
from gcsim.engine.inputs.draws import LEAST_SERVED
from gcsim.service.model import Loop

_LEAST_OUTSIDE = (
    0.3  # of wall time outside marking: with less, process CPU time does not determine mutator CPU
)
_IDLE_SHARE = 0.03  # of P while marking; below it every P had work: the program ran at full speed
# the mutator's share of all Ps outside marking; above it the loop is closed, and idle time is due to the program's own
# waits; measured: closed loops 0.77 and more, open loops 0.61 and less, an open loop near saturation 0.76
_BUSY_SHARE = 0.7
_MARK_SPEED = (
    0.8  # mutator speed while marking over the speed outside; measured on Go 1.26 and 1.27: 0.6 to 1.0
)
_MARK_SPEED_REL_SD = 0.155  # that range as 90 %
_FASTER_THAN_OUTSIDE = 1.1  # above it, apparent speed while marking shows that Ps were idle outside marking


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopDetection:
    """The loop, and the number of Ps that the mutator uses outside marking."""

    loop: Loop
    busy_procs: float
    source: str
    rel_sd: float = 0.0  # of busy_procs
    stated: bool = False  # whether the user states the loop
    busy_from_log: bool = True  # else from the prior of mutator speed while marking


def find_pace(
    evidence: Evidence, gaps: Intervals, info: CaptureInfo | None, stated: Loop | None
) -> LoopDetection:
    """The loop of a log: from the CPU time in its side file if there is one; ``stated`` overrides it."""
    # with recounted span tails: allocation while marking, to which this is compared, includes them too
    counted = float(gaps.allocated_bytes.sum() + gaps.span_tail_recount_bytes.sum())
    outside = counted / max(float(gaps.seconds.sum()), 1e-9)
    share, rel_sd = (None, 0.0) if info is None else _mutator_cpu_share(evidence, gaps, info)
    return _detect_loop(
        evidence,
        outside_bytes_per_second=outside,
        mutator_cpu_share=share,
        share_rel_sd=rel_sd,
        stated=stated,
    )


def _mutator_cpu_share(evidence: Evidence, gaps: Intervals, info: CaptureInfo) -> tuple[float | None, float]:
    """The mutator's share of all Ps outside marking, 0 to 1, and its relative error; None if it is not determined.

    share = (process CPU - marking time x P) / (time outside marking x P), within the window.

    While marking, Ps that do not mark run the mutator, so marking uses all Ps. Process CPU time includes start-up and
    the window does not. The error assumes that start-up differs from the window as intervals of the window differ
    from each other.
    """
    if not info.cpu_seconds or not info.wall_seconds:
        return None, 0.0
    procs = float(evidence.gomaxprocs.mean())
    whole = evidence.select(slice(0, len(evidence) - 1))  # as many mark phases as intervals between them
    window_s = float(evidence.start_seconds[-1] - evidence.start_seconds[0])
    marking_s = float(whole.concurrent_seconds.sum())
    pauses_s = float((whole.sweep_term_seconds + whole.mark_term_seconds).sum())
    busy_s = info.cpu_seconds / info.wall_seconds * window_s
    outside_s = max(window_s - marking_s - pauses_s, 1e-9)
    if outside_s < _LEAST_OUTSIDE * window_s:
        return None, 0.0
    share = (busy_s - marking_s * procs) / outside_s / procs
    outside_cpu_s = max(busy_s - marking_s * procs, 1e-3 * busy_s)
    left_out = max(1.0 - window_s / info.wall_seconds, 0.0)
    unlike = outside_rate(gaps)[1] * math.sqrt(left_out) * busy_s
    clock = printing_error(evidence.concurrent_seconds, time_steps(evidence.concurrent_seconds))
    error = math.hypot(unlike, clock * len(evidence) * procs) / outside_cpu_s
    return share, min(error, 1.0)


def _detect_loop(
    evidence: Evidence,
    *,
    outside_bytes_per_second: float,
    mutator_cpu_share: float | None,
    share_rel_sd: float = 0.0,
    stated: Loop | None = None,
) -> LoopDetection:
    """The loop: "closed" if the program kept all Ps busy, "open" if it left some idle. ``stated`` overrides it.

    ``mutator_cpu_share``, 0 to 1, is the mutator's share of all Ps outside marking, from the capture's CPU time. The
    loop is open below ``_BUSY_SHARE``. Without it, mark CPU of idle workers shows Ps that the program left idle. If
    that share is small, allocation while marking decides: a program that waits for its own locks allocates more
    slowly while marking; an open loop serves its arrivals. The two kinds do not differ near saturation.
    """
    procs = float(evidence.gomaxprocs.mean())
    mark_s = float(evidence.concurrent_seconds.sum())
    idle_share = float(evidence.idle_cpu_seconds.sum()) / max(mark_s * procs, 1e-9)
    if stated == "closed":
        return LoopDetection(loop="closed", busy_procs=procs, source="closed loop, as stated", stated=True)
    if mutator_cpu_share is not None:
        used = (
            f"the program used {100 * min(max(mutator_cpu_share, 0.0), 1.0):.0f} % of the CPU outside marking"
        )
        if mutator_cpu_share >= _BUSY_SHARE and stated != "open":
            return LoopDetection(loop="closed", busy_procs=procs, source=used)
        busy = min(max(mutator_cpu_share, 0.005), 1.0) * procs
        source = f"open loop, as stated; {used}" if stated == "open" else used
        return LoopDetection(
            loop="open", busy_procs=busy, source=source, rel_sd=share_rel_sd, stated=stated == "open"
        )
    marked = f"idle workers marked on {100 * idle_share:.0f} % of the Ps"
    left_idle = idle_share > 1.0 - _BUSY_SHARE
    if idle_share <= _IDLE_SHARE and stated != "open":
        return LoopDetection(
            loop="closed", busy_procs=procs, source="idle workers marked almost nothing: every P was busy"
        )
    while_marking = float(evidence.allocated_bytes.sum()) / max(outside_bytes_per_second * mark_s, 1e-9)
    if not left_idle and while_marking < LEAST_SERVED and stated != "open":
        source = f"{marked}, but allocation per second fell to {100 * while_marking:.0f} % while marking"
        return LoopDetection(loop="closed", busy_procs=procs, source=source)
    marking_procs = float(evidence.mark_cpu_seconds.sum()) / mark_s
    mutator = max(procs - marking_procs, 0.02 * procs)
    per_cpu = float(evidence.allocated_bytes.sum()) / mark_s / mutator
    apparent = per_cpu / max(outside_bytes_per_second / procs, 1.0)
    if not left_idle and apparent <= _FASTER_THAN_OUTSIDE and stated != "open":
        source = f"per CPU second, allocation while marking was {100 * apparent:.0f} % of that outside"
        return LoopDetection(loop="closed", busy_procs=procs, source=source)
    busy = min(max(procs * _MARK_SPEED / max(apparent, _MARK_SPEED), 0.005 * procs), procs)
    return LoopDetection(
        loop="open",
        busy_procs=busy,
        source="open loop, as stated; the CPU that the program used is a guess"
        if stated == "open"
        else f"{marked}; the CPU that the program used is a guess",
        rel_sd=_MARK_SPEED_REL_SD,
        stated=stated == "open",
        busy_from_log=False,
    )
