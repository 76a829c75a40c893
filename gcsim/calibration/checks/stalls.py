"""Stalls in a log: signs that a CPU quota or other processes kept the process off the CPU.

Linux stops every thread of a process that has used its CPU quota until the next period begins, every 100 ms by default
(CFS bandwidth control). GC cycles do not start or end in the stopped part of a period, so their times align with
100 ms. The pacer alone does not cause that. Concentration of starts and ends within the period (1 is one instant),
measured on real Go:

- quota of 40 to 50 %: 0.65 to 0.8; quota of 80 %: 0.33;
- no quota: 0.1 or less, up to 0.3 by chance in logs of few cycles; none of 110 captures was found in step.
"""

from dataclasses import dataclass

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.evidence import Evidence

QUOTA_PERIOD_SECONDS = 0.1  # cpu.cfs_period_us; Kubernetes uses the same period
LONG_PAUSE_SECONDS = 0.01  # one pause in 20,000 of healthy captures on two busy cores
_CONCENTRATED = 0.25
_BY_CHANCE_ONCE_IN = 1e4  # logs
_INSTANTS, _KERNEL = 100, 10.0  # instants per period; kernel width of about a tenth of the period
_BINS = 1000  # per period: 0.1 ms each, a tenth of a log's time step; bins bound the memory for long logs


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalls:
    """Measures of stalls in the times of a log."""

    concentration: float  # of starts and ends within the quota period, 0 to 1
    in_step: bool  # concentrated beyond chance
    stretched_share: float  # share of cycles that mark across the stopped part of a period
    stretch: float  # their median mark time over that of the others; NaN if either group is empty
    long_pauses: int
    pauses: int
    longest_pause_seconds: float

    @property
    def throttled(self) -> bool:
        """Whether cycles are in step with the period and marking across its end takes longer."""
        return self.in_step and (self.stretched_share >= 0.5 or self.stretch >= 2.0)


def find_stalls(evidence: Evidence) -> Stalls:
    """The stalls in one process's cycles; at least one cycle."""
    starts, ends = _phases(evidence.start_seconds), _phases(evidence.end_seconds)
    direction = complex(np.concatenate([starts, ends]).mean())
    # The start and end of a cycle are dependent, so the Rayleigh test counts cycles, not events.
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
    """Whether each cycle shorter than a period was marking at instant ``quiet`` of a period."""
    before = np.floor(evidence.start_seconds / QUOTA_PERIOD_SECONDS - quiet)
    after = np.floor(evidence.end_seconds / QUOTA_PERIOD_SECONDS - quiet)
    short = evidence.end_seconds - evidence.start_seconds < QUOTA_PERIOD_SECONDS
    return np.asarray(short & (after > before), dtype=np.bool_)


def _stretch(mark_seconds: FloatArray, crosses: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    if crosses.all() or not crosses.any():
        return float("nan")
    return float(np.median(mark_seconds[crosses]) / max(float(np.median(mark_seconds[~crosses])), 1e-6))
