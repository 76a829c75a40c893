"""Recommended settings of real programs, run inside a container of the budget, against a grid of real settings.

    regret = GC CPU at the recommended setting - lowest GC CPU of the grid's settings that fit

A budget is kept if the kernel kills nothing and the program does its work at 0.7 or more of the speed that it has
outside the container: the machine's own speed changes by up to a third.
"""

import json
import math
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from experiments.capture import CapturedRun, RunPlan, held, is_captured, load_run
from experiments.software.cases import CASE, Case
from experiments.software.contained import ContainedPlan, run_contained
from experiments.software.matrix import PROCS, plan_of
from experiments.software.recommended import calibrated, recommend, reference
from experiments.software.run import SoftwarePlan, capture_software
from experiments.software.study import EMPTY_BYTES, MOST_FOREIGN_CPU
from experiments.validation.observations import Observation, observe
from gcsim.atomic import write_text_atomically
from gcsim.calibration.evidence import evidence_from
from gcsim.calibration.validation import observed_metrics
from gcsim.calibration.window import working_window
from gcsim.capture.info import CaptureInfo
from gcsim.gctrace import read_gctrace
from gcsim.priors.file_pages import FILE_HOT_SHARE_LARGE_READ_AHEAD, KERNEL_BYTES
from gcsim.units import MIB

ANSWERS = "recommendations.json"
LABELS = ("caddy-templates", "tsgo-check", "go-compile", "nats-stream", "rclone-serve", "hugo-build")
#: The budget over the peak of RSS at GOGC=100.
BUDGETS = {"tight": 1.0, "medium": 1.3, "generous": 2.0}
SPEED_KEPT = 0.7
EVIDENCE = ("capture", "bare log")
_MOST_JOB_SECONDS = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One recommendation and its run. Sizes in MiB, CPU as a share; NaN where nothing was measured."""

    label: str
    split: str
    evidence: str
    budget: str
    budget_mib: int
    verdict: str  # of recommend, on memory
    gogc: int | None
    limit_mib: int | None
    answered: bool  # recommend named a setting
    kept: bool
    reason: str  # why the budget was not kept, or why nothing ran
    charged_mib: float  # the highest charge of the container
    speed: float  # over the speed at GOGC=100 outside the container
    gc_cpu_fraction: float  # of a job over the whole job, of a server after its warm-up
    best_gogc: int | None
    best_limit_mib: int | None
    best_gc_cpu_fraction: float  # NaN: no setting of the grid fits

    @property
    def regret(self) -> float:
        """GC CPU above the best that fits, as a share of the CPU; below 0 if the recommendation is better."""
        return self.gc_cpu_fraction - self.best_gc_cpu_fraction

    @property
    def is_near_best(self) -> bool:
        """Whether GC CPU is near that of the best setting."""
        return is_near_best(self.gc_cpu_fraction, self.best_gc_cpu_fraction)


def is_near_best(gc_cpu_fraction: float, best_fraction: float) -> bool:
    """Whether GC CPU is within 10 % or half a point of the best; not if one of both is NaN."""
    return gc_cpu_fraction - best_fraction <= max(0.1 * best_fraction, 0.005)


def grid(case: Case) -> tuple[tuple[int | None, int | None], ...]:
    """Twelve real settings, (GOGC, limit in MiB): the eight of the study and four more."""
    _, moderate, generous = case.limits_mib
    return (*case.settings, (800, None), (35, None), (200, moderate), (400, generous))


def grid_plans(labels: set[str]) -> Iterator[tuple[Case, RunPlan]]:
    """The runs of the grid."""
    for label in LABELS:
        if not labels or label in labels:
            case = CASE[label]
            yield from ((case, plan_of(case, setting, PROCS, 1)) for setting in grid(case))


def capture_regret(labels: set[str], out: Path, lock: Path | None, *, again: bool = False) -> Iterator[str]:
    """Makes the runs of the grid and of all recommendations that are missing; yields a line for each.

    With ``again``, all recommendations are asked for again, and those with another setting than before are run.
    """
    for case, plan in grid_plans(labels):
        if not is_captured(plan, out):
            capture_software(SoftwarePlan(case=case, plan=plan, lock=lock), out)
            yield plan.name
    for label in LABELS:
        if not labels or label in labels:
            for evidence in EVIDENCE:
                for budget in BUDGETS:
                    key = _key(CASE[label], evidence, budget)
                    if again or key not in _answers(out):
                        yield from _recommended(CASE[label], evidence, budget, out, lock)


def _recommended(case: Case, evidence: str, budget: str, out: Path, lock: Path | None) -> Iterator[str]:
    """Asks for a setting and runs the program at it, in a container of the budget; keeps both in one file."""
    key = _key(case, evidence, budget)
    memory = budget_mib(case, budget, out)
    with held(lock), tempfile.TemporaryDirectory() as place:
        model = calibrated(case, evidence, out, Path(place))
        answer = recommend(case, model, memory, out)
    plan, before = plan_for(case, answer), _answers(out).get(key)
    outcome: dict[str, Any] = {}
    if before is not None and before["answer"]["settings"] == answer["settings"]:
        outcome = before["outcome"]
    elif plan is not None:
        with held(lock):
            outcome = contained_outcome(case, plan, memory)
    answers = _answers(out) | {key: {"answer": answer, "outcome": outcome}}
    write_text_atomically(out / ANSWERS, json.dumps(answers, indent=1) + "\n")
    yield f"{case.label}, {evidence}, {budget} ({memory} MiB): {plan and plan.name} {outcome.get('end', '')}"


def contained_outcome(case: Case, plan: RunPlan, memory_mib: int | None) -> dict[str, Any]:
    """The outcome of one run in a container of this size: ``Contained`` as a record, and its GC CPU."""
    with tempfile.TemporaryDirectory() as place:
        log = Path(place) / "trace.log"
        environment = plan.settings.environment | {"GOMAXPROCS": str(PROCS), "GODEBUG": "gctrace=1"}
        contained = ContainedPlan(
            case=case, environment=environment, limit_bytes=None if memory_mib is None else memory_mib * MIB, log=log,
            seconds=_MOST_JOB_SECONDS if case.is_job else case.load_seconds,
        )  # fmt: skip
        run = run_contained(contained)
        job_seconds = 1.0 / run.answers_hz if case.is_job and run.answers_hz > 0 else None
        return asdict(run) | {"gc_cpu_fraction": gc_cpu_fraction(log, job_seconds=job_seconds)}


def gc_cpu_fraction(log: Path, *, job_seconds: float | None) -> float:
    """GC CPU of a run's log: of a job over its whole length, else after the warm-up; NaN for too few cycles."""
    if log.stat().st_size <= EMPTY_BYTES:
        return 0.0 if job_seconds is not None else math.nan
    trace = read_gctrace(log)
    if job_seconds is not None:
        found = observed_metrics(trace, job_seconds=job_seconds) if len(trace.cycles) else {}
        return found.get("gc_cpu_fraction", 0.0)
    cycles = trace.cycles.select(working_window(evidence_from(trace)))
    return observed_metrics(trace, cycles)["gc_cpu_fraction"] if len(cycles) > 1 else math.nan


def _answers(out: Path) -> dict[str, Any]:
    """All recommendations and the outcomes of their runs, by ``_key``."""
    file = out / ANSWERS
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def _key(case: Case, evidence: str, budget: str) -> str:
    return f"{case.label}, {evidence}, {budget}"


def budget_mib(case: Case, budget: str, out: Path) -> int:
    """The memory of the container, MiB."""
    info = load_run(out / f"{reference(case).name}.result.json").info
    assert info.rss_peak_bytes is not None
    return math.ceil(BUDGETS[budget] * info.rss_peak_bytes / MIB)


def plan_for(case: Case, answer: dict[str, Any]) -> RunPlan | None:
    """The run of an answer; None without a setting."""
    if not answer["feasible"]:
        return None
    settings = answer["settings"]
    limit = settings["gomemlimit_bytes"]
    return replace(reference(case), gogc=settings["gogc"], gomemlimit_bytes=limit)


def regret_rows(labels: set[str], out: Path) -> Iterator[Row]:
    """A row for each recommendation whose runs are there."""
    for label in LABELS:
        if labels and label not in labels:
            continue
        case = CASE[label]
        answers = _answers(out)
        observed = observed_grid(case, out)
        for evidence in EVIDENCE:
            for budget in BUDGETS:
                document = answers.get(_key(case, evidence, budget))
                if document is not None:
                    yield _row(case, evidence, budget, document, observed, usual_speed(case, out))


def usual_speed(case: Case, out: Path) -> float:
    """Answers or jobs a second at GOGC=100 outside a container."""
    return float(load_run(out / f"{reference(case).name}.result.json").result["rate"])


@dataclass(frozen=True, slots=True, kw_only=True)
class GridRun:
    """One real setting, run outside a container."""

    gc_cpu_fraction: float  # 0 for a run without a collection
    need_bytes: float  # anonymous, hot file pages and kernel memory
    seconds: float  # p99 of the requests of a server, wall time of a job


def observed_grid(case: Case, out: Path) -> dict[tuple[int | None, int | None], GridRun]:
    """The usable runs of the grid by setting; a server's run of one or two collections shows no GC CPU."""
    found = {}
    for setting in grid(case):
        plan = plan_of(case, setting, PROCS, 1)
        if not is_captured(plan, out):
            continue
        run = load_run(out / f"{plan.name}.result.json")
        if run.log.stat().st_size <= EMPTY_BYTES:
            found[setting] = _grid_run(0.0, run)
            continue
        least = 1 if case.is_job else 2
        one = observe(plan, out, max_foreign_cpu=MOST_FOREIGN_CPU, min_cycles=least, is_job=case.is_job)
        if isinstance(one, Observation):
            found[setting] = _grid_run(one.metrics["gc_cpu_fraction"], run)
    return found


def _grid_run(gc_cpu: float, run: CapturedRun) -> GridRun:
    latencies, wall = run.result.get("latency_seconds"), run.info.wall_seconds or math.nan
    seconds = wall if latencies is None else float(latencies["p99"])
    return GridRun(gc_cpu_fraction=gc_cpu, need_bytes=_need_bytes(run.info), seconds=seconds)


def _need_bytes(info: CaptureInfo) -> float:
    hot = FILE_HOT_SHARE_LARGE_READ_AHEAD.median * (
        (info.file_peak_bytes or 0) + (info.shared_peak_bytes or 0)
    )
    return (info.anonymous_peak_bytes or 0) + hot + KERNEL_BYTES.median


def _row(
    case: Case,
    evidence: str,
    budget: str,
    document: dict[str, Any],
    observed: dict[tuple[int | None, int | None], GridRun],
    usual_hz: float,
) -> Row:
    answer, outcome = document["answer"], document["outcome"]
    memory = int(answer["memory_mib"])
    fitting = {setting: one for setting, one in observed.items() if one.need_bytes <= memory * MIB}
    best = min(fitting, key=lambda one: fitting[one].gc_cpu_fraction, default=None)
    plan = plan_for(case, answer)
    speed = outcome["answers_hz"] / usual_hz if outcome else math.nan
    end = outcome["end"] if outcome else "no setting is recommended"
    slow = f"ran at {speed:.0%} of its speed" if speed < SPEED_KEPT else ""
    return Row(
        label=case.label,
        split=case.split,
        evidence=evidence,
        budget=budget,
        budget_mib=memory,
        verdict=answer["verdicts"]["memory"],
        gogc=None if plan is None else plan.gogc,
        limit_mib=None if plan is None or plan.gomemlimit_bytes is None else plan.gomemlimit_bytes // MIB,
        answered=plan is not None,
        kept=plan is None or (end == "runs" and not slow),
        reason=slow if end == "runs" else end,
        charged_mib=float(outcome["usage_peak_bytes"] or math.nan) / MIB if outcome else math.nan,
        speed=speed,
        gc_cpu_fraction=outcome["gc_cpu_fraction"] if outcome else math.nan,
        best_gogc=None if best is None else best[0],
        best_limit_mib=None if best is None else best[1],
        best_gc_cpu_fraction=math.nan if best is None else fitting[best].gc_cpu_fraction,
    )
