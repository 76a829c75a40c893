"""GC logs in Go's format, made from a few numbers, so that a test states the fault that the log shows."""

from collections.abc import Callable
from dataclasses import dataclass

Course = Callable[[float], float]  # a number as a function of seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class GcLog:
    """A program under GOGC, and under a limit if ``goal_mib`` is given. Sizes are MiB, times seconds."""

    seconds: float = 40.0
    live: Course | float = 30.0
    alloc_per_second: float = 60.0
    gogc: float = 100.0
    goal_mib: float | None = None  # of a memory limit: a goal is at most this, and at least the marked heap
    stacks: Course | float = 0.0
    mark_cpu_per_mib: float = 0.001
    assist_share: float = 0.0  # of all Ps while marking
    idle_share: float = 0.1
    pause_ms: Course | float = 0.05
    forced_every: float | None = None
    large_mib: float = (
        0.0  # allocated at once when the heap is near its goal; Go prints the goal that it raises
    )
    procs: int = 2

    @property
    def text(self) -> str:
        """The lines of the log."""
        lines, now, marked = [], 0.05, _at(self.live, 0.0)
        for number in range(1, 20_000):
            goal = max(marked * (1.0 + self.gogc / 100.0), 4.0 * self.gogc / 100.0)
            if self.goal_mib is not None:
                goal = max(min(goal, self.goal_mib), marked)
            wait = max(goal - marked, 0.2) / self.alloc_per_second
            forced = self.forced_every is not None and wait > self.forced_every
            now += self.forced_every if forced and self.forced_every is not None else wait
            if now > self.seconds:
                break
            live = _at(self.live, now)
            background = live * self.mark_cpu_per_mib
            mark = background / (0.25 * self.procs)
            trigger = max(
                goal - 0.1 * max(goal - marked, 0.0) - 1.0, marked
            )  # the pacer starts before the goal
            start = marked + self.alloc_per_second * (self.forced_every or 0.0) if forced else trigger
            marked = live + 0.2
            pause = _at(self.pause_ms, now)
            start, goal = (
                (start + self.large_mib, max(goal, start + self.large_mib))
                if self.large_mib
                else (start, goal)
            )
            lines.append(
                f"gc {number} @{now:.3f}s 1%: {pause:.3g}+{1e3 * mark:.3g}+0.05 ms clock,"
                f" {self.procs * pause:.3g}+{1e3 * self.assist_share * self.procs * mark:.3g}/{1e3 * background:.3g}"
                f"/{1e3 * self.idle_share * self.procs * mark:.3g}+0.1 ms cpu,"
                f" {int(start)}->{int(start + 0.5)}->{int(marked)} MB, {int(goal)} MB goal,"
                f" {int(_at(self.stacks, now))} MB stacks, 0 MB globals, {self.procs}"
                f" P{' (forced)' if forced else ''}\n"
            )
            now += mark
        return "".join(lines)


def _at(course: Course | float, seconds: float) -> float:
    return course(seconds) if callable(course) else course
