"""The GC CPU limiter's clock: settles what the machine did since the last look, at the runtime's moments.

The runtime updates at every assist longer than 5 microseconds, when a worker is scheduled and 10 ms have
passed, and around pauses. Here assists that change nothing are skipped: those that end while the bucket is less
than nine tenths full. With the limiter on there are no assists, so that it stays on for 10 ms or to the next pause,
as in the runtime.
"""

from gcsim.engine.des.heap.machine import Machine
from gcsim.goruntime import limiter as rule

_NEARLY_FULL = 0.9


class CpuLimiter:
    """The bucket of one process, fed from a machine's sums."""

    def __init__(self, machine: Machine, gomaxprocs: int) -> None:
        self._machine = machine
        self._procs = gomaxprocs
        self._state = rule.new_limiter(gomaxprocs)
        self._assist_ns = self._busy_ns = 0.0
        self.limited_ns = 0  # wall time with the limiter on

    @property
    def enabled(self) -> bool:
        return bool(self._state.enabled)

    @property
    def fill_share(self) -> float:
        """0 (empty) to 1 (full)."""
        return float(self._state.fill_ns / self._state.capacity_ns)

    @property
    def nearly_full(self) -> bool:
        """Whether an assist may switch the limiter on."""
        return self.fill_share > _NEARLY_FULL

    def poll(self, now_ns: int) -> None:
        """A P schedules: settles if the last time was long ago."""
        if rule.needs_update(self._state, now_ns):
            self._settle(now_ns)

    def assisted(self, now_ns: int) -> None:
        """An assist has ended: settles where that may matter."""
        if self.nearly_full:
            self._settle(now_ns)

    def world_stops(self, now_ns: int, *, marking_begins: bool) -> None:
        """The first pause begins, or the second."""
        self._count(now_ns)
        self._state = rule.start_gc_transition(self._state, enable_gc=marking_begins, now_ns=now_ns)

    def world_starts(self, now_ns: int) -> None:
        """A pause ends: all of it was the collector's."""
        self._count(now_ns)
        self._state = rule.finish_gc_transition(self._state, now_ns)

    def _settle(self, now_ns: int) -> None:
        if now_ns > self._state.last_update_ns:
            self._count(now_ns)
            self._state = rule.update(self._state, now_ns)

    def _count(self, now_ns: int) -> None:
        """Assist time and idle time since the last look go into the limiter's two pools."""
        machine = self._machine
        elapsed = now_ns - int(self._state.last_update_ns)
        if self.enabled:
            self.limited_ns += elapsed
        busy_ns = machine.mutator_ns + machine.assist_ns + machine.background_ns
        idle = max(elapsed * self._procs - (busy_ns - self._busy_ns), 0.0)
        assist = machine.assist_ns - self._assist_ns
        self._busy_ns, self._assist_ns = busy_ns, machine.assist_ns
        self._state = rule.add_idle_time(rule.add_assist_time(self._state, int(assist)), int(idle))
