"""Decides when a program gets kernels: when its other calls have taken as long as making kernels takes."""

import sys
from collections.abc import Callable
from typing import Any

from gcsim.engine.lanes.array_text import Node, python_function
from gcsim.engine.lanes.array_values import Values

# CPU seconds of making kernels, for each value of a program
_SECONDS_PER_VALUE = 1.5e-4  # to compile them
_KEPT_SECONDS_PER_VALUE = 2.5e-5  # if machine code of an earlier process is on disk
_LOADING_SECONDS = 0.2  # of llvmlite, once in a process: 0.05 measured; a command may end before more pays
# CPU seconds of NumPy for a step of the engine
_SECONDS_PER_STEP = 2e-4
_SECONDS_PER_LANE = 2e-7
_WORTH_SECONDS = 0.15  # of NumPy: kernels pay then, although llvmlite must be loaded
_REFUSALS = 8  # that are accepted in any case
_REFUSED_SHARE = 0.25  # of calls: kernels that refuse more often do not pay


class KernelPolicy:
    """Whether one program has kernels."""

    def __init__(self) -> None:
        self._seconds = 0.0  # of calls without kernels, since the last kernels were made
        self._refused = 0  # calls, since then
        self._is_old = True  # there are paths that the kernels do not have
        self._gives_up = False
        self._soon: bool | None = None  # the result of ``_comes_soon``
        self._is_kept = False  # machine code of an earlier process is on disk
        self._expected_seconds = 0.0  # of NumPy

    def expect(self, steps: float, lanes: int) -> None:
        """Announces calls for so many steps of lanes."""
        seconds = steps * (_SECONDS_PER_STEP + lanes * _SECONDS_PER_LANE)
        if seconds > self._expected_seconds:
            self._expected_seconds, self._soon = seconds, None

    def path_found(self) -> None:
        """Counts a new path of the program. Kernels of the other paths remain valid, and refuse this one."""
        self._is_old = True

    def refused(self, calls: int) -> bool:
        """Counts a call in which a kernel refused, of so many; returns whether the kernels no longer pay."""
        self._refused += 1
        if not self._is_old and self._refused > max(_REFUSALS, _REFUSED_SHARE * calls):
            self._gives_up = True
        return self._gives_up

    def needs_numpy(self) -> bool:
        """Whether a program of NumPy calls pays: kernels do not come soon, or often refuse a known path."""
        if not self._is_old and not self._gives_up:
            return self._refused > _REFUSALS
        return not self._comes_soon()

    def made_call(self, seconds: float, values: Values) -> bool:
        """Counts a call without kernels; returns whether kernels of all paths pay from now on."""
        self._seconds += seconds
        if self._gives_up or not self._is_old or self._seconds < len(values.made) * _KEPT_SECONDS_PER_VALUE:
            return False
        if self._comes_soon():
            return True
        loading = 0.0 if "llvmlite" in sys.modules else _LOADING_SECONDS
        rate = _KEPT_SECONDS_PER_VALUE if self._is_kept else _SECONDS_PER_VALUE
        return not self._gives_up and self._seconds >= loading + len(values.made) * rate

    def program(self, root: Node, values: Values) -> Callable[..., Any] | None:
        """The program with kernels; None if they cannot be compiled here."""
        from gcsim.engine.lanes.kernels.writer import KernelWriter

        self._seconds, self._refused, self._is_old = 0.0, 0, False
        self._soon = None
        try:
            text, constants = KernelWriter(values).program(root)
        except (RuntimeError, OSError, ImportError):  # of llvmlite; NumPy gives the same results
            self._gives_up = True
            return None
        return python_function(text)(constants)

    def _comes_soon(self) -> bool:
        """Whether kernels can be made here for little, and pay."""
        if self._soon is None:
            from gcsim.engine.lanes.kernels import (
                kept_code,
                native,
            )  # load ctypes, which short runs do not need

            self._gives_up = self._gives_up or not native.is_available()
            self._is_kept = not self._gives_up and kept_code.exists()
            pays = self._expected_seconds >= _WORTH_SECONDS or "llvmlite" in sys.modules
            self._soon = self._is_kept and pays
        return self._soon and not self._gives_up
