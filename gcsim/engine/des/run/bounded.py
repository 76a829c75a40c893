"""A SimPy environment with a limit on the number of events."""

import simpy

from gcsim.engine.inputs.bounds import MAX_EVENTS
from gcsim.errors import InputError


class BoundedEnvironment(simpy.Environment):
    """An environment that raises InputError after ``MAX_EVENTS`` events, some minutes of computing."""

    def __init__(self) -> None:
        super().__init__()
        self._events = 0

    def step(self) -> None:
        """Processes the next event."""
        self._events += 1
        if self._events > MAX_EVENTS:
            raise InputError(
                f"a run has more than {MAX_EVENTS:,} events; choose a shorter --duration, or --engine lanes"
            )
        super().step()
