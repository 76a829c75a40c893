"""The tables of docs/explanation/accuracy-changes.md.

python -m experiments.whatif.page [--check]     write the tables; with --check change nothing, status 1 if they differ
python -m experiments.whatif.page --rows        print every prediction and observation
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from experiments.tables import replace_table
from experiments.whatif.matrix import questions
from experiments.whatif.study import METRICS, Row, Study, study
from experiments.whatif.upgrades import upgrade_table, upgrades
from gcsim.metrics import METRIC_LABELS

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "accuracy-changes.md"
_CHANGES = {
    "`--traffic 1.5`": "--traffic ",
    "`--gomaxprocs 1`": "--gomaxprocs 1",
    "`--gomaxprocs 4`": "--gomaxprocs 4",
    "`--go 1.27` from 1.21": "--go ",
}
_SHOWN = METRICS[:-1]  # by program; throughput is a row of the summary


def summary(rows: Sequence[Row]) -> str:
    """Errors and coverage by change and metric."""
    lines = [
        "| change | metric | programs | runs | median error | 90th percentile | inside the 90 % interval"
        ' | median error of the ratio | ratio inside | error of "no change" |',
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, option in _CHANGES.items():
        for metric in METRICS:
            chosen = [row for row in rows if row.option.startswith(option) and row.metric == metric]
            if chosen:
                lines.append(f"| {name} | {_label(metric)} | {_cells(chosen)} |")
    return "\n".join(lines) + "\n"


def _cells(rows: Sequence[Row]) -> str:
    errors = sorted(abs(row.error) for row in rows)
    ratios = [row for row in rows if row.ratio is not None]
    ratio_errors = [abs(_ratio_error(row)) for row in ratios]
    inside = sum(row.is_inside for row in rows)
    ratio_inside = sum(row.ratio is not None and row.ratio.contains(row.observed_ratio) for row in ratios)
    unchanged = median(abs(row.no_change_error) for row in rows)
    return " | ".join(
        [
            str(len({row.program for row in rows})),
            str(len(rows)),
            _percent(median(errors)),
            _percent(errors[min(len(errors) - 1, int(0.9 * len(errors)))]),
            f"{inside} of {len(rows)}",
            _percent(median(ratio_errors)) if ratios else "—",
            f"{ratio_inside} of {len(ratios)}" if ratios else "—",
            _percent(unchanged),
        ]
    )


def _ratio_error(row: Row) -> float:
    assert row.ratio is not None
    return row.ratio.value / row.observed_ratio - 1.0


def by_program(rows: Sequence[Row]) -> str:
    """The errors in percent of each question; bold where the interval does not hold the observed figure."""
    head = " | ".join(_label(metric) for metric in _SHOWN)
    lines = [f"| program | change | {head} |", "|---|---|" + "---|" * len(_SHOWN)]
    found: dict[tuple[str, bool, str], dict[str, Row]] = {}
    for row in rows:
        found.setdefault((row.program, row.held_out, row.option), {})[row.metric] = row
    for (program, held_out, option), cells in found.items():
        shown = " | ".join(_error(cells.get(metric)) for metric in _SHOWN)
        doubt = "" if next(iter(cells.values())).trusted else " †"
        lines.append(f"| {program}{' *' if held_out else ''}{doubt} | `{option}` | {shown} |")
    return "\n".join(lines) + "\n"


def _error(row: Row | None) -> str:
    if row is None:
        return "—"
    text = f"{100 * row.error:+.0f}"
    return text if row.is_inside else f"**{text}**"


def _label(metric: str) -> str:
    return METRIC_LABELS[metric]


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _left_out(found: Study) -> str:
    return "".join(f"- {name}: {reason}\n" for name, reason in found.left_out) or "None.\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.whatif.page", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, status 1 if a table differs")
    parser.add_argument("--rows", action="store_true", help="print every row")
    options = parser.parse_args(arguments)
    found = study(questions())
    if options.rows:
        print(rows_text(found))
        return 0
    tables: dict[str, Callable[[], str]] = {
        "changes-summary": lambda: summary([row for row in found.rows if row.trusted]),
        "changes-programs": lambda: by_program(found.rows),
        "changes-left-out": lambda: _left_out(found),
        "changes-upgrades": lambda: upgrade_table(upgrades()),
    }
    differs = [
        name for name, table in tables.items() if replace_table(PAGE, name, table(), check=options.check)
    ]
    for name in differs:
        print(f"{PAGE.name}: the table {name} {'differs' if options.check else 'is written'}")
    return 1 if differs and options.check else 0


def rows_text(found: Study) -> str:
    """A line for each row."""
    lines = [
        f"{row.program} {row.option} {row.metric}: before {row.before:.4g} after {row.after:.4g} predicted"
        f" {row.predicted.value:.4g} ({row.predicted.low:.4g} to {row.predicted.high:.4g}) {100 * row.error:+.0f} %"
        f"{'' if row.is_inside else ' OUT'}"
        for row in found.rows
    ]
    return "\n".join([*lines, *(f"left out: {name}: {reason}" for name, reason in found.left_out)])


if __name__ == "__main__":
    sys.exit(main())
