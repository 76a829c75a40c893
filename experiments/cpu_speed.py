"""How fast the machine's processors are while a program runs: on shared hosts they change by half within seconds.

What other processes take does not show this: a virtual machine's core slows down when the host gives the other
half of it to a neighbour.
"""

import random
import threading
import time
from types import TracebackType
from typing import Self

import numpy as np

PERIOD_SECONDS = 0.1
_ITEMS = 3000  # about half a millisecond: half a percent of one core


class SpeedProbe:
    """Times the same small piece of work ten times a second for as long as the ``with`` block lasts."""

    def __init__(self) -> None:
        self._data = list(range(_ITEMS))
        random.Random(1).shuffle(self._data)
        self._seconds: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(PERIOD_SECONDS):
            before = time.thread_time_ns()
            sorted(self._data)
            self._seconds.append((time.thread_time_ns() - before) * 1e-9)

    @property
    def summary(self) -> dict[str, float]:
        """Pieces of work per CPU second: the mean over the run, and the slowest and fastest tenth."""
        if not self._seconds:
            return {}
        speed = 1.0 / np.maximum(np.array(self._seconds), 1e-9)
        low, high = np.quantile(speed, [0.1, 0.9])
        return {
            "mean": round(float(speed.mean()), 1),
            "p10": round(float(low), 1),
            "p90": round(float(high), 1),
        }
