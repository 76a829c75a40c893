"""The predictions of ``gcsim compare`` for the cases of the study."""

from collections.abc import Sequence

from experiments.rules.real import REAL_CASES, RealCase
from experiments.rules.study import (
    CASES,
    PREDICTIONS,
    Case,
    Predicted,
    read_predictions,
    rounded_estimate,
    write_rows,
)
from gcsim.engine.controllers import Ballast, Controller, ForcedAt, HeapTarget
from gcsim.tuning.compare import TODAY, compare
from gcsim.units import MIB

RuleCase = Case | RealCase
ALL_CASES: tuple[RuleCase, ...] = (*CASES, *REAL_CASES)


def write_predictions(cases: Sequence[RuleCase], memory_mib: int | None) -> None:
    """Replaces the committed predictions of the cases by those of today; in one container, or in all."""
    for case in cases:
        for memory in case.memory_mib:
            if memory_mib in (None, memory):
                key = case.program, memory
                others = [one for one in read_predictions() if (one.program, one.memory_mib) != key]
                write_rows([*others, *predict(case, memory)], PREDICTIONS)


def predict(case: RuleCase, memory_mib: int) -> list[Predicted]:
    """The rules that the program can run under, but today's setting, which is Go's defaults here."""
    found = compare(case.model(), memory_bytes=memory_mib * MIB, plan=case.simulated())
    return [
        Predicted(
            program=case.program,
            memory_mib=memory_mib,
            rule=row.rule.name,
            environment={**row.rule.settings.environment, **_tuner(row.rule.controller)},
            fits=round(row.chances.fits, 4),
            killed=round(row.chances.killed, 4),
            gc_cpu=rounded_estimate(row.run.metrics["gc_cpu_fraction"], 1.0),
            anonymous_mib=rounded_estimate(row.run.metrics["anonymous_peak_bytes"], MIB),
            speed=round(row.run.metrics["throughput_ratio"].value, 4),
        )
        for row in found.rows
        if row.rule.name != TODAY and case.applies(row.rule)
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
