"""The changes of the Go runtime's collector by version, in one table; no other rule names a version number.

A new version of Go needs NEWEST_MINOR and its changes here. The table is checked against the source of Go 1.19.8,
1.21.13, 1.22.10, 1.23.9, 1.24.11, 1.25.5, 1.26.6 and 1.27.3. Changes before 1.19 are from the public history and the
release notes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gcsim.units import MIB

NEWEST_MINOR = 27


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change in a Go version: a description, its place in the runtime, and the fields of GoRules that it sets.

    ``rules`` is empty for a change that affects no rule of the simulator.
    """

    minor: int
    what: str
    source_function: str
    rules: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def go(self) -> str:
        """The version, like "1.27"."""
        return f"1.{self.minor}"


def _change(minor: int, what: str, source_function: str, **rules: object) -> Change:
    return Change(minor=minor, what=what, source_function=source_function, rules=MappingProxyType(rules))


CHANGES: tuple[Change, ...] = (
    _change(2, "stop-the-world: the collection starts when the heap reaches its goal", "mgc0.c: gc"),
    _change(
        3,
        "sweeping runs concurrently with the program; gctrace prints microseconds",
        "mgc0.c: bgsweep, gc",
        concurrent_sweep=True,
        sweep_batch_spans=1,
        gctrace_format="1.3",
    ),
    _change(
        5,
        "marking runs concurrently with the program, with Dijkstra's insertion barrier; stacks are scanned twice",
        "mgc.go: gc; mbarrier.go: writebarrierptr; mgcmark.go: gcscan_m",
        concurrent=True,
        write_barrier="dijkstra",
        stack_rescan=True,
    ),
    _change(
        5,
        "the pacer: a proportional controller (gain 0.5) moves the trigger ratio; workers take 25 % of P",
        "mgc.go: gcControllerState.endCycle, startCycle, revise",
        cons_mark_smoothing="proportional",
        trigger_bounds="ratio",
        goal_utilization_percent=25,
    ),
    _change(
        5,
        "allocation sweeps in proportion to heap growth",
        "mgcsweep.go: deductSweepCredit",
        proportional_sweep=True,
    ),
    _change(5, "gctrace has clock, cpu, heap and goal", "mgc.go: gcMarkTermination", gctrace_format="1.5"),
    _change(6, "gctrace prints three phases", "mgc.go: gcMarkTermination", gctrace_format="1.6"),
    _change(
        8,
        "hybrid write barrier (Yuasa's deletion and Dijkstra's insertion): stacks are black once scanned",
        "mbarrier.go: writebarrierptr_prewrite1; mgc.go: gcMarkDone",
        write_barrier="hybrid",
        stack_rescan=False,
    ),
    _change(
        10,
        "soft and hard goal (1.1 × goal); the controller steers to 30 %, 25 % workers and 5 % assists",
        "mgc.go: gcControllerState.revise, gcGoalUtilization",
        goal_utilization_percent=30,
        hard_goal_percent=110,
    ),
    _change(
        13,
        "a paced background scavenger, 1 % of CPU; sync.Pool keeps a victim cache for one collection",
        "mgcscavenge.go: bgscavenge; sync/pool.go: poolCleanup",
        background_scavenger=True,
        pool_victim_cache=True,
    ),
    _change(
        14,
        "goroutines are preempted asynchronously, so that a loop without calls no longer delays a pause",
        "preempt.go: preemptone, asyncPreempt2",
        async_preemption=True,
    ),
    _change(
        14,
        "the trigger ratio is at least 0.6 of GOGC/100, so that a fast allocator does not always collect",
        "mgc.go: gcSetTriggerRatio",
        min_trigger_ratio_percent=60,
    ),
    _change(
        14,
        "scavtrace=1 prints 'scav' lines; gctrace no longer prints 'scvg' lines",
        "mgcscavenge.go: printScavTrace",
    ),
    _change(
        18,
        "redesigned pacer: cons/mark by a PI controller, runway, 25 %; hard goal (1 + GOGC/100) × goal",
        "mgcpacer.go: gcControllerState.endCycle, commit, revise",
        cons_mark_smoothing="controller",
        trigger_bounds="float",
        trigger_floor_64ths=45,
        trigger_ceiling_64ths=61,
        min_trigger_ratio_percent=0,
        goal_utilization_percent=25,
        hard_goal_percent=None,
    ),
    _change(
        18,
        "stacks and globals enter the heap goal, and gctrace prints them",
        "mgcpacer.go: gcControllerState.commit; mgc.go: gcMarkTermination",
        goal_counts_roots=True,
        goal_stack_term="allocated",
        gctrace_format="1.18",
        gctrace_stack_term="allocated",
    ),
    _change(
        18,
        "append doubles slices below 256 elements, and then grows them by 192 elements and a quarter",
        "slice.go: growslice, nextslicecap",
        append_doubles_below=256,
        append_grows_smoothly=True,
    ),
    _change(
        19,
        "GOMEMLIMIT: a limit-based heap goal with 1 MiB of headroom",
        "mgcpacer.go: gcControllerState.memoryLimitHeapGoal",
        memory_limit=True,
        limit_headroom_min_bytes=MIB,
    ),
    _change(
        19, "the GC CPU limiter: a leaky bucket holds GC to 50 %", "mgclimit.go: gcCPULimiterState.update"
    ),
    _change(
        19,
        "the background scavenger's limit goal is 95 times the limit, by mistake: it never works for it",
        "mgcscavenge.go: gcPaceScavenger",
        scavenge_limit_goal_percent=9500,
    ),
    _change(
        19,
        "the trigger is computed at each test, its bounds 45/64 and 61/64; the goal counts scanned stacks",
        "mgcpacer.go: gcControllerState.trigger, commit",
        trigger_bounds="sixty_fourths",
        goal_stack_term="scanned",
    ),
    _change(
        19,
        "idle mark workers are limited to P less the dedicated ones, none in a periodic collection",
        "mgcpacer.go: gcControllerState.startCycle, setMaxIdleMarkWorkers",
        idle_workers_limited=True,
    ),
    _change(
        19,
        "gctrace prints the goal at mark end",
        "mgc.go: gcMarkTermination",
        gctrace_goal_at_mark_end=True,
    ),
    _change(
        20,
        "cons/mark is the mean of the last two cycles",
        "mgcpacer.go: gcControllerState.endCycle",
        cons_mark_smoothing="mean_of_two",
    ),
    _change(
        20,
        "triggered is heapLive at the start of the cycle",
        "mgcpacer.go: gcControllerState.startCycle",
        triggered_is_heap_live=True,
    ),
    _change(
        20,
        "'MB stacks' is the scanned size, the goal's own term",
        "mgc.go: gcMarkTermination",
        gctrace_stack_term="scanned",
    ),
    _change(
        20,
        "the background sweeper works in batches of ten spans and yields only where no P is idle",
        "mgcsweep.go: bgsweep",
        sweep_batch_spans=10,
    ),
    _change(
        21,
        "cons/mark is the largest of the last five cycles",
        "mgcpacer.go: gcControllerState.endCycle",
        cons_mark_smoothing="max_of_five",
    ),
    _change(
        21,
        "headroom below the memory limit is 3 %, at least 1 MiB",
        "mgcpacer.go: gcControllerState.memoryLimitHeapGoal",
        limit_headroom_percent=3,
    ),
    _change(
        21,
        "the background scavenger leaves dense 4 MiB chunks alone; scavtrace separates bg and eager",
        "mgcscavenge.go: scavengeIndex.find, scavChunkData.shouldScavenge",
        scavenger_skips_dense_chunks=True,
    ),
    _change(
        22,
        "the background scavenger's limit goal is 95 % of the limit",
        "mgcscavenge.go: gcPaceScavenger",
        scavenge_limit_goal_percent=95,
    ),
    _change(
        22,
        "allocation headers: pointerful objects over 512 B carry 8 B, smaller ones 128 B of bitmap per span",
        "mbitmap.go: heapBitsInSpan, mspan.initHeapBits",
        alloc_headers=True,
    ),
    _change(
        23,
        "the pauses' CPU time counts the time each P really stood still",
        "mstats.go: cpuStats.accumulateGCPauseTime",
        pause_cpu_counts_stopped_time=True,
    ),
    _change(
        25,
        "GOMAXPROCS defaults to the cgroup's CPU quota (go.mod go >= 1.25)",
        "cgroup_linux.go: defaultGOMAXPROCS, adjustCgroupGOMAXPROCS",
        cgroup_gomaxprocs=True,
    ),
    _change(
        25, "Green Tea marking as an experiment (GOEXPERIMENT=greenteagc)", "mgcmark_greenteagc.go: scanSpan"
    ),
    _change(
        26,
        "Green Tea marking by default: small objects are queued and scanned by the span",
        "mgcmark_greenteagc.go: tryDeferToSpanScan, scanSpan; internal/buildcfg/exp.go: ParseGOEXPERIMENT",
        green_tea=True,
        green_tea_vector=True,
        marking_wakes_idle_processors=True,
        inline_mark_bits=True,
    ),
    _change(
        26,
        "gctrace may say '(checking for goroutine leaks)'; gcpacertrace prints short floats",
        "mgc.go: gcMarkTermination; print.go: printfloat64",
        gctrace_format="1.26",
    ),
    _change(
        27,
        "small allocations have size-specialised code, which is not taken while marking",
        "malloc_generated.go: mallocgcSmallScanNoHeader*",
        size_specialized_malloc=True,
    ),
)
