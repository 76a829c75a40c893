"""Runs of the services in their parts, one after the other, and their GC CPU."""

import json
import sys
from dataclasses import asdict, dataclass

from experiments.fleet_split.divisions import HERE, SERVICES, Part, read_divisions
from experiments.priority import high_priority
from experiments.rules.study import Case, Predicted, build, run_rule
from gcsim.atomic import write_text_atomically

RUNS = HERE / "runs.json"
REPEATS = 1
_SECONDS = 11.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRun:
    """One run of one service in its part of a division."""

    division: str
    service: str
    repeat: int
    end: str  # one of kept, killed, stalls
    gc_cpu_fraction: float | None  # of a run that was kept
    requests_hz: float | None
    anonymous_mib: float


def run_all() -> None:
    """Runs every part, alone on the machine's processors, repeats outermost; replaces the committed runs."""
    binaries = {service: build(service) for service in SERVICES}
    found = []
    for repeat in range(1, REPEATS + 1):
        for part in read_divisions():
            case = Case(program=part.service, args=SERVICES[part.service], memory_mib=(part.memory_mib,))
            with high_priority():
                one = run_rule(case, binaries[part.service], _rule(part), seconds=_SECONDS)
            found.append(
                PartRun(
                    division=part.division,
                    service=part.service,
                    repeat=repeat,
                    end=one.end,
                    gc_cpu_fraction=None if one.gc_cpu_fraction is None else round(one.gc_cpu_fraction, 5),
                    requests_hz=None if one.requests_hz is None else round(one.requests_hz, 1),
                    anonymous_mib=round(one.anonymous_mib, 1),
                )
            )
            sys.stderr.write(f"{found[-1]}\n")
    rows = ",\n".join(json.dumps(asdict(one)) for one in found)
    write_text_atomically(RUNS, f"[\n{rows}\n]\n")


def read_runs() -> list[PartRun]:
    """The committed runs."""
    return [PartRun(**row) for row in json.loads(RUNS.read_text())]


def _rule(part: Part) -> Predicted:
    return Predicted(
        program=part.service, memory_mib=part.memory_mib, rule=part.division, environment=part.environment,
        fits=1.0, killed=0.0, gc_cpu=part.gc_cpu,
    )  # fmt: skip
