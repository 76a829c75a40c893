"""The predictions of ``gcsim compare`` for the cases of the study."""

import dataclasses
import json

import gcsim
from experiments.rules.study import CASES, PREDICTIONS, SECONDS, Case, Predicted
from gcsim.atomic import write_text_atomically
from gcsim.engine.controllers import Ballast, Controller, ForcedAt, HeapTarget
from gcsim.engine.plan import Plan
from gcsim.tuning.compare import TODAY, compare
from gcsim.units import MIB


def write_predictions() -> None:
    """Replaces the committed predictions by those of today."""
    found = [
        dataclasses.asdict(one)
        for case in CASES
        for memory in case.memory_mib
        for one in predict(case, memory)
    ]
    write_text_atomically(PREDICTIONS, json.dumps(found, indent=1) + "\n")


def predict(case: Case, memory_mib: int) -> list[Predicted]:
    """All rules in one container but today's setting, which is Go's defaults here."""
    model = gcsim.calibrate(case.log, name=case.program).model
    found = compare(model, memory_bytes=memory_mib * MIB, plan=Plan(duration_seconds=SECONDS))
    return [
        Predicted(
            program=case.program,
            memory_mib=memory_mib,
            rule=row.rule.name,
            environment={**row.rule.settings.environment, **_tuner(row.rule.controller)},
            fits=round(row.chances.fits, 4),
            killed=round(row.chances.killed, 4),
            gc_cpu=(round(cpu.value, 5), round(cpu.low, 5), round(cpu.high, 5)),
        )
        for row in found.rows
        if row.rule.name != TODAY
        for cpu in [row.run.metrics["gc_cpu_fraction"]]
    ]


def _tuner(policy: Controller) -> dict[str, str]:
    """The variables that switch a tuner of ``tuners.go`` on."""
    if isinstance(policy, Ballast):
        name, size = "ballast", policy.size_bytes
    elif isinstance(policy, HeapTarget):
        name, size = "heap target", policy.goal_bytes
    elif isinstance(policy, ForcedAt):
        name, size = "forced at", policy.heap_bytes
    else:
        return {}
    return {"GCSIM_RULE": name, "GCSIM_RULE_BYTES": f"{size:.0f}"}
