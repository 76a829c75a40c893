"""Progress of long commands on standard error: a bar on a terminal, else a line every five seconds.

Both show the rate and the time left.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gcsim.cli.console import is_quiet, note

if TYPE_CHECKING:
    from rich.progress import Progress

SECONDS_BETWEEN_LINES = 5.0

Report = Callable[[int, int], None]  # finished steps, all steps: settings, unless the command names others


class Pace:
    """The rate of a command, from its first report on: settings that an earlier sweep finished do not count."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self._last = (0.0, 0)

    def count(self, finished: int, seconds: float) -> None:
        """Takes the number of finished settings at a time."""
        if self._first is None:
            self._first = self._last = (seconds, finished)
        elif finished != self._last[1]:
            self._last = (seconds, finished)

    def text(self, total: int) -> str:
        """Rate and time left, such as ``34 /s, 12 s left``; empty before the second report with new settings."""
        if self._first is None:
            return ""
        seconds, done = self._last[0] - self._first[0], self._last[1] - self._first[1]
        if done <= 0 or seconds <= 0:
            return ""
        rate = done / seconds
        return f"{_rounded(rate)} /s, {_rounded((total - self._last[1]) / rate)} s left"


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}"


@contextmanager
def progress(what: str, *, steps: str = "settings") -> Iterator[Report]:
    """A context with a callback ``(finished, total)`` that shows progress; a bar disappears at the end.

    ``steps`` names what is counted.
    """
    if sys.stderr is None or is_quiet():
        yield _ignore
    elif sys.stderr.isatty():
        with _bar() as bar:
            yield _on_bar(bar, what)
    else:
        with _lines(what, steps) as report:
            yield report


def _ignore(_finished: int, _total: int) -> None:
    """Ignores the report, because standard error is closed."""


def _on_bar(bar: "Progress", what: str) -> Report:
    task, pace = bar.add_task(what, total=None, pace=""), Pace()

    def report(finished: int, total: int) -> None:
        pace.count(finished, time.monotonic())
        bar.update(task, completed=finished, total=total, pace=pace.text(total))

    return report


def _bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[pace]}"),
        console=Console(stderr=True),
        transient=True,
    )


@contextmanager
def _lines(what: str, steps: str) -> Iterator[Report]:
    """A callback whose lines come from a thread, because one engine call may last longer than five seconds."""
    began, ended, pace = time.monotonic(), threading.Event(), Pace()
    state = (0, 0)

    def report(finished: int, total: int) -> None:
        nonlocal state
        state = (finished, total)
        pace.count(finished, time.monotonic())

    def write() -> None:
        while not ended.wait(SECONDS_BETWEEN_LINES):
            finished, total = state
            of = f"{finished} of {total} {steps}, " if total else ""
            line = f"{of}{time.monotonic() - began:.0f} s, {pace.text(total)}".removesuffix(", ")
            note(f"gcsim: {what}: {line}")

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield report
    finally:
        ended.set()
        writer.join()
