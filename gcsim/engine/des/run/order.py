"""The order of events at the same time. Only this module decides it.

The clock is in integer nanoseconds, so that two events can have the same time. A lower ``Order`` comes first. Events of
equal order come in the order in which they were scheduled, which depends only on the program. SimPy's urgent events (a
process starts or is interrupted) have priority 0 and come first.
"""

from enum import IntEnum

from simpy import Environment, Event


class Order(IntEnum):
    """Priorities of this engine's events."""

    WORLD = 1  # the world stops or starts: before any P acts
    PROCESSOR = 2  # a P ends its activity
    BACKGROUND = 3  # sweeper and scavenger: after the Ps, whose state they read
    OBSERVER = 4  # observers: after all others, whose state they read


def now_ns(env: Environment) -> int:
    """The clock, integer ns."""
    return int(env.now)


def after(env: Environment, delay_ns: int, order: Order) -> Event:
    """An event ``delay_ns`` (0 or more) from now; ``order`` is its place among events of the same time."""
    event = Event(env)
    event._ok = True
    event._value = None
    env.schedule(event, priority=order, delay=delay_ns)  # type: ignore[arg-type]  # any int is a priority
    return event
