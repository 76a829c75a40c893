"""The two pauses of a collection: their steps, their dependences, and a prior of their length without a log.

Sweep termination (gctrace's first clock figure, ``gcStart``): stop every P; sweep what is left, usually
nothing; clear sync.Pools; ``startCycle``; prepare roots; mark tiny-allocator blocks; start the world again.
Mark termination (the last figure, ``gcMarkDone`` to ``gcMarkTermination``): stop every P; flush each P's
write-barrier buffer and work cache, and go back to marking if that finds work; ``endCycle``; begin sweeping;
commit the next goal.

    pause = time to stop + restart + per P x P + per pool x pools

- *Time to stop* is nearly the whole pause. The runtime stops an idle P, or one in a system call, at once. A running P
  gets a signal (async preemption, 1.14+; before, it had to reach a call), which takes 30 to 60 us. If the operating
  system does not run that P's thread, the pause waits until it does, a millisecond or more.
- The rest is below 10 us for a few Ps. No part of a pause scales with heap size or goroutines (1.9+).
- Pauses therefore depend on GOGC and GOMEMLIMIT only through their number and the load of the Ps. The distribution of a
  log holds for every setting. The prior here is for the case without a log.

Versions: gctrace's figures include the wait for the scheduler's locks in every version (Go 1.22+ ``/sched/pauses`` does
not). From 1.23 only the CPU accounting of pauses differs. From 1.26 the runtime gives mark workers to idle Ps while the
world restarts (``procresize``), which changes the first pause of idle programs.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtr

from gcsim.arrays import Real
from gcsim.goruntime.arithmetic import where

Pause = Literal["sweep_term", "mark_term"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseModel:
    """A pause's distribution: lognormal, and with probability ``late_share`` another lognormal for a late P.

    Sigmas are standard deviations of the natural logarithm. Pauses of different cycles are independent. This is an
    approximation, because other processes disturb several cycles in a row.
    """

    median_ns: float
    sigma: float
    late_share: float  # 0 to 1
    late_median_ns: float
    late_sigma: float
    median_factor: float  # 90 % of other programs and machines have a median within x/÷ this factor

    def __post_init__(self) -> None:
        if min(self.median_ns, self.late_median_ns, self.sigma, self.late_sigma) <= 0:
            raise ValueError("medians and sigmas of a pause must be more than zero")
        if not 0.0 <= self.late_share <= 1.0 or self.median_factor < 1.0:
            raise ValueError("late_share must lie between 0 and 1, and median_factor must be at least 1")

    @property
    def mean_ns(self) -> float:
        """The mean pause."""
        body = self.median_ns * math.exp(self.sigma**2 / 2)
        late = self.late_median_ns * math.exp(self.late_sigma**2 / 2)
        return (1.0 - self.late_share) * body + self.late_share * late

    def draw_ns(self, uniform: Real, normal: Real) -> Real:
        """Pauses, ns, from uniform numbers of [0, 1), which select the component, and normal numbers for the length."""
        late = uniform < self.late_share
        median = where(late, self.late_median_ns, self.median_ns)
        pauses_ns: Real = median * np.exp(where(late, self.late_sigma, self.sigma) * normal)
        return pauses_ns

    def share_below(self, duration_ns: Real) -> Real:
        """The share of pauses shorter than ``duration_ns`` (> 0)."""
        body = ndtr(np.log(duration_ns / self.median_ns) / self.sigma)
        late = ndtr(np.log(duration_ns / self.late_median_ns) / self.late_sigma)
        share: Real = (1.0 - self.late_share) * body + self.late_share * late
        return share


# Measured by experiments/pause_priors.py on a shared machine of 2 CPUs (linux/amd64), otherwise idle: Go 1.19,
# 1.21 and 1.27, GOMAXPROCS 1, 2, 4, 50 to 850 cycles each, gctrace's figures. Medians in us, P = 1 / 2 / 4:
#   sweep termination, busy   4-5 / 45-55 / 75-140      idle   12-20 / 35-38 / 35-52 (1.27: 15 / 170 / 178)
#   mark termination, busy    1-2 / 32 / 23-35 (1.27: 1-2 / 4 / 9-11)             idle   2-4 / 3-4 / 3-4
# Late pauses (300 us or more; median 1.2 to 1.7 ms, sigma 0.3 to 0.8): none at P = 1; 0.3-3 % of the first
# and under 0.3 % of the second at P = 2; with 4 Ps on 2 CPUs 2-19 % and under 1 %. The step in medians comes
# with Go 1.26: at P = 2, busy, the second pause is 34 us on 1.25 and 1 us on 1.26; idle, the first 35 and 160 us.
_LATE_MEDIAN_NS, _LATE_SIGMA = 1.4e6, 0.6


def pause_prior(
    pause: Pause, *, gomaxprocs: int, cpus: int, busy: bool, hands_workers_to_idle: bool
) -> PauseModel:
    """The prior of a pause without a log: measured at P = 1, 2 and 4, extrapolated beyond.

    ``busy`` says that most Ps run when the pause begins. With fewer ``cpus`` than ``gomaxprocs`` late pauses are
    common. ``hands_workers_to_idle`` is true from Go 1.26 on (``GoRules.marking_wakes_idle_processors``). The median
    of the body grows as P^0.7 above two busy Ps, which is extrapolated from 2 to 4 Ps and as uncertain as
    ``median_factor`` says.
    """
    growth = (max(gomaxprocs, 2) / 2) ** 0.7
    if gomaxprocs == 1:
        median_us, sigma = {
            ("sweep_term", True): (5.0, 0.25),
            ("sweep_term", False): (14.0, 0.3),
            ("mark_term", True): (1.5, 0.6),
            ("mark_term", False): (2.7, 0.3),
        }[pause, busy]
    elif pause == "sweep_term":
        idle_us = 170.0 if hands_workers_to_idle else 38.0
        median_us, sigma = (52.0 * growth, 0.4) if busy else (idle_us, 0.5)
    else:
        busy_us, busy_sigma = (5.0, 1.0) if hands_workers_to_idle else (30.0, 0.8)
        median_us, sigma = (busy_us * growth, busy_sigma) if busy else (3.5, 0.4)
    crowded = gomaxprocs > cpus
    late = {"sweep_term": 0.10 if crowded else 0.012, "mark_term": 0.005 if crowded else 0.002}[pause]
    return PauseModel(
        median_ns=median_us * 1e3,
        sigma=sigma,
        late_share=0.0 if gomaxprocs == 1 else late,
        late_median_ns=_LATE_MEDIAN_NS,
        late_sigma=_LATE_SIGMA,
        median_factor=2.0 if gomaxprocs <= 4 else 4.0,
    )
