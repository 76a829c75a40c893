"""Constraints on the latency of requests and on throughput: the answer of ``gcsim recommend``, and real runs of it."""

import json
import math
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from experiments import toolchains
from experiments.priority import high_priority
from experiments.recommended.services import (
    BUSY_ORDERS,
    CLOSED_ORDERS,
    HERE,
    SECONDS,
    OrderService,
    Stressed,
)
from experiments.rules.study import GO, Case, Predicted, rounded_estimate, run_rule
from experiments.validation.results import rows_from_csv, rows_to_csv
from gcsim.atomic import write_text_atomically
from gcsim.engine.plan import Plan
from gcsim.metrics import Estimate
from gcsim.service.model import Model
from gcsim.tuning.bounds import BOUNDS
from gcsim.tuning.constraints import Constraint, Margin
from gcsim.tuning.feasible import container_peak
from gcsim.tuning.recommend import recommend
from gcsim.tuning.recommendation import Recommendation
from gcsim.units import MIB

ANSWERS, RUNS = HERE / "constraints.json", HERE / "constraints.csv"
REPEATS = 3
TODAY, NO_BOUND = "today's setting", "no bound"
LATENCY, THROUGHPUT = "request_p99_seconds", "throughput_ratio"
#: The levels of each service, stated before the runs: one that can be met, and one that no setting meets with 95 %.
ASKED: tuple[tuple[OrderService, str, tuple[float, ...]], ...] = (
    (BUSY_ORDERS, LATENCY, (0.100, 0.020)),
    (CLOSED_ORDERS, THROUGHPUT, (0.90, 0.95)),
)
_CPU, _CONTAINER = "gc_cpu_fraction", "container_peak_bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One question and its answer. Intervals are median, 5th and 95th percentile."""

    service: str
    memory_mib: int
    asked: str
    metric: str  # of the bound
    bound: float | None  # in the metric's unit; None: no bound
    feasible: bool
    environment: dict[str, str]
    probability: float | None  # that a run keeps the bound
    predicted: tuple[float, float, float] | None  # of the metric
    gc_cpu: tuple[float, float, float]
    container_mib: tuple[float, float, float]

    def is_kept(self, value: float) -> bool:
        """Whether a value keeps the bound."""
        assert self.bound is not None
        return value >= self.bound if self.metric == THROUGHPUT else value <= self.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One run of an answer. NaN: not measured, because the run was not kept."""

    service: str
    asked: str
    repeat: int
    end: str  # one of kept, killed, stalls
    gc_cpu_fraction: float
    requests_hz: float
    request_p99_seconds: float
    anonymous_mib: float


def write_answers() -> None:
    """Replaces the committed answers by those of today."""
    found = [answer for service, metric, bounds in ASKED for answer in _answers(service, metric, bounds)]
    write_text_atomically(ANSWERS, json.dumps([asdict(one) for one in found], indent=1) + "\n")


def _answers(service: OrderService, metric: str, bounds: tuple[float, ...]) -> list[Answer]:
    model = service.model()
    free = _recommended(model, service, [])
    found = [
        _answer(service, TODAY, metric, None, free, today=True),
        _answer(service, NO_BOUND, metric, None, free),
    ]
    for bound in bounds:
        make = Constraint.at_least if metric == THROUGHPUT else Constraint.at_most
        answer = _recommended(model, service, [make(metric, bound)])
        found.append(_answer(service, _option(metric, bound), metric, bound, answer))
    return found


def _option(metric: str, bound: float) -> str:
    """The option of ``gcsim recommend`` that asks for a bound."""
    option = next(one.option for one in BOUNDS if one.metric == metric)
    return f"{option} {100 * bound:g}%" if metric == THROUGHPUT else f"{option} {1e3 * bound:g}ms"


def _recommended(model: Model, service: OrderService, constraints: list[Constraint]) -> Recommendation:
    return recommend(
        model,
        memory_bytes=service.memory_mib * MIB,
        constraints=constraints,
        plan=Plan(duration_seconds=SECONDS),
    )


def _answer(
    service: OrderService,
    asked: str,
    metric: str,
    bound: float | None,
    found: Recommendation,
    *,
    today: bool = False,
) -> Answer:
    run = found.today if today else found.run
    margin = next((one for one in found.margins if one.constraint.metric == metric), None)
    return Answer(
        service=service.name,
        memory_mib=service.memory_mib,
        asked=asked,
        metric=metric,
        bound=bound,
        feasible=found.feasible,
        environment=run.settings.environment,
        probability=_probability(margin),
        predicted=_interval(run.metrics.get(metric)),
        gc_cpu=rounded_estimate(run.metrics[_CPU], 1.0),
        container_mib=rounded_estimate(container_peak(run), MIB),
    )


def _probability(margin: Margin | None) -> float | None:
    return None if margin is None else round(margin.chance.value, 4)


def _interval(metric: Estimate | None) -> tuple[float, float, float] | None:
    return None if metric is None else rounded_estimate(metric, 1.0)


def read_answers() -> list[Answer]:
    """The committed answers; none without the file."""
    rows = json.loads(ANSWERS.read_text(encoding="utf-8")) if ANSWERS.exists() else []
    for row in rows:
        row |= {name: tuple(one) for name, one in row.items() if isinstance(one, list)}
    return [Answer(**row) for row in rows]


def run_all(services: list[str]) -> None:
    """Runs every setting of the named services, or of all, repeats outermost; replaces their committed runs.

    Answers with the same setting share a run.
    """
    found = [one for one in read_runs() if services and one.service not in services]
    binary = toolchains.build("orders", GO)
    for service, _, _ in ASKED:
        mine = [one for one in read_answers() if one.service == service.name]
        if services and service.name not in services:
            continue
        for repeat in range(1, REPEATS + 1):
            made: dict[str, Ran] = {}
            for answer in mine:
                setting = str(answer.environment)
                if setting not in made:
                    with high_priority():
                        made[setting] = _run(service, binary, answer, repeat)
                    sys.stderr.write(f"{made[setting]}\n")
                found.append(replace(made[setting], asked=answer.asked))
    write_text_atomically(RUNS, rows_to_csv(found, Ran))


def _run(service: OrderService, binary: Path, answer: Answer, repeat: int) -> Ran:
    case = Case(program=service.name, args=service.args(Stressed()), memory_mib=())
    wanted = Predicted(
        program=service.name, memory_mib=answer.memory_mib, rule=answer.asked, environment=answer.environment,
        fits=1.0, killed=0.0, gc_cpu=answer.gc_cpu,
    )  # fmt: skip
    one = run_rule(case, binary, wanted, seconds=SECONDS)
    return Ran(
        service=service.name,
        asked=answer.asked,
        repeat=repeat,
        end=one.end,
        gc_cpu_fraction=_or_nan(one.gc_cpu_fraction),
        requests_hz=_or_nan(one.requests_hz),
        request_p99_seconds=_or_nan(one.request_p99_seconds),
        anonymous_mib=one.anonymous_mib,
    )


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def read_runs() -> tuple[Ran, ...]:
    """The committed runs; none without the file."""
    return rows_from_csv(RUNS.read_text(encoding="utf-8"), Ran) if RUNS.exists() else ()
