"""Progress of long commands on standard error: a bar on a terminal, else a line every five seconds."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gcsim.cli.console import note

if TYPE_CHECKING:
    from rich.progress import Progress

SECONDS_BETWEEN_LINES = 5.0

Report = Callable[[int, int], None]  # finished settings, all settings


@contextmanager
def progress(what: str) -> Iterator[Report]:
    """A context with a callback ``(finished, total)`` that shows progress; a bar disappears at the end."""
    if sys.stderr is None:
        yield _ignore
    elif sys.stderr.isatty():
        with _bar() as bar:
            task = bar.add_task(what, total=None)
            yield lambda finished, total: bar.update(task, completed=finished, total=total)
    else:
        with _lines(what) as report:
            yield report


def _ignore(_finished: int, _total: int) -> None:
    """Ignores the report, because standard error is closed."""


def _bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


@contextmanager
def _lines(what: str) -> Iterator[Report]:
    """A callback whose lines come from a thread, because one engine call may last longer than five seconds."""
    began, ended = time.monotonic(), threading.Event()
    state = (0, 0)

    def report(finished: int, total: int) -> None:
        nonlocal state
        state = (finished, total)

    def write() -> None:
        while not ended.wait(SECONDS_BETWEEN_LINES):
            finished, total = state
            of = f"{finished} of {total} settings, " if total else ""
            note(f"gcsim: {what}: {of}{time.monotonic() - began:.0f} s")

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield report
    finally:
        ended.set()
        writer.join()
