"""Signs that the operating system kept the process off the CPU: quota throttling and crowded machines.

Linux freezes every thread of a process that has used up its CPU quota until the next period begins, 100 ms later by
default (CFS bandwidth control). GC cycles then neither start nor end in the frozen part of the period: their times
keep step with 100 ms, which no pacer does. Measured on real Go under a quota of 40-50 %: phases concentrate to
0.65-0.8 (1 is one instant), of 80 % to 0.33; without a quota to 0.1 and less, but for logs of few cycles, where chance
alone gives 0.3. None of 110 captures without a quota was found in step.
"""

from dataclasses import dataclass

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.evidence import Evidence

QUOTA_PERIOD_SECONDS = 0.1  # cpu.cfs_period_us, and what Kubernetes sets
LONG_PAUSE_SECONDS = 0.01  # healthy captures on two busy cores had one pause in 20,000 of this length
_CONCENTRATED = 0.25
_BY_CHANCE_ONCE_IN = 1e4  # logs
_INSTANTS, _KERNEL = 100, 10.0  # of the period looked at; a kernel about a tenth of it wide
_BINS = 1000  # of the period: 0.1 ms, a tenth of what a log prints; event by event a long log took 600 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalls:
    """What the clock of a log shows of stalls."""

    concentration: float  # of starts and ends within the quota's period, 0 to 1
    in_step: bool  # more than chance allows
    stretched_share: float  # of cycles, marking across the frozen part of the period
    stretch: float  # their median mark time over the others'; NaN without either kind
    long_pauses: int
    pauses: int
    longest_pause_seconds: float

    @property
    def throttled(self) -> bool:
        """In step with the period, and marking that meets its end takes longer: frozen, not merely regular."""
        return self.in_step and (self.stretched_share >= 0.5 or self.stretch >= 2.0)


def find_stalls(evidence: Evidence) -> Stalls:
    """Of one process's cycles, one or more."""
    starts, ends = _phases(evidence.start_seconds), _phases(evidence.end_seconds)
    direction = complex(np.concatenate([starts, ends]).mean())
    # A start and the end after it depend on each other: count cycles, not events (Rayleigh's test).
    in_step = len(evidence) * abs(direction) ** 2 > np.log(_BY_CHANCE_ONCE_IN)
    both = min(abs(complex(starts.mean())), abs(complex(ends.mean())))
    crosses = _crosses(evidence, _quietest(np.concatenate([starts, ends])))
    pauses = np.concatenate([evidence.sweep_term_seconds, evidence.mark_term_seconds])
    return Stalls(
        concentration=abs(direction),
        in_step=bool(in_step and both > _CONCENTRATED),
        stretched_share=float(crosses.mean()),
        stretch=_stretch(evidence.mark_seconds, crosses),
        long_pauses=int((pauses >= LONG_PAUSE_SECONDS).sum()),
        pauses=len(pauses),
        longest_pause_seconds=float(pauses.max()),
    )


def _phases(seconds: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.complex128]]:
    return np.asarray(np.exp(2j * np.pi * seconds / QUOTA_PERIOD_SECONDS), dtype=np.complex128)


def _quietest(phases: np.ndarray[tuple[int], np.dtype[np.complex128]]) -> float:
    """The instant of the period, 0 to 1, around which the fewest cycles start or end."""
    instants = np.arange(_INSTANTS) / _INSTANTS
    counts, edges = np.histogram(np.angle(phases) / (2 * np.pi) % 1.0, bins=_BINS, range=(0.0, 1.0))
    near = np.cos(2 * np.pi * (instants[:, None] - 0.5 * (edges[1:] + edges[:-1]))) - 1.0
    return float(instants[(np.exp(_KERNEL * near) * counts).sum(axis=1).argmin()])


def _crosses(evidence: Evidence, quiet: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Cycles shorter than a period that were marking at that instant of one; a longer one always is."""
    before = np.floor(evidence.start_seconds / QUOTA_PERIOD_SECONDS - quiet)
    after = np.floor(evidence.end_seconds / QUOTA_PERIOD_SECONDS - quiet)
    short = evidence.end_seconds - evidence.start_seconds < QUOTA_PERIOD_SECONDS
    return np.asarray(short & (after > before), dtype=np.bool_)


def _stretch(mark_seconds: FloatArray, crosses: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    if crosses.all() or not crosses.any():
        return float("nan")
    return float(np.median(mark_seconds[crosses]) / max(float(np.median(mark_seconds[~crosses])), 1e-6))
