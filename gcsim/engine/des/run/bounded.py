"""A SimPy environment that stops a run without end."""

import simpy

from gcsim.engine.inputs.bounds import MAX_EVENTS
from gcsim.errors import InputError


class BoundedEnvironment(simpy.Environment):
    """Raises InputError after ``MAX_EVENTS`` events: some minutes of computing."""

    _events = 0

    def step(self) -> None:
        """Processes the next event."""
        self._events += 1
        if self._events > MAX_EVENTS:
            raise InputError(
                f"a run has more than {MAX_EVENTS:,} events; choose a shorter --duration, or --engine lanes"
            )
        super().step()
