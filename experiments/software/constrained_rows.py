"""The rows of the study of ``constrained.py``: each answer with its run, and each prediction of the grid."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.capture import is_captured, load_run
from experiments.software.cases import Case
from experiments.software.constrained import (
    FACTORS,
    P50,
    P99,
    WALL,
    answer_key,
    cases,
    grid_of,
    kind,
    observed_seconds,
    stored,
    today_of,
)
from experiments.software.matrix import PROCS, plan_of
from experiments.software.regret import BUDGETS, SPEED_KEPT, is_near_best, observed_grid, usual_speed
from experiments.software.study import SOURCES
from experiments.software.study import Row as StudyRow
from gcsim.units import MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One answer and its run. Sizes in MiB, GC CPU as a share; NaN where nothing was measured."""

    label: str
    split: str
    is_job: bool
    budget: str
    budget_mib: int
    factor: float  # of the bound over today's figure
    bound_seconds: float  # on p99 of requests, or on the wall time of a job
    answered: bool  # recommend named a setting; else the nearest miss follows
    gogc: int | None
    limit_mib: int | None
    probability: float  # that a run keeps the bound
    predicted_seconds: float
    low_seconds: float
    high_seconds: float
    observed_seconds: float
    today_seconds: float  # of a run at today's setting in the same hour, without a limit of the container
    memory_kept: bool
    reason: str  # why the budget was not kept
    gc_cpu_fraction: float
    best_gogc: int | None  # of the grid's settings that fit and keep the bound for real
    best_limit_mib: int | None
    best_gc_cpu_fraction: float  # NaN without such a setting

    @property
    def ran(self) -> bool:
        """Whether there is a run."""
        return not math.isnan(self.gc_cpu_fraction)

    @property
    def is_kept(self) -> bool:
        """Whether the run kept the bound."""
        return self.observed_seconds <= self.bound_seconds

    @property
    def regret(self) -> float:
        """GC CPU above the best that fits and keeps the bound, as a share of the CPU."""
        return self.gc_cpu_fraction - self.best_gc_cpu_fraction

    @property
    def is_near_best(self) -> bool:
        """Whether GC CPU is near that of the best setting."""
        return is_near_best(self.gc_cpu_fraction, self.best_gc_cpu_fraction)


def constrained_rows(out: Path) -> Iterator[Row]:
    """A row for each stored answer."""
    for case in cases(set()):
        observed, today = observed_grid(case, out), today_of(case)
        for budget in BUDGETS:
            for factor in FACTORS[kind(case)]:
                entry = stored().get(answer_key(case, budget, factor))
                if entry is None:
                    continue
                answer, outcome = entry["answer"], entry["outcome"]
                fitting = {
                    setting: one.gc_cpu_fraction
                    for setting, one in observed.items()
                    if one.need_bytes <= answer["memory_mib"] * MIB and one.seconds <= answer["bound_seconds"]
                }
                best = min(fitting, key=lambda one: fitting[one], default=None)
                speed = outcome["answers_hz"] / usual_speed(case, out) if outcome else math.nan
                slow = f"ran at {speed:.0%} of its speed" if speed < SPEED_KEPT else ""
                end = outcome.get("end", "runs")
                limit = answer["settings"]["gomemlimit_bytes"]
                estimate = answer["predicted"] or {}
                yield Row(
                    label=case.label,
                    split=case.split,
                    is_job=case.is_job,
                    budget=budget,
                    budget_mib=answer["memory_mib"],
                    factor=factor,
                    bound_seconds=answer["bound_seconds"],
                    answered=answer["feasible"],
                    gogc=answer["settings"]["gogc"],
                    limit_mib=None if limit is None else limit // MIB,
                    probability=_number(answer["probability"]),
                    predicted_seconds=_number(estimate.get("value")),
                    low_seconds=_number(estimate.get("low")),
                    high_seconds=_number(estimate.get("high")),
                    observed_seconds=observed_seconds(case, outcome) if outcome else math.nan,
                    today_seconds=observed_seconds(case, today) if today else math.nan,
                    memory_kept=end == "runs" and not slow,
                    reason=slow if end == "runs" else end,
                    gc_cpu_fraction=outcome["gc_cpu_fraction"] if outcome else math.nan,
                    best_gogc=None if best is None else best[0],
                    best_limit_mib=None if best is None else best[1],
                    best_gc_cpu_fraction=math.nan if best is None else fitting[best],
                )


def grid_rows(out: Path) -> Iterator[StudyRow]:
    """A row for each prediction of the grid whose run is there."""
    for case in cases(set()):
        for one in grid_of(case):
            first, second = (
                _seconds(case, (one["gogc"], one["limit_mib"]), repeat, out).get(one["metric"], math.nan)
                for repeat in (1, 2)
            )
            if not math.isnan(first):
                yield StudyRow(
                    label=case.label, split=case.split, procs=PROCS, gogc=one["gogc"], limit_mib=one["limit_mib"],
                    repeat=1, source=SOURCES[0], verdict="", metric=one["metric"], cycles=0, observed=first,
                    predicted=one["value"], low=one["low"], high=one["high"], again=second,
                )  # fmt: skip


def _seconds(case: Case, setting: tuple[int | None, int | None], repeat: int, out: Path) -> dict[str, float]:
    """Latencies or wall time of a real run by metric; empty without the run."""
    plan = plan_of(case, setting, PROCS, repeat)
    if not is_captured(plan, out):
        return {}
    run = load_run(out / f"{plan.name}.result.json")
    if case.is_job:
        return {WALL: _number(run.info.wall_seconds)}
    latencies = run.result["latency_seconds"]
    return {P50: float(latencies["p50"]), P99: float(latencies["p99"])}


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
