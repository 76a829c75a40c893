"""Which event goes first at equal times: decided here and nowhere else.

The clock is integer nanoseconds, so that two events can fall on the same instant. Lower goes first; equal
orders go in the order in which they were scheduled, which the program alone determines. SimPy's own urgent
events (a process starts, a process is interrupted) carry 0 and come before all of these.
"""

from enum import IntEnum

from simpy import Environment, Event


class Order(IntEnum):
    """Priorities of this engine's events."""

    WORLD = 1  # the world stops, starts, or marking is found to be done: before any P acts again
    PROCESSOR = 2  # a P reaches the end of what it was doing
    BACKGROUND = 3  # sweeper, scavenger: after the Ps, whose state they look at
    OBSERVER = 4  # samples of the timeline see what everybody else has done


def now_ns(env: Environment) -> int:
    """The clock, which is an integer here."""
    return int(env.now)


def after(env: Environment, delay_ns: int, order: Order) -> Event:
    """An event ``delay_ns`` (0 or more) from now, with its place among those of the same instant."""
    event = Event(env)
    event._ok = True
    event._value = None
    env.schedule(event, priority=order, delay=delay_ns)  # type: ignore[arg-type]  # any int is a priority
    return event
