"""What sets the pace of allocation: the program's own speed, or arrivals."""

from dataclasses import dataclass

from gcsim.calibration.evidence import Evidence
from gcsim.workload.model import Loop

_IDLE_SHARE = 0.03  # of P while marking; below it every P had work, so the program was at full speed
# the mutator's share of all Ps: above it the program was at full speed but for waits among its own, below it Ps were
# idle outside marking; measured: closed loops 0.77 and more, open ones 0.61 and less, near saturation 0.76
_BUSY_SHARE = 0.7
# while marking, of outside: open loops that left Ps idle 0.92 to 1.8, for they keep up with what arrives; programs that
# wait for their own locks, or for a few clients, 0.41 to 0.69
_KEEPS_UP = 0.8
_MARK_SPEED = 0.8  # mutator speed while marking, of that outside; measured on Go 1.26 and 1.27: 0.6 to 1.0
_MARK_SPEED_REL_SD = 0.155  # that range as 90 %
_FASTER_THAN_OUTSIDE = 1.1  # apparent speed while marking if all Ps had been busy outside: they were not


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The verdict, and how many Ps the mutator keeps busy outside marking."""

    loop: Loop
    busy_procs: float
    source: str
    rel_sd: float = 0.0  # of busy_procs
    busy_from_log: bool = True  # else from a prior on how marking slows the program


def find_pace(
    evidence: Evidence,
    *,
    outside_bytes_per_second: float,
    mutator_cpu_share: float | None,
    share_rel_sd: float = 0.0,
    stated: Loop | None = None,
) -> Pace:
    """Closed where the program kept all Ps busy, open where arrivals left some idle.

    ``mutator_cpu_share`` is the mutator's share of all Ps over the run, where the capture measured CPU time.
    A program that left Ps idle and yet allocated more slowly while marking was held up by itself: arrivals would have
    been served. Without the share, idle Ps while marking tell; and where some were idle, allocation per mutator CPU
    second while marking and outside, as if all Ps had been busy outside: a program seems to run faster while marking
    only if they were not. Open loops near saturation and closed ones that wait for themselves look alike: a loop
    ``stated`` to be open is one.
    """
    procs = float(evidence.gomaxprocs.mean())
    mark_s = float(evidence.concurrent_seconds.sum())
    had_idle = float(evidence.idle_cpu_seconds.sum()) > _IDLE_SHARE * mark_s * procs
    keeps_up = float(evidence.allocated_bytes.sum()) >= _KEEPS_UP * outside_bytes_per_second * mark_s
    if had_idle and not keeps_up and stated != "open":
        return Pace(loop="closed", busy_procs=procs, source="allocation slower while marking, with Ps idle")
    if mutator_cpu_share is not None:
        if mutator_cpu_share >= _BUSY_SHARE and stated != "open":
            return Pace(loop="closed", busy_procs=procs, source="CPU time of the capture: Ps were busy")
        busy = min(max(mutator_cpu_share, 0.005), 1.0) * procs
        source = "CPU time of the capture: Ps were idle"
        return Pace(loop="open", busy_procs=busy, source=source, rel_sd=share_rel_sd)
    if not had_idle and stated != "open":
        return Pace(loop="closed", busy_procs=procs, source="no idle Ps while marking")
    used = float(evidence.mark_cpu_seconds.sum()) / mark_s
    mutator = max(procs - used, 0.02 * procs)
    per_cpu = float(evidence.allocated_bytes.sum()) / mark_s / mutator
    apparent = per_cpu / max(outside_bytes_per_second / procs, 1.0)
    if apparent <= _FASTER_THAN_OUTSIDE and stated != "open":
        return Pace(loop="closed", busy_procs=procs, source="allocation slower while marking")
    busy = min(max(procs * _MARK_SPEED / max(apparent, _MARK_SPEED), 0.005 * procs), procs)
    return Pace(
        loop="open",
        busy_procs=busy,
        source="open as stated, how busy is a guess"
        if stated == "open"
        else "allocation hardly slower while marking",
        rel_sd=_MARK_SPEED_REL_SD,
        busy_from_log=False,
    )
