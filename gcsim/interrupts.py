"""Ctrl-C and SIGTERM: what they raise, and a block of code that they do not cut in two."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Terminated(BaseException):
    """SIGTERM came: stop at once. Not an Exception and no KeyboardInterrupt, so that nothing carries on."""


@contextmanager
def held_back() -> Iterator[None]:
    """Holds back SIGINT, SIGTERM and SIGHUP until the block ends, for milliseconds of renaming."""
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
