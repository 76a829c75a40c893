"""The checks that Go's own TestGCCPULimiter makes (runtime/mgclimit_test.go, the same in Go 1.19 to 1.27)."""

from dataclasses import fields

import numpy as np

from gcsim.goruntime import limiter as rules
from gcsim.goruntime.limiter import CAPACITY_PER_P_NS, UPDATE_PERIOD_NS, LimiterState
from gcsim.goruntime.study import limiter_resize

PROCS = 14
MS, SECOND, HOUR = 1_000_000, 1_000_000_000, 3_600_000_000_000
BACKGROUND = 0.25
Expected = tuple[int | None, bool | None, int | None]  # fill, limiting, overflow; None is not checked


class Bench:
    """A limiter with a clock, driven as the test drives it."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.state = rules.new_limiter(PROCS)

    def advance(self, duration_ns: int) -> int:
        self.now_ns += duration_ns
        return self.now_ns

    def assist(self, duration_ns: int, share: float) -> None:
        self.state = rules.add_assist_time(self.state, int(share * float(duration_ns) * PROCS))

    def update(self, duration_ns: int) -> None:
        self.state = rules.update(self.state, self.advance(duration_ns))

    def check(self, fill_ns: int, *, limiting: bool, overflow_ns: int) -> None:
        assert (self.state.fill_ns, self.state.enabled, self.state.overflow_ns) == (
            fill_ns,
            limiting,
            overflow_ns,
        )


def without_marking(bench: Bench, overflow_ns: int) -> None:
    """Mutator time alone keeps the bucket empty; updates are due after 10 ms."""
    assert bench.state.capacity_ns == PROCS * CAPACITY_PER_P_NS
    bench.check(0, limiting=False, overflow_ns=overflow_ns)
    for duration_ns in (10 * MS, SECOND, HOUR):
        bench.update(duration_ns)
    bench.check(0, limiting=False, overflow_ns=overflow_ns)
    assert not rules.needs_update(bench.state, bench.advance(UPDATE_PERIOD_NS // 2))
    assert rules.needs_update(bench.state, bench.advance(UPDATE_PERIOD_NS))
    bench.update(0)
    assert not rules.needs_update(bench.state, bench.advance(0))


def marking_below_half(bench: Bench, overflow_ns: int) -> None:
    """The pause fills the bucket; marking without assists drains it at half speed."""
    pause_ns = 2 * MS + 1000
    bench.state = rules.start_gc_transition(bench.state, enable_gc=True, now_ns=bench.advance(109 * MS))
    bench.state = rules.finish_gc_transition(bench.state, bench.advance(pause_ns))
    bench.check(pause_ns * PROCS, limiting=False, overflow_ns=overflow_ns)
    bench.update(int(1 / (1 - 2 * BACKGROUND) * (pause_ns * PROCS - PROCS) / PROCS))
    bench.check(PROCS, limiting=False, overflow_ns=overflow_ns)
    bench.update(2 * PROCS * CAPACITY_PER_P_NS)
    bench.assist(10 * MS, 0.5 - BACKGROUND)
    bench.update(10 * MS)
    bench.check(0, limiting=False, overflow_ns=overflow_ns)


def filling_up(bench: Bench, overflow_ns: int) -> None:
    """Filling turns the limiter on, an even change leaves it, a drain turns it off, an excess overflows."""
    bench.assist(MS, 1.0 - BACKGROUND)
    bench.update(MS)
    bench.check(PROCS * MS, limiting=False, overflow_ns=overflow_ns)
    full_ns = bench.state.capacity_ns
    for assist_ns, share, wait_ns, fill_ns, limiting, more_ns in (
        (SECOND - MS, 1.0 - BACKGROUND, SECOND - MS, full_ns, True, 0),
        (SECOND, 0.5 - BACKGROUND, SECOND, full_ns, True, 0),
        (SECOND, 0.0, SECOND, full_ns // 2, False, 0),
        (SECOND, 1.0 - BACKGROUND, SECOND, full_ns, True, SECOND * PROCS // 2),
    ):
        bench.assist(assist_ns, share)
        bench.update(wait_ns)
        bench.check(fill_ns, limiting=limiting, overflow_ns=overflow_ns + more_ns)


def ending_and_resizing(bench: Bench, overflow_ns: int) -> None:
    """Left-over assists and the last pause overflow; resizing keeps the fill and never overflows."""
    full_ns = bench.state.capacity_ns
    bench.assist(MS, 1.0 - BACKGROUND)
    bench.state = rules.start_gc_transition(bench.state, enable_gc=False, now_ns=bench.advance(MS))
    bench.check(full_ns, limiting=True, overflow_ns=overflow_ns + (SECOND // 2 + MS) * PROCS)
    bench.state = rules.finish_gc_transition(bench.state, bench.advance(5 * MS))
    overflow_ns += (SECOND // 2 + 6 * MS) * PROCS
    bench.check(full_ns, limiting=True, overflow_ns=overflow_ns)
    bench.state = limiter_resize.reset_capacity(bench.state, PROCS + 10, now_ns=bench.advance(0))
    bench.check(full_ns, limiting=False, overflow_ns=overflow_ns)
    bench.state = limiter_resize.reset_capacity(bench.state, PROCS - 10, now_ns=bench.advance(0))
    assert bench.state.capacity_ns == (PROCS - 10) * CAPACITY_PER_P_NS
    bench.check(bench.state.capacity_ns, limiting=True, overflow_ns=overflow_ns)
    bench.state = limiter_resize.reset_capacity(
        bench.state, PROCS, now_ns=bench.advance(CAPACITY_PER_P_NS * PROCS)
    )


def run_the_test(bench: Bench) -> None:
    """The whole sequence, twice over, as Go runs it to see that no state leaks."""
    for _ in range(2):
        overflow_ns = bench.state.overflow_ns
        without_marking(bench, overflow_ns)
        marking_below_half(bench, overflow_ns)
        filling_up(bench, overflow_ns)
        ending_and_resizing(bench, overflow_ns)


def test_limiter_passes_gos_own_checks() -> None:
    """Fill, overflow and switch follow Go's TestGCCPULimiter to the nanosecond, twice over."""
    run_the_test(Bench())


def test_limiter_of_lanes_passes_gos_own_checks() -> None:
    """An array of limiters goes through the same states as one."""
    alone, lanes = Bench(), Bench()
    run_the_test(alone)
    ones = np.ones(3, dtype=np.int64)
    state = rules.new_limiter(PROCS * ones)
    for share, duration_ns in ((0.75, SECOND), (0.25, SECOND), (0.0, SECOND), (0.75, MS)):
        state = rules.add_assist_time(state, int(share * duration_ns * PROCS) * ones)
        state = rules.update(state, state.last_update_ns + duration_ns)
        lanes.assist(duration_ns, share)
        lanes.update(duration_ns)
        for field in fields(LimiterState):
            np.testing.assert_array_equal(getattr(state, field.name), getattr(lanes.state, field.name))
