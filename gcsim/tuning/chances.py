"""Probabilities that a run's memory does not fit a container, from the prediction intervals."""

from dataclasses import dataclass

from gcsim.engine.run import Run
from gcsim.tuning.feasible import container_peak
from gcsim.tuning.predictive import chance_above


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """Probabilities of the two ends of a run that does not fit; both 0 for one that fits surely."""

    killed: float  # anonymous and kernel memory pass the container: an OOM kill
    stalls: float  # they fit, and the hot file pages do not: the kernel reclaims pages that the program needs

    @property
    def fits(self) -> float:
        """The probability that neither happens."""
        return max(1.0 - self.killed - self.stalls, 0.0)

    def to_json(self) -> dict[str, float]:
        """The JSON document of the three probabilities."""
        return {"fits": self.fits, "killed": self.killed, "stalls": self.stalls}


def chances(run: Run, memory_bytes: float, *, kernel_bytes: float) -> Chances:
    """The chances of a run in a container; ``kernel_bytes`` is the median of kernel memory.

    A run without anonymous memory, as in sweeps of an older gcsim, has no chance of a stall.
    """
    over = chance_above(container_peak(run), memory_bytes)
    anonymous = run.metrics.get("anonymous_peak_bytes")
    if anonymous is None:
        return Chances(killed=over, stalls=0.0)
    killed = min(chance_above(anonymous, memory_bytes - kernel_bytes), over)
    return Chances(killed=killed, stalls=over - killed)
