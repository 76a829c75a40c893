"""How fast the machine's processors are while a program runs: on shared hosts they change by half within seconds.

What other processes take does not show this: a virtual machine's core slows down when the host gives the other
half of it to a neighbour. Nor does the time that the host says it stole (``steal`` in /proc/stat): next to nothing.
"""

import os
import random
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

PERIOD_SECONDS = 0.1
_ITEMS = 3000  # about a third of a millisecond, twice: less than a percent of one core
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class SpeedProbe:
    """Times the same small piece of work ten times a second for as long as the ``with`` block lasts.

    Each time the piece is done twice. The first one's speed is that of a core that may have just been woken up, and
    is lower where the program leaves cores idle; the second one's (``warm``) is the machine's alone.
    """

    def __init__(self) -> None:
        self._data = list(range(_ITEMS))
        random.Random(1).shuffle(self._data)
        self._seconds: list[tuple[float, float]] = []
        self._stolen_ticks = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._stolen_ticks -= _stolen_ticks()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._stolen_ticks += _stolen_ticks()

    def _watch(self) -> None:
        while not self._over.wait(PERIOD_SECONDS):
            self._seconds.append((self._piece(), self._piece()))

    def _piece(self) -> float:
        before = time.thread_time_ns()
        sorted(self._data)
        return (time.thread_time_ns() - before) * 1e-9

    @property
    def summary(self) -> dict[str, float]:
        """Pieces of work per CPU second: the mean over the run, and the slowest and fastest tenth; CPU seconds stolen.

        ``warm_`` stands before the figures of each second piece.
        """
        if not self._seconds:
            return {}
        found = {}
        for name, seconds in zip(("", "warm_"), np.array(self._seconds).T, strict=True):
            speed = 1.0 / np.maximum(seconds, 1e-9)
            low, high = np.quantile(speed, [0.1, 0.9])
            for what, value in (("mean", speed.mean()), ("p10", low), ("p90", high)):
                found[name + what] = round(float(value), 1)
        return found | {"stolen_seconds": round(self._stolen_ticks / _TICKS_PER_SECOND, 2)}


def _stolen_ticks() -> int:
    """Of all cores, since the machine's start; 0 where /proc/stat does not tell."""
    try:
        return int(Path("/proc/stat").read_text().split("\n", 1)[0].split()[8])
    except (OSError, IndexError, ValueError):
        return 0
