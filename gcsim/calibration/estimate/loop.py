"""Detection of the loop: allocation paced by the program's speed (closed) or by arrivals (open)."""

from dataclasses import dataclass

from gcsim.calibration.evidence import Evidence
from gcsim.engine.inputs.draws import LEAST_SERVED
from gcsim.service.model import Loop

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


def detect_loop(
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
