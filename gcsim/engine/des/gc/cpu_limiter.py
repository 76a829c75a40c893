"""The GC CPU limiter of one process: updates the limiter's bucket at the moments at which the runtime does.

The runtime updates the bucket at the end of every assist longer than 5 us, around pauses, and when it schedules a
mark worker 10 ms or more after the last update. This engine skips the update at the end of an assist while the bucket
is at most nine tenths full, because that update cannot switch the limiter on. While the limiter is on no assist runs.
It therefore stays on for 10 ms or until the next pause, as in the runtime.
"""

from gcsim.engine.des.heap.machine import Machine
from gcsim.goruntime import limiter as rule

_NEARLY_FULL = 0.9


class CpuLimiter:
    """The limiter's bucket of one process. Its inputs are the machine's sums of CPU time."""

    def __init__(self, machine: Machine, gomaxprocs: int) -> None:
        self._machine = machine
        self._procs = gomaxprocs
        self.enabled = False  # whether the limiter is on
        self.nearly_full = False  # whether the end of an assist can switch the limiter on
        self._hold(rule.new_limiter(gomaxprocs))
        self._assist_ns = self._busy_ns = 0.0
        self.limited_ns = 0  # wall time with the limiter on

    @property
    def fill_share(self) -> float:
        """How full the bucket is, from 0 (empty) to 1 (full)."""
        return float(self._state.fill_ns / self._state.capacity_ns)

    def _hold(self, state: rule.LimiterState) -> None:
        """Takes the limiter's new state."""
        self._state = state
        self._update_due_ns = int(state.last_update_ns) + rule.UPDATE_PERIOD_NS
        self.enabled = bool(state.enabled)
        self.nearly_full = self.fill_share > _NEARLY_FULL

    def poll(self, now_ns: int) -> None:
        """Updates the bucket if the last update is over 10 ms old; called when a P schedules."""
        if now_ns > self._update_due_ns:  # ``needs_update``
            self._settle(now_ns)

    def assisted(self, now_ns: int) -> None:
        """Updates the bucket at the end of an assist if that can switch the limiter on."""
        if self.nearly_full:
            self._settle(now_ns)

    def world_stops(self, now_ns: int, *, marking_begins: bool) -> None:
        """Updates the bucket when a pause begins: the first pause if ``marking_begins``, else the second."""
        self._count(now_ns)
        self._hold(rule.start_gc_transition(self._state, enable_gc=marking_begins, now_ns=now_ns))

    def world_starts(self, now_ns: int) -> None:
        """Updates the bucket when a pause ends; the whole pause counts as GC time on every P."""
        self._count(now_ns)
        self._hold(rule.finish_gc_transition(self._state, now_ns))

    def _settle(self, now_ns: int) -> None:
        if now_ns > self._state.last_update_ns:
            self._count(now_ns)
            self._hold(rule.update(self._state, now_ns))

    def _count(self, now_ns: int) -> None:
        """Adds the assist time and the idle time since the last update to the limiter's two pools."""
        machine = self._machine
        elapsed = now_ns - int(self._state.last_update_ns)
        if self.enabled:
            self.limited_ns += elapsed
        busy_ns = machine.mutator_ns + machine.assist_ns + machine.background_ns
        idle = max(elapsed * self._procs - (busy_ns - self._busy_ns), 0.0)
        assist = machine.assist_ns - self._assist_ns
        self._busy_ns, self._assist_ns = busy_ns, machine.assist_ns
        self._hold(rule.add_idle_time(rule.add_assist_time(self._state, int(assist)), int(idle)))
