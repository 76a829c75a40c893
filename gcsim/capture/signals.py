"""Signals that come while a child runs: which of them the child should get, and has not got already."""

import os
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Self

PASSED_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
KEYBOARD_SIGNALS = ("SIGINT", "SIGQUIT")
# One stop may come twice: ``timeout`` signals its child and then its own group, which holds the child too.
SAME_STOP_SECONDS = 0.1


class SignalRelay:
    """While entered, signals are kept instead of ending this process; ``take`` hands them out.

    A child that shares our terminal stays in our process group, or the terminal would stop it; the kernel then sends
    it what the keyboard sends us, and such a signal is not handed out. Any other child has a group of its own
    (``own_group``), so that a signal to our whole group reaches us alone.
    """

    def __init__(self) -> None:
        self.own_group = not _in_foreground()
        self._queue: list[int] = []
        self._last: dict[int, float] = {}
        self._before: dict[int, Any] = {}
        self._mask: set[int] | None = None

    def __enter__(self) -> Self:
        """Keep signals from now on; only the main thread gets any, elsewhere this does nothing."""
        if threading.current_thread() is threading.main_thread():
            numbers = [getattr(signal, name) for name in PASSED_SIGNALS if hasattr(signal, name)]
            self._before = {number: signal.signal(number, self._keep) for number in numbers}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put everything back; what came since the last ``take`` is dropped."""
        if self._mask is not None:
            self._waiting()
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            self._mask = None
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def started(self) -> None:
        """The child has been started, with our signal mask: from now on we can see where a signal comes from."""
        if self._before and hasattr(signal, "sigtimedwait"):
            self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._before)

    def take(self) -> list[int]:
        """The signals that came for this process alone since the last call, each stop once."""
        found = [(number, self._mask is not None) for number in self._queue]
        self._queue.clear()
        found += self._waiting()
        return [number for number, may_be_shared in found if self._is_ours(number, may_be_shared)]

    def _keep(self, number: int, _frame: FrameType | None) -> None:
        """Before the child is started; and where another thread of this process took the signal."""
        self._queue.append(number)

    def _waiting(self) -> list[tuple[int, bool]]:
        """Blocked signals, and whether the kernel sent them, as it does for the keyboard."""
        found = []
        while self._mask is not None and (info := signal.sigtimedwait(self._before, 0)) is not None:
            found.append((info.si_signo, info.si_code > 0))
        return found

    def _is_ours(self, number: int, may_be_shared: bool) -> bool:
        name = signal.Signals(number).name
        if not self.own_group and may_be_shared and name in KEYBOARD_SIGNALS:
            return False
        now = time.monotonic()
        again = name in STOP_SIGNALS and now - self._last.get(number, -1.0) < SAME_STOP_SECONDS
        self._last[number] = now
        return not again


def _in_foreground() -> bool:
    """Whether this process is in the foreground of a terminal, whatever its standard input is."""
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
