"""What sets the pace of allocation: the program's own speed, or arrivals."""

from dataclasses import dataclass

from gcsim.calibration.evidence import Evidence
from gcsim.workload.model import Loop

IDLE_SHARE = 0.03  # of P while marking; above it Ps had nothing to do, so the program was not at full speed
_MARK_EFFICIENCY = (
    0.85  # mutator speed while marking, pilot on Go 1.26: 0.70 to 0.85 (write barriers, caches)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The verdict, and how many Ps the mutator keeps busy outside marking."""

    loop: Loop
    busy_procs: float
    source: str


def find_pace(
    evidence: Evidence, *, outside_bytes_per_second: float, mutator_cpu_share: float | None
) -> Pace:
    """Closed where no P was idle while marking; open otherwise.

    ``mutator_cpu_share`` is the mutator's share of all Ps over the run, where the capture measured CPU time;
    without it, its Ps while marking and what it allocated there tell how many it keeps busy outside.
    """
    procs = float(evidence.gomaxprocs.mean())
    mark_s = float(evidence.mark_seconds.sum())
    idle_share = float(evidence.idle_cpu_seconds.sum()) / mark_s / procs
    if idle_share <= IDLE_SHARE:
        return Pace(loop="closed", busy_procs=procs, source="no idle Ps while marking")
    if mutator_cpu_share is not None:
        busy = min(max(mutator_cpu_share, 0.005), 1.0) * procs
        return Pace(loop="open", busy_procs=busy, source="idle Ps while marking; CPU time of the capture")
    used = (evidence.assist_cpu_seconds + evidence.background_cpu_seconds + evidence.idle_cpu_seconds).sum()
    mutator = max(procs - float(used) / mark_s, 0.02 * procs)
    mark_rate = float(evidence.allocated_bytes.sum()) / mark_s
    per_cpu = max(mark_rate / mutator / _MARK_EFFICIENCY, 1.0)
    busy = min(max(outside_bytes_per_second / per_cpu, 0.005 * procs), procs)
    return Pace(loop="open", busy_procs=busy, source="idle Ps while marking; mutator speed there")
