"""How far a long command is, on standard error: a bar on a terminal, a line every five seconds in other places."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gcsim.cli.console import note

SECONDS_BETWEEN_LINES = 5.0

Report = Callable[[int, int], None]  # settings finished, settings in all


@contextmanager
def progress(what: str) -> Iterator[Report]:
    """A callback ``(finished, total)`` that shows both; nothing is left on a terminal."""
    if sys.stderr is None:
        yield _nowhere
    elif sys.stderr.isatty():
        with _bar() as bar:
            task = bar.add_task(what, total=None)
            yield lambda finished, total: bar.update(task, completed=finished, total=total)
    else:
        with _lines(what) as report:
            yield report


def _nowhere(_finished: int, _total: int) -> None:
    """Reports to nobody: standard error is closed."""


def _bar() -> Progress:
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
    """Lines from a thread of their own: one call of the engine may last longer than the time between two."""
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
