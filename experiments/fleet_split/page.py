"""The table of predicted and observed divisions in docs/how-to/divide-a-node.md."""

import statistics
from pathlib import Path

from experiments.fleet_split.divisions import SERVICES, read_divisions
from experiments.fleet_split.runs import PartRun, read_runs
from experiments.tables import replace_table
from gcsim.units import format_number, format_percent

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "divide-a-node.md"
_PROCS = 2  # of each run


def write_page(*, check: bool) -> bool:
    """Whether the page differs from the committed files; without ``check`` it is replaced."""
    return replace_table(PAGE, "fleet_split", f"{page_text()}\n", check=check)


def page_text() -> str:
    """The parts of every division, and GC cores predicted and observed."""
    runs = read_runs()
    head = [
        "division",
        *(f"{service}: MiB, GOGC, GOMEMLIMIT, GC CPU" for service in SERVICES),
        "GC cores",
        "observed",
    ]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    parts = read_divisions()
    for division in dict.fromkeys(part.division for part in parts):
        own = [part for part in parts if part.division == division]
        cells = []
        for part in own:
            found = _of(runs, division, part.service)
            knobs = f"{part.environment['GOGC']}, {part.environment['GOMEMLIMIT']}"
            shares = ", ".join(format_percent(value, 2) for value in found)
            cells.append(f"{part.memory_mib}, {knobs}, {format_percent(part.gc_cpu[0], 2)} ({shares})")
        observed = sum(_PROCS * statistics.fmean(_of(runs, division, part.service)) for part in own)
        cells += [format_number(sum(part.cores for part in own), 2), format_number(observed, 2)]
        lines.append(f"| {division} | {' | '.join(cells)} |")
    kept = sum(one.end == "kept" for one in runs)
    return "\n".join([*lines, "", f"{kept} of {len(runs)} runs kept their container."])


def _of(runs: list[PartRun], division: str, service: str) -> list[float]:
    return [
        one.gc_cpu_fraction
        for one in runs
        if (one.division, one.service) == (division, service) and one.gc_cpu_fraction is not None
    ]
