"""Output of commands: results on standard output, notes on standard error."""

import errno
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from gcsim.cli.json_text import indented
from gcsim.printable import printable, printable_json, printable_lines

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gcsim.metrics import Estimate
    from gcsim.tuning.limits_reached import LimitReached

_WIDEST_TABLE = 1000  # columns: tables are never cut; a narrow terminal wraps their lines
_WIDTH_OF_A_TABLE_IN_A_FILE = 120  # columns of wrapped tables if standard output is not a terminal
_WIDTH_OF_A_FILE = 80  # columns of sentences if standard output is not a terminal
_NARROWEST, _WIDEST_PROSE = 40, 100

_quiet = False
_lost_output: OSError | None = None  # the error of the last failed write to standard output


def terminal_width() -> int:
    """The width of the terminal on standard output in columns; 80 without a terminal."""
    if sys.stdout is None or not sys.stdout.isatty():
        return _WIDTH_OF_A_FILE
    return max(shutil.get_terminal_size((_WIDTH_OF_A_FILE, 24)).columns, _NARROWEST)


def wrap(text: str, *, indent: str = "") -> str:
    """The text in lines of the terminal's width, at most 100; ``indent`` starts all lines but the first."""
    return textwrap.fill(
        text,
        width=min(terminal_width(), _WIDEST_PROSE),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def emit(text: str) -> None:
    """Writes to standard output, with control characters escaped.

    A failed write does not stop the command. On a closed pipe (``| head``), further output is discarded. After any
    other failure ``lost_output`` returns the error.
    """
    _write(printable_lines(text))


def emit_json(document: object) -> None:
    """Writes one JSON document to standard output; NaN becomes null."""
    _write(to_json_text(document))


def to_json_text(document: object) -> str:
    """The document as indented JSON."""
    return printable_json(indented(document)) + "\n"


def set_quiet(quiet: bool) -> None:
    """Sets whether notes and progress are left out."""
    global _quiet
    _quiet = quiet


def is_quiet() -> bool:
    """Whether notes and progress are left out."""
    return _quiet


def note(text: str, *, always: bool = False) -> None:
    """Writes one line to standard error, with control characters and line ends escaped; ignores failures.

    With ``--quiet`` it writes nothing, except an error, ``always``.
    """
    if _quiet and not always:
        return
    try:
        sys.stderr.write(printable(text) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        _abandon(sys.stderr)


def lost_output() -> OSError | None:
    """The error of a failed write to standard output, or None; the call resets it."""
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
    """Redirects a stream to /dev/null, so that its buffer does not fail again when Python exits."""
    try:
        if stream is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):  # a stream without a descriptor
        return


def note_written(folder: Path, paths: Sequence[Path]) -> None:
    """Notes the files written into a folder, formats of one figure as one name."""
    names: dict[str, list[str]] = {}
    for path in paths:
        names.setdefault(path.stem, []).append(path.suffix[1:])
    files = ", ".join(f"{stem}.{'|'.join(kinds)}" for stem, kinds in names.items())
    note(f"wrote to {folder}: {files}")


def emit_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str | None = None) -> None:
    """Writes a table to standard output, with the first column left-aligned and all others right-aligned."""
    from rich.table import Table  # rich loads when a table is written
    from rich.text import Text

    table = Table(box=None, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    _emit_drawn(table, _WIDEST_TABLE)


def emit_rich(renderable: "RenderableType") -> None:
    """Writes a rich renderable to standard output; plain text of fixed width without a terminal."""
    in_a_terminal = sys.stdout is not None and sys.stdout.isatty()
    _emit_drawn(renderable, terminal_width() if in_a_terminal else _WIDTH_OF_A_TABLE_IN_A_FILE)


def _emit_drawn(renderable: "RenderableType", width: int) -> None:
    """Renders and writes; only rich's own control sequences reach the terminal."""
    from rich.console import Console
    from rich.segment import Segment, Segments

    # NO_COLOR also leaves out bold headings, which rich keeps
    console = Console(
        file=sys.stdout, width=width, color_system=None if os.environ.get("NO_COLOR") else "auto"
    )
    drawn = [
        piece if piece.control else Segment(printable_lines(piece.text), piece.style)
        for piece in console.render(renderable)
    ]
    with console.capture() as captured:
        console.print(Segments(drawn), end="")
    _write("\n".join(line.rstrip() for line in captured.get().split("\n")).rstrip("\n"))


def emit_estimates(metrics: Mapping[str, "Estimate"]) -> None:
    """Writes predicted metrics as a table: median and 90 % interval."""
    from gcsim.metrics import METRIC_LABELS, format_metric

    rows = [
        [
            METRIC_LABELS.get(name, name),
            *(format_metric(name, x) for x in (found.value, found.low, found.high)),
        ]
        for name, found in metrics.items()
    ]
    emit_table(["", "predicted", "5th percentile", "95th percentile"], rows)


def emit_reached(reached: "Sequence[LimitReached]") -> None:
    """Writes when growth reaches a limit, one sentence each; nothing without growth."""
    for one in reached:
        emit("\n" + wrap(one.sentence))
