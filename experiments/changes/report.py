"""Predictions of the changed programs next to their real runs.

python -m experiments.changes.report collect --runs DIR    keep the figures of the runs in DIR
python -m experiments.changes.report page [--check]        the table of docs/explanation/program-changes.md
python -m experiments.changes.report rows                  every prediction and observation
"""

import argparse
import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from experiments.changes.matrix import GOGCS, GOS, PROGRAMS, Program
from experiments.changes.results import Observed, captures_of, collect, load, means, sites_of
from experiments.tables import replace_table
from gcsim.api import calibrate_logs
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.engine.plan import Plan
from gcsim.gctrace import read_gctrace
from gcsim.metrics import Estimate
from gcsim.service.model import Model
from gcsim.service.objects.site_names import named_site
from gcsim.tuning.changes import Changes
from gcsim.tuning.program_changes import ProgramChange, SiteChange, SiteChangeKind
from gcsim.tuning.whatif import what_if

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "program-changes.md"
KINDS: dict[str, SiteChangeKind] = {"pool": "pool", "prealloc": "preallocate", "stack": "stack"}
#: figure: (its name in the table, the error that was aimed at)
FIGURES = {
    "allocation": ("allocation", 0.05),
    "gc_rate_hz": ("GC cycles per second", 0.08),
    "gc_cpu_fraction": ("GC CPU", 0.15),
    "heap_peak_bytes": ("heap peak", 0.05),
}
_REPLICAS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One run with its prediction."""

    observed: Observed
    predicted: dict[str, Estimate]  # by figure
    stated: bool = False  # whether the prediction knows the size of the slices

    def error(self, figure: str) -> float:
        """(predicted - observed) / observed."""
        return self.predicted[figure].value / float(getattr(self.observed, figure)) - 1.0

    def is_inside(self, figure: str) -> bool:
        """Whether the 90 % interval holds the observed figure."""
        return self.predicted[figure].contains(float(getattr(self.observed, figure)))


@cache
def model_of(program: Program, go: str) -> Model:
    """The model of the unchanged program, from its captures at GOGC=100."""
    logs = {str(log): read_gctrace(log) for log in captures_of(program, go)}
    return calibrate_logs(logs, name=program.name, overrides=Overrides(loop="open"), fit_check=False).model


def predicted(program: Program, one: Observed, *, stated: bool) -> dict[str, Estimate]:
    """The figures of a changed program as ``gcsim whatif`` predicts them; ``stated``: with the size of the slices."""
    model = model_of(program, one.go)
    change = None
    if one.change != "base":
        sites = sites_of(program, one.go)
        kind = KINDS[one.change]
        name = program.site(one.change)
        asked = SiteChange(
            kind=kind,
            name=name,
            site=named_site(sites, name, f"--{kind}"),
            capacity_bytes=float(program.array_bytes) if stated else None,
        )
        change = ProgramChange(sites=sites, changes=(asked,))
        change.check()
    settings = replace(model.settings, gogc=one.gogc)
    plan = Plan(duration_seconds=one.load_seconds, replicas=_REPLICAS)
    found = what_if(model, settings, Changes(program=change), plan=plan)
    return {
        "allocation": found.allocation[1],
        **{name: found.after.metrics[name] for name in list(FIGURES)[1:]},
    }


def compare() -> list[Compared]:
    """Every kept run with its prediction; those of slices also with a prediction that knows their size."""
    by_name = {program.name: program for program in PROGRAMS}
    return [
        Compared(observed=one, predicted=predicted(by_name[one.program], one, stated=stated), stated=stated)
        for one in means(load())
        for stated in ((False, True) if one.change == "prealloc" else (False,))
    ]


def tables(rows: Sequence[Compared]) -> str:
    """The summary by figure, and the errors of each program, change and version at the three GOGC."""
    changed = [row for row in rows if row.observed.change != "base" and not row.stated]
    lines = [
        "| figure | aimed at | runs within the aim | median error | 90th percentile | inside the 90 % interval |",
        "|---|---|---|---|---|---|",
    ]
    for figure, (label, aim) in FIGURES.items():
        errors = sorted(abs(row.error(figure)) for row in changed)
        within = sum(error <= aim for error in errors)
        inside = sum(row.is_inside(figure) for row in changed)
        lines.append(
            f"| {label} | {100 * aim:.0f} % | {within} of {len(errors)} | {_percent(_quantile(errors, 0.5))} |"
            f" {_percent(_quantile(errors, 0.9))} | {inside} of {len(errors)} |"
        )
    lines += ["", *_by_program(changed), ""]
    head = " | ".join(label for label, _ in FIGURES.values())
    lines += [f"| program | change | Go | {head} |", "|---|---|---|" + "---|" * len(FIGURES)]
    cells: dict[tuple[str, str, str, bool], dict[int, Compared]] = defaultdict(dict)
    for row in rows:
        one = row.observed
        cells[one.program, one.change, one.go, row.stated][one.gogc] = row
    for program in PROGRAMS:
        for change, stated in (("base", False), *_ROWS):
            for go in GOS:
                found = cells.get((program.name, change, go, stated))
                if found:
                    shown = " | ".join(_cell(found, figure) for figure in FIGURES)
                    lines.append(f"| {program.name} | {_NAMES[change, stated]} | {go} | {shown} |")
    return "\n".join(lines)


def _by_program(changed: Sequence[Compared]) -> list[str]:
    """The runs within the aim of each program."""
    lines = [
        f"| runs within the aim | {' | '.join(label for label, _ in FIGURES.values())} |",
        "|---|" + "---|" * len(FIGURES),
    ]
    for program in PROGRAMS:
        own = [row for row in changed if row.observed.program == program.name]
        within = [sum(abs(row.error(figure)) <= aim for row in own) for figure, (_, aim) in FIGURES.items()]
        if own:
            lines.append(f"| {program.name} | {' | '.join(f'{one} of {len(own)}' for one in within)} |")
    return lines


_NAMES = {
    ("base", False): "none",
    ("pool", False): "`--pool SITE`",
    ("prealloc", False): "`--preallocate SITE`",
    ("prealloc", True): "`--preallocate SITE=SIZE`",
    ("stack", False): "`--stack SITE`",
}
_ROWS = tuple(_NAMES)[1:]


def _cell(found: dict[int, Compared], figure: str) -> str:
    """The errors at the three GOGC; a dash without a run."""
    aim = FIGURES[figure][1]
    parts = []
    for gogc in GOGCS:
        row = found.get(gogc)
        if row is None:
            parts.append("—")
            continue
        error = row.error(figure)
        text = f"{100 * error:+.0f}"
        parts.append(f"**{text}**" if abs(error) > aim else text)
    return ", ".join(parts)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _quantile(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, math.floor(share * len(values)))] if values else math.nan


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.changes.report", description=__doc__)
    parser.add_argument("step", choices=("collect", "page", "rows"))
    parser.add_argument("--runs", type=Path, help="of collect: the folder of the runs")
    parser.add_argument(
        "--check", action="store_true", help="of page: change nothing, status 1 if it differs"
    )
    options = parser.parse_args(arguments)
    if options.step == "collect":
        print(f"{len(collect(options.runs))} runs")
        return 0
    rows = compare()
    if options.step == "rows":
        for row in rows:
            one = row.observed
            shown = ", ".join(
                f"{figure} {row.predicted[figure].value:.4g}/{getattr(one, figure):.4g}"
                f" ({100 * row.error(figure):+.1f}%{'' if row.is_inside(figure) else ' out'})"
                for figure in FIGURES
            )
            print(
                f"{one.program} {one.change} {one.go} GOGC={one.gogc}: {shown}, foreign {one.foreign_cpu_fraction:.2f}"
            )
        return 0
    differs = replace_table(PAGE, "changes", f"{tables(rows)}\n", check=options.check)
    return 1 if differs and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
