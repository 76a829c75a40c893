"""Under limits for a minute: what start-up leaves scattered goes, and what is predicted is what is left."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.capture import MAX_FOREIGN_CPU, RunPlan, load_run
from experiments.validation.matrix import LONG_CAPTURES, LONG_SECONDS, long_plans
from experiments.validation.observations import captured_plans
from experiments.validation.study import Row
from experiments.validation.summary import first_run, groups
from experiments.validation.tables import SHORT_NAMES, Lines, amount_cell, setting_cell, table
from gcsim.calibration.validation import observed_metrics
from gcsim.gctrace import read_gctrace
from gcsim.units import MIB

_SETTLED_SECONDS = 30.0
_METRICS = ("heap_peak_mean_bytes", "gc_rate_hz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """One metric of one minute-long run beside its prediction."""

    short: Row  # the matrix's run at the same setting
    later: float  # what the long run shows after its first seconds

    @property
    def error(self) -> float:
        """Predicted over the long run, less 1."""
        return self.short.predicted / self.later - 1.0

    @property
    def short_error(self) -> float:
        """Predicted over the matrix's run, less 1."""
        return self.short.predicted / self.short.observed - 1.0

    @property
    def inside(self) -> bool:
        """Whether the 90 % interval holds the long run."""
        return self.short.low <= self.later <= self.short.high


def long_run(rows: Sequence[Row]) -> Lines:
    """Predictions under limits against the matrix's short run and against the second half of a long one."""
    body: list[list[str]] = []
    found: list[Settled] = []
    for plan in captured_plans(long_plans(), LONG_CAPTURES):
        limit_mib = None if plan.gomemlimit_bytes is None else plan.gomemlimit_bytes // MIB
        short, later = first_run(rows, plan.label, plan.gogc, limit_mib), _settled(plan)
        if not short or not later:
            continue
        here = [Settled(short=short[metric], later=later[metric]) for metric in _METRICS]
        found += here
        cells = [plan.label, here[0].short.course, setting_cell(plan.gogc, limit_mib)]
        for one in here:
            shown = amount_cell(one.short.metric, one.short.predicted)
            cells += [shown, f"{100 * one.short_error:+.0f} %", f"{100 * one.error:+.0f} %"]
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
        f"{_SETTLED_SECONDS:.0f} s. Median errors: {'; '.join(_by_loop(found))}. A closed loop's pace is the machine's "
        "of the hour; so is what marking costs, and GC CPU is left out.",
        "",
        *table(["program", "loop", "setting", *heads], body),
    ]


def _by_loop(found: Sequence[Settled]) -> list[str]:
    parts = []
    for course, chosen in sorted(groups(found, lambda one: one.short.course).items()):
        for metric in _METRICS:
            part = [one for one in chosen if one.short.metric == metric]
            first = float(np.median([abs(one.short_error) for one in part]))
            then = float(np.median([abs(one.error) for one in part]))
            inside = sum(one.inside for one in part)
            parts.append(
                f"{course} loops, {SHORT_NAMES[metric]}: {100 * first:.1f} % off the short run, {100 * then:.1f} % off "
                f"the long one ({inside} of {len(part)} inside)"
            )
    return parts


def _settled(plan: RunPlan) -> dict[str, float]:
    """Metrics after the first seconds; none where other processes disturbed the run."""
    run = load_run(LONG_CAPTURES / f"{plan.name}.result.json")
    if (run.info.foreign_cpu_fraction or 0.0) > MAX_FOREIGN_CPU:
        return {}
    trace = read_gctrace(run.log)
    late = trace.cycles.start_ns >= int(_SETTLED_SECONDS * 1e9)
    return observed_metrics(trace, trace.cycles.select(late))
