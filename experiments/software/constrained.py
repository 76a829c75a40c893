"""Recommended settings with a bound on latency or on the time of a job, run for real in a container of the budget.

    bound of a server = factor x p99 of its requests at GOGC=100
    bound of a job    = factor x its wall time at GOGC=100

Bounds are rounded up to two digits. The model of a server has the requests of one load test, that of the run at
GOGC=100. The lower factor of each kind is near today's figure. The higher one is the smallest of 1.25, 1.5 and 2 that
the model's error at the calibrated setting can promise with 95 %.

python -m experiments.software.constrained ask [LABEL ...]    write the answers and the predictions of the grid
python -m experiments.software.constrained run [LABEL ...]    run the answers that have no outcome yet (root),
                                                              and write their tables and the page
"""

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.capture import held, load_run
from experiments.software.cases import CASE, Case
from experiments.software.matrix import CAPTURES, PROCS, plan_of
from experiments.software.recommended import calibrated, recommend, reference
from experiments.software.regret import (
    BUDGETS,
    LABELS,
    budget_mib,
    contained_outcome,
    grid,
    plan_for,
)
from gcsim.atomic import write_text_atomically
from gcsim.engine.simulate import simulate
from gcsim.service.model import Model

ANSWERS = Path(__file__).parent / "constrained.json"
FACTORS = {"server": (1.5, 2.0), "job": (1.25, 1.5)}
P50, P99, WALL = "request_p50_seconds", "request_p99_seconds", "job_wall_seconds"
_GRID, _TODAY = "grid", "today"  # keys of the grid's predictions, and of runs at today's setting
_REPLICAS = 12


def ask(labels: set[str], out: Path) -> Iterator[str]:
    """Writes the answers and the predictions that are missing; yields a line for each."""
    for case in cases(labels):
        with tempfile.TemporaryDirectory() as place:
            model = calibrated(case, "capture", out, Path(place), with_requests=not case.is_job)
            for budget in BUDGETS:
                for factor in FACTORS[kind(case)]:
                    key = answer_key(case, budget, factor)
                    if key not in stored():
                        answer = _answer(case, model, budget, factor, out)
                        _store({key: {"answer": answer, "outcome": {}}})
                        yield f"{key}: {answer['feasible']} {answer['settings']}"
            if not grid_of(case):
                _store({_GRID: {case.label: _predicted(case, Model.load(model))}})
                yield f"{case.label}: grid"


def _answer(case: Case, model: Path, budget: str, factor: float, out: Path) -> dict[str, Any]:
    bound, metric = bound_seconds(case, factor, out), _metric(case)
    option = "--max-job-time" if case.is_job else "--max-request-p99"
    memory = budget_mib(case, budget, out)
    found = recommend(case, model, memory, out, options=[option, f"{bound:g}s"], more=("margins", "metrics"))
    margin = next((one for one in found.pop("margins") if one["metric"] == metric), None)
    estimate = found.pop("metrics").get(metric)
    kept = {key: found[key] for key in ("memory_mib", "feasible", "settings", "verdicts")}
    return kept | {
        "bound_seconds": bound,
        "probability": None if margin is None else margin["probability"]["value"],
        "predicted": estimate,
    }


def bound_seconds(case: Case, factor: float, out: Path) -> float:
    """The bound by the rule of this module."""
    run = load_run(out / f"{reference(case).name}.result.json")
    today = (
        (run.info.wall_seconds or math.nan) if case.is_job else float(run.result["latency_seconds"]["p99"])
    )
    unit = 10.0 ** (math.floor(math.log10(factor * today)) - 1)
    return float(f"{math.ceil(factor * today / unit) * unit:.6g}")


def _predicted(case: Case, model: Model) -> list[dict[str, Any]]:
    """The predictions of the grid's settings."""
    settings = [plan_of(case, one, PROCS, 1).settings for one in grid(case)]
    if case.is_job:
        runs = simulate(model, settings, replicas=_REPLICAS)
    else:
        runs = simulate(model, settings, engine="des", length="needed", replicas=_REPLICAS)
    metrics = (WALL,) if case.is_job else (P50, P99)
    return [
        {"gogc": gogc, "limit_mib": limit, "metric": metric} | run.metrics[metric].to_json()
        for (gogc, limit), run in zip(grid(case), runs, strict=True)
        for metric in metrics
    ]


def run_answers(labels: set[str], _: Path) -> Iterator[str]:
    """Runs today's setting and the answers without an outcome; answers with one setting and container share a run."""
    for case in cases(labels):
        if not today_of(case):
            outcome = contained_outcome(case, reference(case), None)
            _store({_TODAY: {case.label: outcome}})
            yield f"{case.label}, today: {observed_seconds(case, outcome):.4g} s"
        for budget in BUDGETS:
            keys = [answer_key(case, budget, factor) for factor in FACTORS[kind(case)]]
            made: dict[str, dict[str, Any]] = {}
            for key in keys:
                entry = stored().get(key)
                plan = None if entry is None or entry["outcome"] else plan_for(case, entry["answer"])
                if entry is None or plan is None:
                    continue
                if plan.name not in made:
                    made[plan.name] = contained_outcome(case, plan, entry["answer"]["memory_mib"])
                _store({key: entry | {"outcome": made[plan.name]}})
                seconds = observed_seconds(case, made[plan.name])
                yield f"{key}: {plan.name} {made[plan.name]['end']} {seconds:.4g} s"


def observed_seconds(case: Case, outcome: dict[str, Any]) -> float:
    """p99 of the requests, or the wall time of the job; infinite where the program did not do its work."""
    if outcome["end"] != "runs":
        return math.inf
    return float(1.0 / outcome["answers_hz"] if case.is_job else outcome["p99_seconds"])


def cases(labels: set[str]) -> Iterator[Case]:
    """The cases with these labels, or all."""
    return (CASE[label] for label in LABELS if not labels or label in labels)


def kind(case: Case) -> str:
    """The key of FACTORS."""
    return "job" if case.is_job else "server"


def _metric(case: Case) -> str:
    return WALL if case.is_job else P99


def answer_key(case: Case, budget: str, factor: float) -> str:
    """The key of an answer in the file."""
    return f"{case.label}, {budget}, {factor:g}"


def stored() -> dict[str, Any]:
    """The file: answers with their outcomes by key, predictions of the grid, runs at today's setting."""
    return dict(json.loads(ANSWERS.read_text(encoding="utf-8"))) if ANSWERS.exists() else {}


def _store(more: dict[str, Any]) -> None:
    """Adds keys to the file; the entries of a key that holds a table by label are added to it."""
    with held(Path(tempfile.gettempdir()) / "gcsim-constrained.lock"):
        known = stored()
        for name in (_GRID, _TODAY):
            if name in more:
                more = more | {name: known.get(name, {}) | more[name]}
        write_text_atomically(ANSWERS, json.dumps(known | more, indent=1) + "\n")


def grid_of(case: Case) -> list[dict[str, Any]]:
    """The stored predictions of the grid's settings."""
    return list(stored().get(_GRID, {}).get(case.label, []))


def today_of(case: Case) -> dict[str, Any]:
    """The stored run at today's setting without a limit of the container, made in the hour of the others."""
    return dict(stored().get(_TODAY, {}).get(case.label, {}))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m experiments.software.constrained")
    parser.add_argument("command", choices=["ask", "run"])
    parser.add_argument("labels", nargs="*", help="cases; all without")
    options = parser.parse_args()
    act = ask if options.command == "ask" else run_answers
    for line in act(set(options.labels), CAPTURES):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    if options.command == "run":
        from experiments.software.constrained_rows import constrained_rows, grid_rows
        from experiments.software.page import PAGE, software_page
        from experiments.software.results import FOLDER, load, load_constrained, load_regret, save_constrained

        save_constrained(constrained_rows(CAPTURES), grid_rows(CAPTURES), FOLDER)
        page = software_page(load(FOLDER), load_regret(FOLDER), *load_constrained(FOLDER))
        write_text_atomically(PAGE, page)


if __name__ == "__main__":
    main()
