"""How commands talk: documents to standard output, everything else to standard error."""

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from gcsim.metrics import Estimate

_WIDEST_TABLE = 1000  # figures are never cut off: a narrow terminal wraps the line
_WIDTH_OF_A_FILE = 120  # columns of prose where standard output is no terminal


def emit(text: str) -> None:
    """Write to standard output.

    When the reader has gone (``| head``) the rest is dropped in silence: the work still finishes.
    """
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())


def emit_json(document: object) -> None:
    """Print one JSON document; a figure that does not exist is null, never NaN."""
    emit(to_json_text(document))


def to_json_text(document: object) -> str:
    """The document as indented JSON."""
    return json.dumps(_without_nan(document), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def note(text: str) -> None:
    """One line on standard error."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except BrokenPipeError:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stderr.fileno())


def note_written(folder: Path, paths: Sequence[Path]) -> None:
    """The files written into a folder, on standard error; a figure's two formats as one name."""
    names: dict[str, list[str]] = {}
    for path in paths:
        names.setdefault(path.stem, []).append(path.suffix[1:])
    files = ", ".join(f"{stem}.{'|'.join(kinds)}" for stem, kinds in names.items())
    note(f"wrote to {folder}: {files}")


def emit_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str | None = None) -> None:
    """A table on standard output: first column to the left, figures to the right."""
    table = Table(box=None, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(file=sys.stdout, width=_WIDEST_TABLE)
    with console.capture() as captured:
        console.print(table)
    emit("\n".join(line.rstrip() for line in captured.get().splitlines()))


def emit_rich(renderable: RenderableType) -> None:
    """What rich can draw, on standard output: plain and of a fixed width where that is no terminal."""
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDTH_OF_A_FILE)
    with console.capture() as captured:
        console.print(renderable)
    emit("\n".join(line.rstrip() for line in captured.get().splitlines()))


def emit_estimates(metrics: Mapping[str, "Estimate"]) -> None:
    """Predicted metrics as a table: median and 90 % interval, in the unit that suits each."""
    from gcsim.report.text import METRIC_LABELS, format_metric

    rows = [
        [
            METRIC_LABELS.get(name, name),
            *(format_metric(name, x) for x in (found.value, found.low, found.high)),
        ]
        for name, found in metrics.items()
    ]
    emit_table(["", "predicted", "5 %", "95 %"], rows)


@contextmanager
def progress_bar(what: str) -> Iterator[Any]:
    """A callback ``(finished, total)`` that draws a bar on standard error where that is a terminal."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task(what, total=None)
        yield lambda finished, total: bar.update(task, completed=finished, total=total)


def _without_nan(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value
