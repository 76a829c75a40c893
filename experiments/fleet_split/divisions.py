"""The services, the budget, and the divisions of it with their predictions."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import gcsim
from experiments.archive import unpacked
from experiments.capture import RunPlan
from experiments.rules.study import GO
from gcsim.atomic import write_text_atomically
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.engine.plan import Plan
from gcsim.service.model import Model
from gcsim.tuning.division import square_root_division
from gcsim.tuning.fleet import FLEET_PLAN, Service, divide_memory
from gcsim.tuning.memory_curve import memory_curve
from gcsim.tuning.recommend import recommend
from gcsim.tuning.savings import gc_cores
from gcsim.tuning.sweep import base_settings
from gcsim.units import MIB

HERE = Path(__file__).parent
CAPTURES, DIVISIONS = HERE / "captures", HERE / "divisions.json"
BUDGET_MIB = 600
SERVICES: Mapping[
    str, tuple[str, ...]
] = {  # by arrivals per second, so that every division has the same work
    "orders": ("-sample", "0", "-rate", "8000"),
    "ptrcache": ("-sample", "0", "-rate", "20000"),
    "graph": ("-sample", "0", "-rate", "3000"),
}
_PLAN = FLEET_PLAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The part of one service in one division: the container, its setting, and the prediction."""

    division: str
    service: str
    memory_mib: int
    environment: dict[str, str]
    feasible: bool
    cores: float  # of GC
    gc_cpu: tuple[float, float, float]  # median, 5th and 95th percentile


def plan_of(service: str) -> RunPlan:
    """The run that the service's model comes from."""
    return RunPlan(program=service, go_version=GO, duration_seconds=11.0, args=SERVICES[service])


def model_of(service: str) -> Model:
    """The service as one run with Go's defaults shows it."""
    log = unpacked(CAPTURES) / f"{plan_of(service).name}.log.gz"
    return gcsim.calibrate(log, name=service, overrides=Overrides(loop="open")).model


def write_divisions() -> None:
    """Replaces the committed divisions by those of today."""
    rows = ",\n".join(json.dumps(asdict(one)) for one in divisions())
    write_text_atomically(DIVISIONS, f"[\n{rows}\n]\n")


def read_divisions() -> list[Part]:
    """The committed divisions."""
    return [Part(**{**row, "gc_cpu": tuple(row["gc_cpu"])}) for row in json.loads(DIVISIONS.read_text())]


def divisions() -> Iterator[Part]:
    """The parts by ``gcsim fleet``, by equal parts and by the square-root rule, each at its recommended setting."""
    models = {service: model_of(service) for service in SERVICES}
    memory = BUDGET_MIB * MIB
    found = divide_memory(
        [Service(name=name, model=model) for name, model in models.items()], memory_bytes=memory, plan=_PLAN
    )
    curves = [
        memory_curve(model, base_settings(model, gomaxprocs=None, go=None), memory / len(models), _PLAN)
        for model in models.values()
    ]
    ones = [1] * len(models)
    sizes = {
        "gcsim fleet": [part.memory_bytes // MIB for part in found.parts],
        "equal parts": [BUDGET_MIB // len(models)] * len(models),
        "square-root rule": [int(size / MIB) for size in square_root_division(curves, ones, memory).tolist()],
    }
    for division, parts in sizes.items():
        for (service, model), memory_mib in zip(models.items(), parts, strict=True):
            yield _part(division, service, model, memory_mib, _PLAN)


def _part(division: str, service: str, model: Model, memory_mib: int, plan: Plan) -> Part:
    choice = recommend(model, memory_bytes=memory_mib * MIB, plan=plan)
    cpu = choice.run.metrics["gc_cpu_fraction"]
    return Part(
        division=division,
        service=service,
        memory_mib=memory_mib,
        environment=dict(choice.run.settings.environment),
        feasible=choice.feasible,
        cores=round(gc_cores(choice.run), 5),
        gc_cpu=(round(cpu.value, 5), round(cpu.low, 5), round(cpu.high, 5)),
    )
