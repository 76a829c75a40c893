"""Simulation-based calibration: where each true parameter ranks among draws of the calibrated one.

If intervals are honest, ranks are uniform: a truth is as often in the lowest tenth of its calibrated distribution as
in any other (Talts, Betancourt, Simpson, Vehtari, Gelman 2018, arXiv 1804.06788).
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.stats import chisquare, kstest

from experiments.recovery.logs import Logged, logged
from experiments.recovery.services import BATCH, Service, draw_batch
from gcsim.api import calibrate
from gcsim.arrays import FloatArray
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.engine.inputs.draws import draw_parameters
from gcsim.errors import InputError
from gcsim.service.model import Model
from gcsim.streams import stream

POSTERIOR_DRAWS = 99  # a truth among them has 100 places
BINS = 10

#: What calibration reads off a log; everything else in a model is a prior, or follows from the settings.
RANKED = (
    "live_bytes", "stack_bytes", "globals_bytes", "alloc_bytes_per_second", "alloc_bytes_per_cpu_second",
    "mutator_procs", "mark_alloc_efficiency", "mark_mutator_procs", "mark_cpu_seconds", "mark_cpu_heap_ratio",
    "mark_background_procs", "mark_idle_procs", "assist_cpu_seconds",
)  # fmt: skip


#: What the program would do by itself does not show where more than a tenth of cycles end at their goal.
UNSEEN_AT_THE_GOAL = ("mark_alloc_efficiency", "mark_mutator_procs", "assist_cpu_seconds")
MOST_HELD = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """One parameter of one service."""

    name: str
    rank: int  # 0 to POSTERIOR_DRAWS
    truth: float
    value: float
    rel_sd: float
    loop: str
    pacer_lines: bool
    cycles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """All of it, and why services were left out."""

    rows: tuple[Recovered, ...]
    services: int
    left_out: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniformity:
    """One parameter's ranks, judged."""

    name: str
    places: FloatArray  # ranks spread over 0 to 1
    chi_square_p: float
    kolmogorov_p: float
    covered_90: float  # share of truths inside the 90 % interval
    median_error: float  # of the value, relative

    @property
    def p_value(self) -> float:
        """Of both tests together (Bonferroni)."""
        return min(1.0, 2.0 * min(self.chi_square_p, self.kolmogorov_p))


def recover(count: int, seed: int) -> Recovery:
    """Draw, simulate, log, calibrate and rank ``count`` services, rounded up to whole batches."""
    rows: list[Recovered] = []
    left_out: Counter[str] = Counter()
    batches = -(-count // BATCH)
    for batch in range(batches):
        services = draw_batch(stream(seed, "recovered services", batch))
        for one in logged(services, seed * 1_000_003 + batch):
            found = _calibrated(one)
            if isinstance(found, str):
                left_out[found] += 1
            else:
                rows += ranked(one, found, seed=len(rows))
    return Recovery(rows=tuple(rows), services=batches * BATCH, left_out=dict(left_out))


def _calibrated(one: Logged) -> Model | str:
    """The calibrated model, or why there is none to rank."""
    if not one.settles:
        return "with two steady states, of which a log shows one"
    try:
        found = calibrate(one.trace, name="recovered", overrides=_stated(one.service), fit_check=False).model
    except InputError as error:
        return f"refused ({str(error).split(';')[0][:60]})"
    if found.loop != one.service.model.loop:
        return f"{one.service.model.loop} loops taken for {found.loop} ones"
    return found


def _stated(service: Service) -> Overrides:
    settings = service.settings
    return Overrides(gogc=settings.gogc, gomaxprocs=settings.gomaxprocs, go=settings.go)


def ranked(one: Logged, found: Model, *, seed: int) -> list[Recovered]:
    """Each parameter that the log determined, with its truth's rank among draws."""
    drawn = draw_parameters(found, replicas=POSTERIOR_DRAWS, seed=seed)
    rows = []
    for name in RANKED:
        parameter = getattr(found.parameters, name)
        truth = one.truth[name]
        if name in UNSEEN_AT_THE_GOAL and one.held_share > MOST_HELD:
            continue
        exact = abs(parameter.value - truth) <= 1.0 and parameter.rel_sd == 0.0  # to the byte
        if exact or parameter.is_prior or truth <= 0 or (name == "mutator_procs" and found.loop == "closed"):
            continue
        rows.append(
            Recovered(
                name=name,
                rank=int((drawn[name] < truth).sum()),
                truth=truth,
                value=parameter.value,
                rel_sd=parameter.rel_sd,
                loop=found.loop,
                pacer_lines=one.service.pacer_lines,
                cycles=one.service.cycles,
            )
        )
    return rows


def uniformity(rows: list[Recovered], seed: int = 1) -> Uniformity:
    """Chi-square over ten bins, and Kolmogorov-Smirnov over ranks spread within their places."""
    ranks = np.array([row.rank for row in rows])
    places = (ranks + stream(seed, "ties").random(ranks.size)) / (POSTERIOR_DRAWS + 1)
    counts = np.histogram(ranks, bins=BINS, range=(0, POSTERIOR_DRAWS + 1))[0]
    return Uniformity(
        name=rows[0].name,
        places=places,
        chi_square_p=float(chisquare(counts).pvalue),
        kolmogorov_p=float(kstest(places, "uniform").pvalue),
        covered_90=float(((places > 0.05) & (places < 0.95)).mean()),
        median_error=float(np.median([abs(row.value / row.truth - 1.0) for row in rows])),
    )


def by_parameter(recovery: Recovery) -> dict[str, list[Recovered]]:
    """Rows of each ranked parameter, in order; those never ranked are left out."""
    grouped = {name: [row for row in recovery.rows if row.name == name] for name in RANKED}
    return {name: rows for name, rows in grouped.items() if rows}
