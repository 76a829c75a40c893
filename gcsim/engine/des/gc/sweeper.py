"""Sweeping between two collections: by the background sweeper where a P idles, and by whoever allocates.

The background sweeper is one goroutine that gives way after every ten spans unless a P is idle (Go 1.19+
``bgsweep``, ``goschedIfBusy``). Where the program keeps every P busy both sweep in proportion to the heap's growth
(``deductSweepCredit``, and the sweeper's turns), and the program pays. Where Ps idle the sweeper has up to one of them,
and allocation pays only for what it is behind the pace by.
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
_SHORTEST_LOOK_NS = 200_000  # while the program has all Ps the background sweeper waits for one
_LEAST_CPU_NS_PER_BYTE = 1e-6  # a byte is never swept in no time


class Sweeper:
    """What is left to sweep, at which pace, and who does it; rates in span bytes per ns."""

    def __init__(
        self, env: Environment, machine: Machine, heap: HeapMemory, parameters: RunParameters
    ) -> None:
        self._machine, self._heap, self._parameters = machine, heap, parameters
        self._cpu_ns_per_byte = max(parameters.sweep_cpu_ns_per_byte, _LEAST_CPU_NS_PER_BYTE)
        self._per_byte = 0.0  # the pace: spans swept for each byte allocated
        self._background = 0.0
        self._begins, self._ends = env.event(), env.event()

    def begin(self, trigger_bytes: int, idle_procs: float) -> None:
        """Marking has ended: sets the pace of allocation and of the background sweeper's turns together.

        The runtime's own pace is to be done a MiB before the trigger as it is now (``gcPaceSweeper``); with those turns
        all is swept earlier (``SWEPT_ON_THE_WAY``). Allocation sweeps faster than that where it needs the room: it
        takes no fresh pages while there are spans to sweep (``mcentral.cacheSpan``, ``mheap.reclaim``).
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
        """CPU time per byte allocated over that without sweeping, for a program that could allocate that fast."""
        if self._heap.unswept_bytes == 0.0:
            return 1.0
        per_cpu_ns = self._parameters.alloc_bytes_per_cpu_ns * self._cpu_ns_per_byte
        by_all = 1.0 + per_cpu_ns * self._per_byte
        by_background = 1.0 + per_cpu_ns * self._background / max(alloc_bytes_per_ns, 1e-12)
        return max(by_all / by_background, 1.0)

    def swept_per_byte(self, alloc_bytes_per_ns: float) -> float:
        """Span bytes swept, by whomever, for each byte allocated at that pace."""
        return max(self._per_byte, self._background / max(alloc_bytes_per_ns, 1e-12))

    def until_done_ns(self, alloc_bytes_per_ns: float) -> int:
        """When all will be swept at this pace of allocation; far in the future where nobody sweeps."""
        rate = max(self._background, self._per_byte * alloc_bytes_per_ns)
        left = self._heap.unswept_bytes
        if left == 0.0 or rate <= 0.0:
            return _NEVER_NS
        return max(math.ceil(left / rate), _SHORTEST_LOOK_NS)

    def record_allocation(self, allocated_bytes: float, elapsed_ns: int, program_ns: float) -> None:
        """After a stretch of allocation, which used ``program_ns`` of CPU: what was swept meanwhile.

        The background sweeps on the CPU that the program left; the program sweeps what it then owes.
        """
        heap, p = self._heap, self._parameters
        idle_ns = max(elapsed_ns * p.gomaxprocs - program_ns, 0.0)
        by_background = min(
            self._background * elapsed_ns, idle_ns / self._cpu_ns_per_byte, heap.unswept_bytes
        )
        self._machine.mutator_ns += by_background * self._cpu_ns_per_byte
        self._sweep(max(by_background, self._per_byte * allocated_bytes))

    def finish_ns(self, busy_procs: float) -> int:
        """Sweeps what is left before a cycle can start, and says how long that takes (``gcStart``).

        Every goroutine that comes to allocate finds the trigger passed and sweeps too.
        """
        left = self._heap.unswept_bytes
        cpu_ns = left * self._parameters.sweep_cpu_ns_per_byte
        self._sweep(left)
        self._machine.mutator_ns += cpu_ns
        return math.ceil(cpu_ns / max(busy_procs, 1.0))

    def run(self, env: Environment) -> Generator[Event, Any, None]:
        """The background sweeper's goroutine, as a SimPy process: at work from mark end until all is swept."""
        while True:
            self._begins, self._ends = env.event(), env.event()
            yield self._begins
            yield self._ends
            self._background = 0.0

    def _sweep(self, span_bytes: float) -> None:
        self._heap.sweep(span_bytes)
        if self._heap.unswept_bytes == 0.0 and self._background > 0.0 and not self._ends.triggered:
            self._ends.succeed()
