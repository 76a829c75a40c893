"""Sweeping between two collections, by the background sweeper and by goroutines that allocate.

The background sweeper is one goroutine. It yields after every ten spans unless a P is idle (Go 1.19+ ``bgsweep``,
``goschedIfBusy``). If the program keeps every P busy, allocation (``deductSweepCredit``) and the background sweeper
sweep in proportion to heap growth, and the program loses that CPU time. If Ps are idle, the background sweeper uses up
to one of them, and allocation sweeps only as far as the sweeper is behind the pace.
"""

import math
from collections.abc import Generator
from typing import Any

from simpy import Environment, Event

from gcsim.engine.des.heap.heap_memory import HeapMemory
from gcsim.engine.des.heap.machine import Machine
from gcsim.engine.des.run.parameters import RunParameters
from gcsim.goruntime.sweep import PAGE_BYTES, SWEPT_ON_THE_WAY, sweep_pages_per_byte

_NEVER_NS = 1 << 62
_SHORTEST_STEP_NS = 200_000  # the background sweeper waits for a P while the program uses all of them
_MIN_CPU_NS_PER_BYTE = 1e-6  # avoids division by zero: sweeping a byte always takes some time


class Sweeper:
    """The sweeping of one process: its pace, and the shares of allocation and of the background sweeper."""

    def __init__(
        self, env: Environment, machine: Machine, heap: HeapMemory, parameters: RunParameters
    ) -> None:
        self._machine, self._heap, self._parameters = machine, heap, parameters
        self._cpu_ns_per_byte = max(parameters.sweep_cpu_ns_per_byte, _MIN_CPU_NS_PER_BYTE)
        self._per_byte = 0.0  # the pace: span bytes swept per byte allocated
        self._background = 0.0  # span bytes per ns that the background sweeper sweeps
        self._begins, self._ends = env.event(), env.event()

    def begin(self, trigger_bytes: int, idle_procs: float) -> None:
        """Sets the sweep pace at the end of marking, for allocation and for the background sweeper.

        ``idle_procs`` is the number of Ps that the program leaves idle on average. The runtime's pace ends sweeping
        1 MiB before the current trigger (``gcPaceSweeper``). Together with the background sweeper's turns sweeping
        ends earlier (``SWEPT_ON_THE_WAY``). Allocation sweeps faster if it needs the space, because it takes no fresh
        pages while unswept spans are left (``mcentral.cacheSpan``, ``mheap.reclaim``).
        """
        heap = self._heap
        pages = sweep_pages_per_byte(
            heap.unswept_bytes / PAGE_BYTES,
            0,
            trigger_bytes=trigger_bytes,
            heap_live_bytes=int(heap.heap_live_bytes),
        )
        paced = PAGE_BYTES * float(pages) / SWEPT_ON_THE_WAY
        self._per_byte = max(paced, 1.0 / max(heap.reclaimed_per_span_byte, 1e-3))
        self._background = min(max(idle_procs, 0.0), 1.0) / self._cpu_ns_per_byte
        if self._background > 0.0 and not self._begins.triggered:
            self._begins.succeed()

    def slowness(self, alloc_bytes_per_ns: float) -> float:
        """CPU time per allocated byte over the CPU time without sweeping, 1 or more, at that allocation rate."""
        if self._heap.unswept_bytes == 0.0:
            return 1.0
        per_cpu_ns = self._parameters.alloc_bytes_per_cpu_ns * self._cpu_ns_per_byte
        by_all = 1.0 + per_cpu_ns * self._per_byte
        by_background = 1.0 + per_cpu_ns * self._background / max(alloc_bytes_per_ns, 1e-12)
        return max(by_all / by_background, 1.0)

    def swept_per_byte(self, alloc_bytes_per_ns: float) -> float:
        """Span bytes swept, by allocation and background together, per byte allocated at that rate."""
        return max(self._per_byte, self._background / max(alloc_bytes_per_ns, 1e-12))

    def until_done_ns(self, alloc_bytes_per_ns: float) -> int:
        """Time until everything is swept at this rate of allocation, ns; ``_NEVER_NS`` if nothing sweeps."""
        rate = max(self._background, self._per_byte * alloc_bytes_per_ns)
        left = self._heap.unswept_bytes
        if left == 0.0 or rate <= 0.0:
            return _NEVER_NS
        return max(math.ceil(left / rate), _SHORTEST_STEP_NS)

    def record_allocation(self, allocated_bytes: float, elapsed_ns: int, program_ns: float) -> None:
        """Sweeps what was due during ``elapsed_ns`` of allocation that used ``program_ns`` of CPU time.

        The background sweeper uses the CPU time that the program left. The program sweeps the rest that the pace asks.
        """
        heap, p = self._heap, self._parameters
        idle_ns = max(elapsed_ns * p.gomaxprocs - program_ns, 0.0)
        by_background = min(
            self._background * elapsed_ns, idle_ns / self._cpu_ns_per_byte, heap.unswept_bytes
        )
        self._machine.mutator_ns += by_background * self._cpu_ns_per_byte
        self._sweep(max(by_background, self._per_byte * allocated_bytes))

    def finish_ns(self, busy_procs: float) -> int:
        """Sweeps everything that is left and returns how long that takes, ns (``gcStart``).

        A cycle cannot start before. Every goroutine that allocates finds the trigger passed and sweeps too, so that
        ``busy_procs`` Ps sweep.
        """
        left = self._heap.unswept_bytes
        cpu_ns = left * self._parameters.sweep_cpu_ns_per_byte
        self._sweep(left)
        self._machine.mutator_ns += cpu_ns
        return math.ceil(cpu_ns / max(busy_procs, 1.0))

    def run(self, env: Environment) -> Generator[Event, Any, None]:
        """The background sweeper's goroutine as a SimPy process; it works from mark end until everything is swept."""
        while True:
            self._begins, self._ends = env.event(), env.event()
            yield self._begins
            yield self._ends
            self._background = 0.0

    def _sweep(self, span_bytes: float) -> None:
        self._heap.sweep(span_bytes)
        if self._heap.unswept_bytes == 0.0 and self._background > 0.0 and not self._ends.triggered:
            self._ends.succeed()
