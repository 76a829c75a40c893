"""Probabilities that a run's memory does not fit a container, from the prediction intervals."""

import math
from dataclasses import dataclass

from gcsim.engine.run import Run
from gcsim.engine.summary.intervals import Z90
from gcsim.metrics import Estimate
from gcsim.tuning.feasible import container_peak


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


def chance_above(estimate: Estimate, bound: float) -> float:
    """The probability that a new run's value is above ``bound``, 0 to 1.

    The prediction is log-normal with its own width on each side, as ``prediction_interval`` makes it: 5 % lies above
    ``high``, 5 % below ``low``, half above ``value``.
    """
    value = estimate.value
    if bound <= 0.0 or value <= 0.0:
        return 1.0 if value > bound else 0.0
    end = estimate.high if bound > value else estimate.low
    width = abs(math.log(end / value)) / Z90 if end > 0.0 else 0.0
    distance = math.log(bound / value)
    if width == 0.0:
        return 1.0 if distance < 0.0 else 0.0
    return 0.5 * math.erfc(distance / width / math.sqrt(2.0))
