"""How commands talk: documents to standard output, everything else to standard error."""

import errno
import json
import math
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rich.console import Console, RenderableType
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from gcsim.printable import printable, printable_json, printable_lines

if TYPE_CHECKING:
    from gcsim.metrics import Estimate

_WIDEST_TABLE = 1000  # figures are never cut off: a narrow terminal wraps the line
_WIDTH_OF_A_TABLE_IN_A_FILE = 120  # columns of wrapped tables where standard output is no terminal
_WIDTH_OF_A_FILE = 80  # columns of prose there
_NARROWEST, _WIDEST_PROSE = 40, 100

_lost_output: OSError | None = None  # why standard output has not taken a document


def terminal_width() -> int:
    """Columns of the terminal that standard output goes to; 80 where it goes to none."""
    if sys.stdout is None or not sys.stdout.isatty():
        return _WIDTH_OF_A_FILE
    return max(shutil.get_terminal_size((_WIDTH_OF_A_FILE, 24)).columns, _NARROWEST)


def wrap(text: str, *, indent: str = "") -> str:
    """Prose in lines that fit the terminal, of 100 columns at most; ``indent`` starts every line but the first."""
    return textwrap.fill(
        text,
        width=min(terminal_width(), _WIDEST_PROSE),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def emit(text: str) -> None:
    """Write to standard output, control characters escaped.

    The work goes on whatever becomes of the text. When the reader has gone (``| head``) the rest is dropped in
    silence; where the text cannot be written ``lost_output`` says why.
    """
    _write(printable_lines(text))


def emit_json(document: object) -> None:
    """Print one JSON document; a figure that does not exist is null, never NaN."""
    _write(to_json_text(document))


def to_json_text(document: object) -> str:
    """The document as indented JSON."""
    text = json.dumps(_without_nan(document), indent=2, allow_nan=False, ensure_ascii=False)
    return printable_json(text) + "\n"


def note(text: str) -> None:
    """One line on standard error, control characters and line ends escaped; lost where it cannot be written."""
    try:
        sys.stderr.write(printable(text) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        _abandon(sys.stderr)


def lost_output() -> OSError | None:
    """Why a document could not be written to standard output, then forgotten; None where all were."""
    global _lost_output
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        _drop(error)
    found, _lost_output = _lost_output, None
    return found


def _write(text: str) -> None:
    if sys.stdout is None:
        _drop(OSError(errno.EBADF, os.strerror(errno.EBADF)))
        return
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except OSError as error:
        _drop(error)


def _drop(error: OSError) -> None:
    global _lost_output
    if not isinstance(error, BrokenPipeError):
        _lost_output = error
    _abandon(sys.stdout)


def _abandon(stream: TextIO | None) -> None:
    """Sends the rest of a stream to nowhere: what is left in its buffer must not fail again when Python ends."""
    try:
        if stream is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):  # a stream without a descriptor
        return


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
        table.add_row(*(Text(printable(cell)) for cell in row))
    _emit_drawn(table, _WIDEST_TABLE)


def emit_rich(renderable: RenderableType) -> None:
    """What rich can draw, on standard output: plain and of a fixed width where that is no terminal."""
    in_a_terminal = sys.stdout is not None and sys.stdout.isatty()
    _emit_drawn(renderable, terminal_width() if in_a_terminal else _WIDTH_OF_A_TABLE_IN_A_FILE)


def _emit_drawn(renderable: RenderableType, width: int) -> None:
    """Draws for the terminal; only rich's own control sequences reach it."""
    console = Console(file=sys.stdout, width=width)
    drawn = [
        piece if piece.control else Segment(printable_lines(piece.text), piece.style)
        for piece in console.render(renderable)
    ]
    with console.capture() as captured:
        console.print(Segments(drawn), end="")
    _write("\n".join(line.rstrip() for line in captured.get().split("\n")).rstrip("\n"))


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
    emit_table(["", "predicted", "5th percentile", "95th percentile"], rows)


def _without_nan(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value
