"""Cells of ``sweep.csv``."""

from collections.abc import Sequence

from gcsim.engine.run import Run
from gcsim.settings import Settings
from gcsim.units import format_go_bytes, format_gogc


def knob_cells(settings: Settings) -> list[str]:
    """The setting as Go spells it."""
    limit = format_go_bytes(settings.gomemlimit_bytes)
    return [format_gogc(settings.gogc), limit, str(settings.gomaxprocs), settings.go]


def as_text(cell: str) -> str:
    """The cell, quoted if a spreadsheet would read it as a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell


def figure_cells(run: Run, names: Sequence[str]) -> list[str]:
    """Value, low and high of each metric; empty cells for a metric that the run lacks."""
    cells: list[str] = []
    for name in names:
        found = run.metrics.get(name)
        cells.extend(
            ["", "", ""] if found is None else [f"{x:.9g}" for x in (found.value, found.low, found.high)]
        )
    return cells
