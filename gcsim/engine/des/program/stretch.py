"""A stretch of serving between two collections: the time at which each P is free, and the allocated bytes."""

from gcsim.arrays import FloatArray
from gcsim.engine.des.program.run_queue import Request


class Stretch:
    """The state of a stretch: times at which Ps are free, and the allocation of the requests begun."""

    __slots__ = ("begun_bytes", "budget_bytes", "free", "in_order", "over", "rate", "single", "until_ns")

    def __init__(self, now_ns: int, servers: int, rate: float, budget_bytes: float, until_ns: float) -> None:
        self.free = [(float(now_ns), processor) for processor in range(servers)]  # a heap
        self.rate = rate  # bytes per ns and P
        self.budget_bytes, self.until_ns = budget_bytes, until_ns
        self.begun_bytes = 0.0
        self.over = False
        # (due, service, start) of requests served in order; (request, P, end) of requests of a backlog
        self.in_order: list[tuple[FloatArray, FloatArray, list[float]]] = []
        self.single: list[tuple[Request, int, float]] = []

    def allocated_bytes(self, now_ns: float) -> float:
        """Bytes allocated by ``now_ns``, if no P begins another request before."""
        return self.begun_bytes - self.rate * sum(f - now_ns for f in self.busy_until() if f > now_ns)

    def busy_until(self) -> list[float]:
        """The time at which each P's request ends, ns."""
        return [f for f, _ in self.free]

    def is_spent(self, now_ns: float) -> bool:
        """Whether the budget is allocated by ``now_ns``."""
        return self.begun_bytes >= self.budget_bytes and self.allocated_bytes(now_ns) >= self.budget_bytes

    def end(self) -> tuple[float, float]:
        """(time at which the budget was reached or ``until_ns``, bytes allocated by then)."""
        if self.begun_bytes < self.budget_bytes:
            return self.until_ns, self.allocated_bytes(self.until_ns)
        reached = _time_of(self.begun_bytes - self.budget_bytes, self.rate, self.busy_until())
        stop = min(reached, self.until_ns)
        return stop, self.allocated_bytes(stop)


def _time_of(left_bytes: float, rate: float, free: list[float]) -> float:
    """The time at which ``left_bytes`` of the requests begun are not allocated yet; Ps end at times ``free``."""
    left_ns = left_bytes / rate
    total = 0.0
    latest = sorted(free, reverse=True)
    for count, end in enumerate(latest, start=1):
        total += end
        time = (total - left_ns) / count
        if count == len(latest) or time >= latest[count]:
            return time
    return latest[-1]
