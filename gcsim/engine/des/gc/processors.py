"""The scheduling of one P while a cycle marks.

The P chooses in the scheduler's order (Go 1.19+ ``schedule``, ``findRunnable``): a mark worker that is due, a
goroutine, an idle mark worker, nothing. A goroutine keeps its P until its time slice ends or it has no work.
"""

from collections.abc import Generator
from typing import Any

from simpy import Environment, Event

from gcsim.engine.des.gc.marking import FINISHED_NS, LARGE_OBJECT_NS, AssistedRun, Marking
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
        # early assists without credit show that the roots hold large objects; each P's first worker scans one
        self._oblet_ns = 0 if marking.large_objects_found else LARGE_OBJECT_NS
        self._fractional_ns = 0  # time that this P has run a fractional worker in this cycle
        self.goroutine: int | None = None  # the goroutine on this P
        self._under_way: tuple[AssistedRun, int] | None = None  # the goroutine's stretch and when it began

    def run(self, *, slice_left_ns: int) -> Generator[Event, Any, None]:
        """Schedules until marking ends; with ``slice_left_ns`` > 0 the goroutine on this P first ends its slice."""
        if slice_left_ns > 0:
            yield from self._goroutine(slice_left_ns)
        while not self._done.triggered:
            yield from self._schedule()

    def _schedule(self) -> Generator[Event, Any, None]:
        """Runs the next mark worker or goroutine on this P."""
        marking = self._marking
        marking.limiter.poll(self._machine.now_ns)
        if marking.dedicated_missing > 0:
            marking.dedicated_missing -= 1
            self._machine.begin(self.index, DEDICATED)
            yield from self._scan_first_oblet()
            while not self._done.triggered:
                yield self._until(marking.step_ns)
                self._wake()
        elif self._fractional_worker_is_due():
            yield from self._fractional()
        else:
            yield from self._goroutine(self._slice_ns)

    def _fractional_worker_is_due(self) -> bool:
        marking = self._marking
        since_ns = self._machine.now_ns - marking.begin_ns
        return fractional_worker_starts(self._fractional_ns, since_ns, goal=marking.fractional_goal)

    def _fractional(self) -> Generator[Event, Any, None]:
        """Runs a fractional worker until it passes 1.2 times its share or is preempted; it checks every 100 kB."""
        marking, started_ns = self._marking, self._machine.now_ns
        most = FRACTIONAL_EXIT_SLACK * marking.fractional_goal
        behind = most * (started_ns - marking.begin_ns) - self._fractional_ns
        checks = max(int(behind / (1.0 - most)) // marking.check_ns + 1, 1)
        end_ns = started_ns + min(checks * marking.check_ns, FORCE_PREEMPT_NS)
        self._machine.begin(self.index, FRACTIONAL)
        yield from self._scan_first_oblet()
        yield from self._continue_for(end_ns - self._machine.now_ns)
        self._fractional_ns += self._machine.now_ns - started_ns

    def _goroutine(self, slice_ns: int) -> Generator[Event, Any, None]:
        """Runs a goroutine for at most a time slice, or an idle worker if no goroutine is ready."""
        goroutine = self._take()
        if goroutine is None:
            yield from self._idle()
            return
        self.goroutine = goroutine
        marking, machine, mutator = self._marking, self._machine, self._mutator
        index, done = self.index, self._done
        rate = marking.alloc_bytes_per_cpu_ns * marking.black_factor
        began_ns = machine.now_ns
        while not done.triggered:
            # a goroutine enters the scheduler between requests, but not during an assist, which only sysmon preempts
            longest_ns = max(slice_ns, MEAN_SLICE_NS) if goroutine in marking.under_way else slice_ns
            left_ns = began_ns + longest_ns - machine.now_ns
            if left_ns <= 0:
                break
            most = mutator.longest_run_ns(index, rate)
            if most <= 0:
                break
            wanted = min(most, left_ns, marking.step_ns, marking.until_finished_ns() + 1)
            stretch = marking.run(goroutine, wanted)
            if stretch is None:
                break
            length, mutator_ns, assist_ns, allocated = stretch
            assist = assist_ns / length
            alone = min(mutator_ns / length, 1.0 - assist)
            machine.begin(index, Activity("mutator", alone, assist, 0.0, 0.0, allocated / length))
            started_ns = machine.now_ns
            end_ns = started_ns + length
            self._under_way = stretch, started_ns
            while machine.now_ns < end_ns and not done.triggered:
                yield self._until(end_ns - machine.now_ns)
                self._wake()
            if self.goroutine is None:  # the collector has settled this P
                return
            self._account()
        self._release_goroutine()

    def _take(self) -> int | None:
        """A ready goroutine that does not wait for credit, or None; requests of waiting goroutines go to others."""
        marking = self._marking
        marking.pay_waiting()
        for _ in range(len(marking.waiting) + 1):
            goroutine = self._mutator.take(self.index)
            if goroutine not in marking.waiting:
                return goroutine
            self._mutator.release(self.index, goroutine)
        return None

    def settle(self) -> None:
        """Accounts for the goroutine on this P at the end of marking and releases it.

        The P's own next event may come after the end of marking, within a step. It then has nothing to do.
        """
        if self.goroutine is not None:
            self._account()
            self._release_goroutine()

    def _account(self) -> None:
        """Accounts for the part of its stretch that the goroutine has done."""
        if self._under_way is not None and self.goroutine is not None:
            stretch, started_ns = self._under_way
            share = min((self._machine.now_ns - started_ns) / stretch.duration_ns, 1.0)
            self._mutator.account_cpu(
                self.index, self.goroutine, stretch.mutator_ns * share, stretch.assist_ns * share
            )
            self._under_way = None

    def _release_goroutine(self) -> None:
        """Ends the goroutine's slice on this P and returns it to the program."""
        if self.goroutine is not None:
            goroutine, self.goroutine = self.goroutine, None
            self._marking.end_slice(goroutine)
            self._mutator.release(self.index, goroutine)

    def _idle(self) -> Generator[Event, Any, None]:
        """Runs an idle mark worker until a goroutine is ready, its time slice ends or marking ends.

        The P idles for one step if the runtime allows no more of these workers. The worker checks every 100 kB
        (``pollWork``; ``sysmon`` preempts it).
        """
        marking, machine = self._marking, self._machine
        works = marking.idle_workers < marking.max_idle_workers
        machine.begin(self.index, IDLE_WORKER if works else IDLE)
        marking.idle_workers += works
        end_ns = machine.now_ns + FORCE_PREEMPT_NS
        if works:
            yield from self._scan_first_oblet()
        while not self._done.triggered:
            yield self._until(self._next_check_ns(works=works))
            self._wake()
            if self._done.triggered or not works or machine.now_ns >= end_ns:
                break
            if self._mutator.stops_idle(self.index):
                break
        marking.idle_workers -= works

    def _next_check_ns(self, *, works: bool) -> int:
        """Time until the next check at which a goroutine may be ready, ns."""
        marking = self._marking
        ready_ns = self._mutator.next_ready_ns()
        wait = marking.step_ns if ready_ns is None else max(ready_ns - self._machine.now_ns, 1)
        if works:
            wait = -(-wait // marking.check_ns) * marking.check_ns
        return min(wait, max(marking.step_ns, marking.check_ns))

    def _scan_first_oblet(self) -> Generator[Event, Any, None]:
        """Scans the first large object of this P's worker, without a check; assists find large objects afterwards."""
        oblet_ns, self._oblet_ns = self._oblet_ns, 0
        if oblet_ns > 0:
            yield from self._continue_for(oblet_ns)
            self._marking.large_objects_found = True

    def _continue_for(self, delay_ns: int) -> Generator[Event, Any, None]:
        """Continues the P's activity for ``delay_ns`` or until marking ends."""
        end_ns = self._machine.now_ns + delay_ns
        while self._machine.now_ns < end_ns and not self._done.triggered:
            yield self._until(end_ns - self._machine.now_ns)
            self._wake()

    def _until(self, delay_ns: int) -> Event:
        """The event at the end of ``delay_ns`` or of marking; the P's activity continues until then, then ``_wake``."""
        finished_ns = self._marking.until_finished_ns()
        delay = delay_ns if delay_ns < finished_ns else finished_ns
        return after(self._env, delay if delay > 1 else 1, Order.PROCESSOR)

    def _wake(self) -> None:
        """Brings the machine to the present; triggers ``done`` if marking has ended."""
        machine = self._machine
        machine.advance(now_ns(self._env))
        if machine.remaining_ns <= FINISHED_NS and not self._done.triggered:
            self._done.succeed()
