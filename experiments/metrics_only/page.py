"""Writes the tables of docs/explanation/accuracy-metrics.md from real.csv and results.csv; see ``real`` and ``study``.

python -m experiments.metrics_only.page [--check]
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from experiments.metrics_only import real
from experiments.metrics_only.study import METRICS, RESULTS, read_results
from experiments.tables import replace_table

PAGE = Path(__file__).parents[2] / "docs/explanation/accuracy-metrics.md"
_NAMES = dict(zip(METRICS, ("heap peak", "cycle rate", "GC CPU", "RSS"), strict=True))
_SOURCES = ("log", "all metrics", "default metrics")

Row = dict[str, str]


def tables(rows: Sequence[Row]) -> str:
    """The tables of one file of results."""
    return "\n".join(
        [*_summary(rows, "0", "Development programs"), "", *_summary(rows, "1", "Held-out programs"), "",
         *_by_setting(rows)]
    ) + "\n"  # fmt: skip


def by_program(rows: Sequence[Row]) -> str:
    """A table of a few programs: the median error of each."""
    lines = [
        "By program, all settings: median error.",
        "",
        f"| program | calibrated from | {' | '.join(_NAMES.values())} |",
        "|---|---|" + "---|" * len(METRICS),
    ]
    for load in dict.fromkeys(row["load"] for row in rows):
        for source in _SOURCES:
            own = [row for row in rows if row["load"] == load and row["source"] == source]
            cells = (
                f"{100 * np.nanmedian([abs(float(row['error'])) for row in own if row['metric'] == name]):.1f} %"
                for name in METRICS
            )
            lines.append(f"| `{load}` | {source} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _summary(rows: Sequence[Row], held_out: str, title: str) -> Iterator[str]:
    chosen = [row for row in rows if row["held_out"] == held_out]
    programs = len({row["load"] for row in chosen})
    yield f"{title} ({programs} loads): error, median (90th percentile); share of runs inside the 90 % interval."
    yield ""
    yield f"| calibrated from | runs | {' | '.join(_NAMES[name] for name in METRICS)} |"
    yield "|---|---|" + "---|" * len(METRICS)
    for source in _SOURCES:
        own = [row for row in chosen if row["source"] == source]
        runs = len({(row["load"], row["setting"]) for row in own})
        cells = [_cell([row for row in own if row["metric"] == name]) for name in METRICS]
        yield f"| {source} | {runs} | {' | '.join(cells)} |"


def _by_setting(rows: Sequence[Row]) -> Iterator[str]:
    yield "By setting, all loads: median error of heap peak / cycle rate / GC CPU / RSS."
    yield ""
    yield f"| calibrated from | {' | '.join(_LABELS.values())} |"
    yield "|---|" + "---|" * len(_LABELS)
    for source in _SOURCES:
        cells = []
        for start in _LABELS:
            own = [row for row in rows if row["source"] == source and row["setting"].startswith(start)]
            medians = (
                np.nanmedian([abs(float(row["error"])) for row in own if row["metric"] == name])
                for name in METRICS
            )
            cells.append(" / ".join(f"{100 * value:.1f} %" for value in medians))
        yield f"| {source} | {' | '.join(cells)} |"


_LABELS = {
    "GOGC=50": "GOGC=50",
    "GOGC=200": "GOGC=200",
    "GOGC=400": "GOGC=400",
    "limit": "GOGC=off, moderate limit",
}


def _cell(rows: Sequence[Row]) -> str:
    errors = np.array([abs(float(row["error"])) for row in rows])
    errors = errors[np.isfinite(errors)]
    if not errors.size:
        return "—"
    inside = np.mean([int(row["inside"]) for row in rows])
    return f"{100 * np.median(errors):.1f} % ({100 * np.quantile(errors, 0.9):.0f} %); {100 * inside:.0f} %"


def written() -> dict[str, str]:
    """The tables by their names in the page."""
    found = read_results(real.RESULTS)
    return {
        "real scrapes": f"{tables(found)}\n{by_program(found)}",
        "computed scrapes": tables(read_results(RESULTS)),
    }


def main() -> int:
    """The command."""
    check = "--check" in sys.argv[1:]
    differs = [name for name, text in written().items() if replace_table(PAGE, name, text, check=check)]
    if differs and check:
        print(f"{PAGE}: other tables ({', '.join(differs)}); run python -m experiments.metrics_only.page")
    return int(bool(differs) and check)


if __name__ == "__main__":
    sys.exit(main())
