"""Bounds of a simulation: numbers stay finite, and every run ends."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from gcsim.errors import InputError

OLDEST_SIMULATED_MINOR = 19  # Go 1.18 bounds its trigger in floats, which no engine implements
MAX_RECORDED_CYCLES = 100_000  # of one run whose cycles are kept
MAX_EVENTS = 20_000_000  # of one run of the event-by-event engine
MAX_REQUESTS_PER_SECOND = 1e6
MAX_GETS_PER_SECOND = 200_000.0  # of pools in the event engine: a second of computing for a second of the run
_MAX_RATE_HZ = 20_000.0  # the two pauses of a cycle alone take some ten microseconds
_CHECK_EVERY = 1000  # cycles


@contextmanager
def finite_arithmetic(name: str) -> Iterator[None]:
    """Turns overflow, division by zero and undefined results into an InputError that names the model."""
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            yield
    except ArithmeticError as error:
        raise InputError(
            f"{name}: its numbers lead out of the range that can be simulated ({error}); "
            "check the model's parameters, or calibrate it again"
        ) from error


def check_pace(cycles: int, now_seconds: float, duration_seconds: float, *, most_cycles: int) -> None:
    """Raises InputError for a run of more than ``most_cycles`` cycles, or with more cycles than a Go program can have.

    The run has had ``cycles`` cycles in ``now_seconds``. The check assumes that the rate stays, so that it can fail
    early.
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
