"""What sets the pace of allocation: the program's own speed, or arrivals."""

from dataclasses import dataclass

from gcsim.calibration.evidence import Evidence
from gcsim.engine.inputs.draws import LEAST_SERVED
from gcsim.service.model import Loop

_IDLE_SHARE = 0.03  # of P while marking; below it every P had work, so the program was at full speed
# the mutator's share of all Ps, outside marking: from here on the program is taken to be at full speed but for waits
# among its own; measured: closed loops 0.77 and more, open ones 0.61 and less, near saturation 0.76
_BUSY_SHARE = 0.7
_MARK_SPEED = 0.8  # mutator speed while marking, of that outside; measured on Go 1.26 and 1.27: 0.6 to 1.0
_MARK_SPEED_REL_SD = 0.155  # that range as 90 %
_FASTER_THAN_OUTSIDE = 1.1  # apparent speed while marking if all Ps had been busy outside: they were not


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopDetection:
    """The loop, and how many Ps the mutator keeps busy outside marking."""

    loop: Loop
    busy_procs: float
    source: str
    rel_sd: float = 0.0  # of busy_procs
    stated: bool = False  # whether the user states the loop
    busy_from_log: bool = True  # else from a prior on how marking slows the program


def detect_loop(
    evidence: Evidence,
    *,
    outside_bytes_per_second: float,
    mutator_cpu_share: float | None,
    share_rel_sd: float = 0.0,
    stated: Loop | None = None,
) -> LoopDetection:
    """Closed where the program kept all Ps busy, open where arrivals left some idle; what is ``stated`` holds.

    ``mutator_cpu_share`` is the mutator's share of all Ps outside marking, where the capture measured CPU time: below
    ``_BUSY_SHARE`` the loop is taken to be open. Without it, idle workers tell: they run on Ps that the program left
    idle. Where they had less than that share of the Ps, allocation while marking decides: a program that waits for its
    own locks allocates more slowly then, arrivals would have been served. Both kinds look alike near saturation.
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
            loop="closed", busy_procs=procs, source="idle workers hardly marked: every P was busy"
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
        source="open loop, as stated; how busy it was is a guess"
        if stated == "open"
        else f"{marked}; how busy the program was is a guess",
        rel_sd=_MARK_SPEED_REL_SD,
        stated=stated == "open",
        busy_from_log=False,
    )
