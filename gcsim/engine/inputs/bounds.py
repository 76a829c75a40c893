"""Bounds on what is simulated: numbers stay finite, and every run ends."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from gcsim.errors import InputError

MAX_RECORDED_CYCLES = 100_000  # of one run whose cycles are kept
MAX_EVENTS = 20_000_000  # of one run of the event-by-event engine
MAX_REQUESTS_PER_SECOND = 1e6
_MAX_RATE_HZ = 20_000.0  # stopping the world twice alone takes some ten microseconds
_CHECK_EVERY = 1000  # cycles


@contextmanager
def finite_arithmetic(name: str) -> Iterator[None]:
    """Raises InputError, naming the model, where arithmetic overflows, divides by zero or has no result."""
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            yield
    except ArithmeticError as error:
        raise InputError(
            f"{name}: its numbers lead out of the range that can be simulated ({error}); "
            "check the model's parameters, or calibrate it again"
        ) from error


def check_pace(cycles: int, now_seconds: float, duration_seconds: float, *, most_cycles: int) -> None:
    """Raises InputError for a run that would have more than ``most_cycles``, or collects faster than any Go program.

    ``cycles`` of it have taken ``now_seconds``. The rest is taken to go on as it began, so the answer comes early.
    """
    if cycles % _CHECK_EVERY:
        return
    rate_hz = cycles / max(now_seconds, 1e-9)
    if rate_hz > _MAX_RATE_HZ:
        raise InputError(
            f"{rate_hz:,.0f} GC cycles a second are simulated, more than a Go program can have; "
            "check the model's parameters, or calibrate it again"
        )
    expected = rate_hz * duration_seconds
    if cycles >= most_cycles or expected > 2.0 * most_cycles:
        raise InputError(
            f"about {max(expected, cycles):,.0f} GC cycles in {duration_seconds:g} s, "
            f"and at most {most_cycles:,} are simulated here; choose a shorter --duration"
        )
