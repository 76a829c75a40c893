"""Under limits for a minute: what start-up leaves scattered goes, and what is predicted is what is left."""

from collections.abc import Sequence

import numpy as np

from experiments.capture import RunPlan, load_run
from experiments.validation.matrix import LONG_CAPTURES, LONG_SECONDS, MAIN_PROCS, long_plans
from experiments.validation.observations import captured_plans
from experiments.validation.study import Row
from experiments.validation.tables import SHORT_NAMES, Lines, amount_cell, setting_cell, table
from gcsim.calibration.validation import observed_metrics
from gcsim.gctrace import read_gctrace
from gcsim.units import MIB

_SETTLED_SECONDS = 30.0
_METRICS = ("heap_peak_mean_bytes", "gc_rate_hz")


def long_run(rows: Sequence[Row]) -> Lines:
    """Predictions under limits against the matrix's short run and against the second half of a long one."""
    body: list[list[str]] = []
    errors: dict[str, list[tuple[float, float, bool]]] = {metric: [] for metric in _METRICS}
    for plan in captured_plans(long_plans(), LONG_CAPTURES):
        short, later = _predictions(rows, plan), _settled(plan)
        if not short:
            continue
        cells = [plan.label, setting_cell(plan.gogc, _limit_mib(plan))]
        for metric in _METRICS:
            row = short[metric]
            errors[metric].append((
                row.predicted / row.observed - 1.0, row.predicted / later[metric] - 1.0,
                row.low <= later[metric] <= row.high,
            ))  # fmt: skip
            first, then, _ = errors[metric][-1]
            cells += [amount_cell(metric, row.predicted), f"{100 * first:+.0f} %", f"{100 * then:+.0f} %"]
        body.append(cells)
    if not body:
        return []
    heads = [
        head for metric in _METRICS for head in (SHORT_NAMES[metric], "against 10 s", "against the long run")
    ]
    return [
        "## Under limits, in the long run",
        "",
        "A run of ten seconds under a limit still shows its start-up: while the live heap was built, no collection "
        "came before the limit, and what lives lies scattered over spans that are not full. They fill, or die, in the "
        f"course of seconds to minutes. The held-out programs were run once more for {LONG_SECONDS:.0f} s; beside each "
        "prediction, by how much it is off the matrix's run, and off what this one does after its first "
        f"{_SETTLED_SECONDS:.0f} s. {_sentence(errors)} Closed loops' cycle rates (fleet, crawler, btree) and GC CPU, "
        "which is left out, tell the machine's hour more than start-up: neighbours were quiet then, and marking took "
        "down to half of the CPU per cycle that it took in the matrix's runs.",
        "",
        *table(["program", "setting", *heads], body),
    ]


def _sentence(errors: dict[str, list[tuple[float, float, bool]]]) -> str:
    parts = []
    for metric, found in errors.items():
        first, then = (np.median(np.abs([one[k] for one in found])) for k in (0, 1))
        inside = sum(one[2] for one in found)
        parts.append(
            f"{SHORT_NAMES[metric]} {100 * first:.1f} and {100 * then:.1f} % ({inside} of {len(found)} inside)"
        )
    return f"Median errors: {', '.join(parts)}."


def _limit_mib(plan: RunPlan) -> int | None:
    return None if plan.gomemlimit_bytes is None else plan.gomemlimit_bytes // MIB


def _predictions(rows: Sequence[Row], plan: RunPlan) -> dict[str, Row]:
    """The matrix's first run at the same setting, metric by metric."""
    go = plan.go_version.rsplit(".", 1)[0]
    run = (plan.label, go, MAIN_PROCS, plan.gogc, _limit_mib(plan), 1)
    return {row.metric: row for row in rows if row.run == run}


def _settled(plan: RunPlan) -> dict[str, float]:
    run = load_run(LONG_CAPTURES / f"{plan.name}.result.json")
    trace = read_gctrace(run.log)
    late = trace.cycles.start_ns >= int(_SETTLED_SECONDS * 1e9)
    return observed_metrics(trace, trace.cycles.select(late))
