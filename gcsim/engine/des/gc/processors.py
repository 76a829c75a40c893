"""A P while a cycle marks: what the scheduler gives it, one thing after another.

The order of choice is the scheduler's (Go 1.19+ ``schedule``, ``findRunnable``): a mark worker that is due, a
goroutine, an idle mark worker, nothing. A goroutine keeps its P until its slice ends or it has no work.
"""

from collections.abc import Generator
from typing import Any

from simpy import Environment, Event

from gcsim.engine.des.gc.marking import LARGE_OBJECT_NS, AssistedRun, Marking
from gcsim.engine.des.heap.machine import DEDICATED, FRACTIONAL, IDLE, IDLE_WORKER, Activity
from gcsim.engine.des.program.mutator import Mutator
from gcsim.engine.des.run.order import Order, after, now_ns
from gcsim.goruntime.workers import (
    FORCE_PREEMPT_NS,
    FRACTIONAL_EXIT_SLACK,
    MEAN_SLICE_NS,
    fractional_worker_starts,
)


class Processor:
    """One P of a mark phase, as a SimPy process."""

    def __init__(
        self, index: int, env: Environment, marking: Marking, mutator: Mutator, *, slice_ns: int, done: Event
    ) -> None:
        self.index = index
        self._env = env
        self._marking = marking
        self._machine = marking.machine
        self._mutator = mutator
        self._slice_ns = slice_ns
        self._done = done
        # early assists that find no credit show large objects; each P's first worker meets one of them
        self._oblet_ns = 0 if marking.scans_large else LARGE_OBJECT_NS
        self._fractional_ns = 0  # marked by this P as a fractional worker in this cycle
        self.goroutine: int | None = None  # on this P, or None
        self._under_way: tuple[AssistedRun, int] | None = None  # the goroutine's stretch and when it began

    def run(self, *, slice_left_ns: int) -> Generator[Event, Any, None]:
        """Until marking ends. ``slice_left_ns`` more than 0: the goroutine that starts the cycle goes on."""
        if slice_left_ns > 0:
            yield from self._goroutine(slice_left_ns)
        while not self._done.triggered:
            yield from self._schedule()

    def _schedule(self) -> Generator[Event, Any, None]:
        marking = self._marking
        marking.limiter.poll(self._machine.now_ns)
        if marking.dedicated_missing > 0:
            marking.dedicated_missing -= 1
            self._machine.begin(self.index, DEDICATED)
            yield from self._first_oblet()
            while not self._done.triggered:
                yield from self._wait(marking.step_ns)
        elif self._owes_fraction():
            yield from self._fractional()
        else:
            yield from self._goroutine(self._slice_ns)

    def _owes_fraction(self) -> bool:
        marking = self._marking
        since_ns = self._machine.now_ns - marking.begin_ns
        return fractional_worker_starts(self._fractional_ns, since_ns, goal=marking.fractional_goal)

    def _fractional(self) -> Generator[Event, Any, None]:
        """Marks until 1.2 times its share is passed, looked at every 100 kB, or until it is preempted."""
        marking, started_ns = self._marking, self._machine.now_ns
        most = FRACTIONAL_EXIT_SLACK * marking.fractional_goal
        behind = most * (started_ns - marking.begin_ns) - self._fractional_ns
        checks = max(int(behind / (1.0 - most)) // marking.check_ns + 1, 1)
        end_ns = started_ns + min(checks * marking.check_ns, FORCE_PREEMPT_NS)
        self._machine.begin(self.index, FRACTIONAL)
        yield from self._first_oblet()
        yield from self._pass(end_ns - self._machine.now_ns)
        self._fractional_ns += self._machine.now_ns - started_ns

    def _goroutine(self, slice_ns: int) -> Generator[Event, Any, None]:
        goroutine = self._take()
        if goroutine is None:
            yield from self._idle()
            return
        self.goroutine = goroutine
        marking, machine, mutator = self._marking, self._machine, self._mutator
        began_ns = machine.now_ns
        while not self._done.triggered:
            # the scheduler is passed between requests, but not in an assist: only sysmon ends that
            longest_ns = max(slice_ns, MEAN_SLICE_NS) if goroutine in marking.under_way else slice_ns
            left_ns = began_ns + longest_ns - machine.now_ns
            if left_ns <= 0:
                break
            most = mutator.longest_run_ns(self.index, marking.alloc_bytes_per_cpu_ns * marking.black_factor)
            if most <= 0:
                break
            wanted = min(most, left_ns, marking.step_ns, marking.until_finished_ns() + 1)
            stretch = marking.run(goroutine, wanted)
            if stretch is None:
                break
            length = stretch.duration_ns
            machine.begin(
                self.index,
                Activity(
                    "mutator",
                    mutator=min(stretch.mutator_ns / length, 1.0 - stretch.assist_ns / length),
                    assist=stretch.assist_ns / length,
                    alloc_bytes_per_ns=stretch.allocated_bytes / length,
                ),
            )
            started_ns = machine.now_ns
            self._under_way = stretch, started_ns
            while machine.now_ns < started_ns + length and not self._done.triggered:
                yield from self._wait(started_ns + length - machine.now_ns)
            if self.goroutine is None:  # the collector has settled this P
                return
            self._account()
        self._let_go()

    def _take(self) -> int | None:
        """A goroutine that is ready, those that wait for credit left out; their requests go to others."""
        marking = self._marking
        marking.pay_waiting()
        for _ in range(len(marking.waiting) + 1):
            goroutine = self._mutator.take(self.index)
            if goroutine not in marking.waiting:
                return goroutine
            self._mutator.release(self.index, goroutine)
        return None

    def settle(self) -> None:
        """At the end of marking: accounts for what runs now and lets it go.

        The P's own next event may lie after that end, within a step, and then finds nothing left to do.
        """
        if self.goroutine is not None:
            self._account()
            self._let_go()

    def _account(self) -> None:
        """What the goroutine has done of its stretch."""
        if self._under_way is not None and self.goroutine is not None:
            stretch, started_ns = self._under_way
            share = min((self._machine.now_ns - started_ns) / stretch.duration_ns, 1.0)
            self._mutator.account_cpu(
                self.index, self.goroutine, stretch.mutator_ns * share, stretch.assist_ns * share
            )
            self._under_way = None

    def _let_go(self) -> None:
        if self.goroutine is not None:
            goroutine, self.goroutine = self.goroutine, None
            self._marking.end_slice(goroutine)
            self._mutator.release(self.index, goroutine)

    def _idle(self) -> Generator[Event, Any, None]:
        """An idle worker, which looks up every 100 kB; or nothing, where the runtime allows no more of them.

        The worker stops for what ``pollWork`` sees, and otherwise when ``sysmon`` preempts it.
        """
        marking, machine = self._marking, self._machine
        works = marking.idle_workers < marking.max_idle_workers
        machine.begin(self.index, IDLE_WORKER if works else IDLE)
        marking.idle_workers += works
        end_ns = machine.now_ns + FORCE_PREEMPT_NS
        if works:
            yield from self._first_oblet()
        while not self._done.triggered:
            yield from self._wait(self._until_it_looks_up(works=works))
            if self._done.triggered or not works or machine.now_ns >= end_ns:
                break
            if self._mutator.stops_idle(self.index):
                break
        marking.idle_workers -= works

    def _until_it_looks_up(self, *, works: bool) -> int:
        """Ns to when there may be a goroutine to see."""
        marking = self._marking
        ready_ns = self._mutator.next_ready_ns()
        wait = marking.step_ns if ready_ns is None else max(ready_ns - self._machine.now_ns, 1)
        if works:
            wait = -(-wait // marking.check_ns) * marking.check_ns
        return min(wait, max(marking.step_ns, marking.check_ns))

    def _first_oblet(self) -> Generator[Event, Any, None]:
        """Before this P's worker looks up for the first time; from then on assists meet large objects too."""
        oblet_ns, self._oblet_ns = self._oblet_ns, 0
        if oblet_ns > 0:
            yield from self._pass(oblet_ns)
            self._marking.scans_large = True

    def _pass(self, delay_ns: int) -> Generator[Event, Any, None]:
        """Goes on as it does for so long, or until marking ends."""
        end_ns = self._machine.now_ns + delay_ns
        while self._machine.now_ns < end_ns and not self._done.triggered:
            yield from self._wait(end_ns - self._machine.now_ns)

    def _wait(self, delay_ns: int) -> Generator[Event, Any, None]:
        """Goes on as it does, at most until marking looks finished; tells the others when it is."""
        delay = max(min(delay_ns, self._marking.until_finished_ns()), 1)
        yield after(self._env, delay, Order.PROCESSOR)
        self._machine.advance(now_ns(self._env))
        if self._marking.finished and not self._done.triggered:
            self._done.succeed()
