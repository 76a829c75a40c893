"""Receives signals while a child runs, and selects those that the child must get."""

import os
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Self

PASSED_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
KEYBOARD_SIGNALS = ("SIGINT", "SIGQUIT")
# One stop may come twice: ``timeout`` signals its child and then its own group, which contains the child.
SAME_STOP_SECONDS = 0.1


class SignalRelay:
    """While entered, holds signals instead of ending this process; ``take`` returns them.

    A child that uses gcsim's terminal stays in gcsim's process group, because the terminal would stop it otherwise. The
    kernel then sends signals of the keyboard to both, and ``take`` does not return them. Any other child has its own
    process group (``own_group``), so that a signal to gcsim's group does not reach it.
    """

    def __init__(self) -> None:
        self.own_group = not _in_foreground()
        self._queue: list[int] = []
        self._last: dict[int, float] = {}
        self._before: dict[int, Any] = {}
        self._mask: set[int] | None = None
        self.has_seen_stop = False  # a signal that stops programs has arrived

    def __enter__(self) -> Self:
        """Holds signals from now on; does nothing outside the main thread, which alone receives signals."""
        if threading.current_thread() is threading.main_thread():
            numbers = [getattr(signal, name) for name in PASSED_SIGNALS if hasattr(signal, name)]
            self._before = {number: signal.signal(number, self._hold) for number in numbers}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restores handlers and mask; signals since the last ``take`` are dropped."""
        if self._mask is not None:
            self._waiting()
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            self._mask = None
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def started(self) -> None:
        """Blocks signals after the child has started with the old mask; their sender is then known."""
        if self._before and hasattr(signal, "sigtimedwait"):
            self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._before)

    def take(self) -> list[int]:
        """The signals since the last call that only this process received; a stop is returned once."""
        found = [(number, self._mask is not None) for number in self._queue]
        self._queue.clear()
        found += self._waiting()
        return [number for number, may_be_shared in found if self._must_be_forwarded(number, may_be_shared)]

    def _hold(self, number: int, _frame: FrameType | None) -> None:
        """Handles a signal before the child has started, or one that another thread received."""
        self._queue.append(number)

    def _waiting(self) -> list[tuple[int, bool]]:
        """Blocked signals, each with whether the kernel sent it, as for the keyboard."""
        found = []
        while self._mask is not None and (info := signal.sigtimedwait(self._before, 0)) is not None:
            found.append((info.si_signo, info.si_code > 0))
        return found

    def _must_be_forwarded(self, number: int, may_be_shared: bool) -> bool:
        """Whether the child has not received this signal yet."""
        name = signal.Signals(number).name
        self.has_seen_stop |= name in STOP_SIGNALS
        if not self.own_group and may_be_shared and name in KEYBOARD_SIGNALS:
            return False
        now = time.monotonic()
        again = name in STOP_SIGNALS and now - self._last.get(number, -1.0) < SAME_STOP_SECONDS
        self._last[number] = now
        return not again


def _in_foreground() -> bool:
    """Whether this process is in the foreground of a terminal; standard input does not matter."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
