"""Signal handling: exceptions for SIGINT and SIGTERM, immediate exit, and blocks that signals do not interrupt."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

INTERRUPTED, TERMINATED = 130, 143  # exit statuses: 128 + signal number, as in shells
_ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_EXIT_NOTES = {INTERRUPTED: b"gcsim: interrupted\n", TERMINATED: b"gcsim: terminated\n"}
_last_status = INTERRUPTED
_IMPORT_SYSTEM = "<frozen importlib._bootstrap>"


class Terminated(BaseException):
    """SIGTERM arrived. Not an Exception and not a KeyboardInterrupt, so that no handler continues the work."""


def install() -> None:
    """Makes SIGINT raise KeyboardInterrupt and SIGTERM raise Terminated, unless the process ignores them.

    During an import, either signal ends the process at once, because libraries convert exceptions there.
    """
    for number, handler in ((signal.SIGINT, _interrupt), (signal.SIGTERM, _terminate)):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)
    sys.unraisablehook = _in_a_finalizer


def ending_status() -> int:
    """The exit status of a command that ends early: TERMINATED if the last signal was SIGTERM, else INTERRUPTED."""
    return _last_status


def ignore() -> None:
    """Makes the process ignore SIGINT and SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def stop(status: int) -> NoReturn:
    """Ends the process at once, with one line on standard error; removes temporary files."""
    ignore()
    atomic = sys.modules.get("gcsim.atomic")
    if atomic is not None and hasattr(atomic, "discard_temporaries"):
        atomic.discard_temporaries()
    with suppress(OSError):
        shown_cursor = b"\x1b[?25h" if os.isatty(2) else b""  # a progress bar hides the cursor
        os.write(2, shown_cursor + _EXIT_NOTES[status])
    os._exit(status)


def _interrupt(_number: int, frame: FrameType | None) -> None:
    global _last_status
    _last_status = INTERRUPTED
    if _is_importing(frame):
        stop(INTERRUPTED)
    raise KeyboardInterrupt


def _terminate(_number: int, frame: FrameType | None) -> None:
    global _last_status
    _last_status = TERMINATED
    if _is_importing(frame):
        stop(TERMINATED)
    raise Terminated


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT_SYSTEM:
            return True
        frame = frame.f_back
    return False


def _in_a_finalizer(unraisable: Any) -> None:
    """Ends the process for a signal inside a finalizer, where Python would print a traceback and continue."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        stop(INTERRUPTED)
    if issubclass(unraisable.exc_type, Terminated):
        stop(TERMINATED)
    sys.__unraisablehook__(unraisable)


@contextmanager
def held_back() -> Iterator[None]:
    """A context that delays SIGINT, SIGTERM and SIGHUP until its end, for short renaming."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    arrived: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        arrived.append(number)

    before = {number: signal.getsignal(number) for number in _ENDING}
    changed = {n: handler for n, handler in before.items() if handler not in (None, signal.SIG_IGN)}
    try:
        for number in changed:
            signal.signal(number, remember)
        yield
    finally:
        for number, handler in changed.items():
            signal.signal(number, handler)
        for number in arrived:
            signal.raise_signal(number)
