"""The stress table of ``gcsim recommend``, predicted before the runs, and the runs."""

import sys
from collections.abc import Sequence

from experiments.priority import high_priority
from experiments.recommended.services import HERE, NO_STRESS, SECONDS, SERVICES, STRESSES, Service
from experiments.rules.study import Predicted, file_result, read_predictions, rounded_estimate, write_rows
from gcsim.engine.plan import Plan
from gcsim.engine.run import Run
from gcsim.errors import InputError
from gcsim.tuning.chances import chances
from gcsim.tuning.feasible import spirals
from gcsim.tuning.recommend import recommend
from gcsim.tuning.recommendation import Recommendation
from gcsim.tuning.stress_text import name_of, verdict_of
from gcsim.units import MIB

PREDICTIONS, RESULTS = HERE / "stress.json", HERE / "stress.csv"


def asked(service: Service) -> Recommendation:
    """The recommendation in the container of the study, for runs of the length of the real ones."""
    found = recommend(
        service.model(), memory_bytes=service.memory_mib * MIB, plan=Plan(duration_seconds=SECONDS)
    )
    if found.test is None:
        raise InputError(f"{service.name}: no setting fits, so that there is no stress table")
    return found


def write_predictions() -> None:
    """Replaces the committed predictions by those of today."""
    write_rows([row for service in SERVICES for row in _rows(service, asked(service))], PREDICTIONS)


def _rows(service: Service, found: Recommendation) -> list[Predicted]:
    assert found.test is not None
    runs = [(NO_STRESS, found.run, "spirals" if spirals(found.run) else "holds")]
    runs += [(name_of(one), one.run, verdict_of(one)) for one in found.test.stresses]
    return [_row(service, name, run, verdict, found) for name, run, verdict in runs]


def _row(service: Service, name: str, run: Run, verdict: str, found: Recommendation) -> Predicted:
    odds = chances(run, found.available_bytes, kernel_bytes=found.budget.kernel_bytes)
    return Predicted(
        program=service.name,
        memory_mib=service.memory_mib,
        rule=name,
        environment=found.settings.environment,
        fits=round(odds.fits, 4),
        killed=round(odds.killed, 4),
        gc_cpu=rounded_estimate(run.metrics["gc_cpu_fraction"], 1.0),
        anonymous_mib=rounded_estimate(run.metrics["anonymous_peak_bytes"], MIB),
        speed=round(run.metrics["throughput_ratio"].value, 4),
        verdict=verdict,
    )


def run_all(names: Sequence[str]) -> None:
    """Runs each named service, or all, under every stress that can be made; files each result at once."""
    for service in SERVICES:
        if names and service.name not in names:
            continue
        run = service.runner()
        for wanted in read_predictions(PREDICTIONS):
            stressed = STRESSES[wanted.rule]
            if wanted.program != service.name or (stressed.live != 1.0 and not service.can_grow):
                continue
            with high_priority():
                one = run(wanted, stressed)
            file_result(one, RESULTS)
            sys.stderr.write(f"{one}\n")
