"""The option ``--table`` of commands that simulate several settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import note

if TYPE_CHECKING:
    from gcsim.engine.run import Run

TableOption = Annotated[
    Path | None,
    typer.Option(
        "--table", metavar="FILE", help="Also write the simulated settings to a file: .csv or .parquet."
    ),
]


def check_table_option(table: Path | None) -> None:
    """Raises InputError before the work for a file that cannot be written; None is no file."""
    if table is not None:
        from gcsim.tuning.runs_table import check_table

        check_table(table)


def write_table_option(
    table: Path | None,
    label: str,
    rows: "Sequence[tuple[str, Run]]",
    *,
    more: Mapping[str, Sequence[float]] | None = None,
) -> None:
    """Writes the runs with their labels and a note; None is no file. ``more`` has further columns of numbers."""
    if table is not None:
        from gcsim.tuning.runs_table import write_table

        write_table(table, label, rows, more=more)
        note(f"wrote {table}")
