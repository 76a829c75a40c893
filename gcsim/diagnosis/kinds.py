"""The kinds of findings, in the order of rank: a cause comes before the effects that it has."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """The title of a kind of finding, and its meaning in one sentence."""

    title: str
    meaning: str


#: Names are stable: scripts test them. The order ranks findings of one severity. A leak fills a limit, a limit that is
#: too low makes GC frequent, frequent GC makes assists, and a CPU quota stretches all pauses.
KINDS: dict[str, Kind] = {
    "finalizer-blocked": Kind(
        "blocked finalizer",
        "A finalizer does not return, so objects with finalizers are never freed.",
    ),
    "finalizer-backlog": Kind(
        "backlog of finalizers",
        "Finalizers or cleanups are queued faster than they run, so their objects stay in the heap.",
    ),
    "goroutine-leak": Kind(
        "goroutine leak", "Goroutines accumulate: their stacks or their number grow steadily."
    ),
    "heap-leak": Kind("heap leak", "The live heap grows steadily and does not level off."),
    "fragmentation": Kind(
        "heap fragmentation",
        "Spans in use hold far more memory than objects: a few live objects keep each span.",
    ),
    "memory-limit-below-live-heap": Kind(
        "GOMEMLIMIT below the live heap",
        "The live heap does not fit under the limit: GC runs all the time (death spiral) until its CPU"
        " limiter stops it.",
    ),
    "memory-limit-near-live-heap": Kind(
        "GOMEMLIMIT close to the live heap",
        "The limit leaves little room above the live heap, so cycles are frequent.",
    ),
    "gomaxprocs-above-quota": Kind(
        "GOMAXPROCS above the CPU quota",
        "The runtime uses more threads than the CPU quota allows, so the kernel stops the process in each period.",
    ),
    "cpu-throttled": Kind(
        "CPU throttling", "The kernel stops the process at its CPU quota, in GC phases and pauses too."
    ),
    "cpu-starved": Kind(
        "starved of CPU",
        "Marking takes far longer than the marked memory explains: the process waits for CPU.",
    ),
    "memory-limit-too-near-container": Kind(
        "GOMEMLIMIT too near to the container's memory",
        "Memory that the limit does not count does not fit between the limit and the container.",
    ),
    "memory-limit-missing": Kind(
        "GOMEMLIMIT missing", "The container has a memory limit, and Go does not know it."
    ),
    "pool-misses": Kind(
        "sync.Pool misses", "A sync.Pool makes most of its objects anew instead of reusing them."
    ),
    "forced-collections": Kind(
        "forced collections", "The program calls runtime.GC() or debug.FreeOSMemory() often."
    ),
    "heap-minimum": Kind(
        "heap below the minimum",
        "The live heap is so small that the heap goal is the minimum, 4 MiB x GOGC/100, and cycles are frequent.",
    ),
    "large-allocations": Kind(
        "large allocations", "Single large allocations start cycles and carry the heap past its goal."
    ),
    "gogc-too-low": Kind("GOGC too low", "GOGC is below 100 and GC costs much CPU."),
    "assists-slow-program": Kind(
        "assists slow the program", "Goroutines that allocate must mark: requests are slower while GC marks."
    ),
    "gc-cpu-high": Kind("much CPU in GC", "GC takes much CPU at a usual GOGC."),
    "long-pauses": Kind("long pauses", "The world is stopped for 10 ms or more."),
    "run-queue": Kind(
        "goroutines wait for a P", "All Ps are busy and run queues are long: the service lacks CPU."
    ),
    "memory-outside-heap": Kind(
        "memory outside the Go heap", "Resident memory is far above the heap, its stacks and its free pages."
    ),
    "memory-not-returned": Kind(
        "free memory kept", "Go holds much free memory that it has not returned to the system."
    ),
    "lock-contention": Kind("waiting for locks", "Goroutines wait long for mutexes or channels."),
    "allocation-site": Kind("one site allocates most", "One place in the code allocates most of the bytes."),
    "heap-ballast": Kind(
        "constant pointer-free heap",
        "The live heap is large, constant and free of pointers: a ballast, or a cache of plain bytes.",
    ),
    "heap-warm-up": Kind(
        "warm-up", "The live heap rises and levels off, or the log is too short to call a rise a leak."
    ),
    "idle-marking": Kind("idle marking", "Idle Ps mark: GC uses CPU that the program leaves."),
    "slow-start": Kind(
        "slow initialization", "Packages are initialized for long before main starts; GC is not the reason."
    ),
    "gc-not-the-problem": Kind("GC is not the problem", "GC costs little CPU, and its pauses are short."),
}
