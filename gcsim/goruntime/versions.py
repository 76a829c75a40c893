"""What the Go runtime's collector did in which version: one table, and the rules that follow from it.

``CHANGES`` is the only place that knows a version number. ``rules_for`` adds up the changes up to a
version, so that a rule elsewhere asks ``rules.triggered_is_heap_live`` and never compares versions.
Checked against the source of Go 1.19.8, 1.21.13, 1.22.10, 1.23.9, 1.24.11, 1.25.5, 1.26.6, 1.27.3; what
happened before 1.19 is from the public history and the release notes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal

from gcsim.errors import InputError
from gcsim.units import MIB

OLDEST_MINOR = 2
NEWEST_MINOR = 27

ConsMarkSmoothing = Literal["none", "proportional", "controller", "mean_of_two", "max_of_five"]
WriteBarrier = Literal["none", "dijkstra", "hybrid"]
TriggerBounds = Literal["goal", "ratio", "float", "sixty_fourths"]
StackTerm = Literal["none", "allocated", "scanned"]
GctraceFormat = Literal["1.2", "1.3", "1.5", "1.6", "1.18", "1.26"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoRules:
    """The rules of one minor version of Go, as its default build runs them on linux/amd64."""

    go: str  # the minor version, "1.27"
    minor: int
    # collection
    concurrent: bool  # marks beside the program (1.5+); before, the world stands still while marking
    write_barrier: WriteBarrier
    stack_rescan: bool  # stacks are scanned again with the world stopped (1.5-1.7)
    async_preemption: bool  # a tight loop cannot hold up a pause (1.14+)
    green_tea: bool  # small objects are marked by the span (default 1.26+)
    green_tea_vector: bool  # dense spans are scanned with AVX-512, whole slots counted as scan work
    marking_wakes_idle_processors: bool  # enlistWorker: new mark work wakes idle Ps
    idle_workers_limited: bool  # at most P - dedicated idle workers (1.19+)
    # pacer
    cons_mark_smoothing: ConsMarkSmoothing  # how endCycle remembers cons/mark (<= 1.17: the trigger ratio)
    trigger_bounds: TriggerBounds  # arithmetic of the trigger's lower and upper bound
    min_trigger_ratio_percent: int  # of GOGC/100: the trigger ratio's lower bound (1.14-1.17), 0 for none
    triggered_is_heap_live: bool  # "triggered" is heapLive at the start, not the computed trigger (1.20+)
    goal_utilization_percent: int | None  # CPU share the controller steers to, assists included
    hard_goal_percent: int | None  # hard goal as a share of the goal; None: 100 + GOGC, by GOGC (1.18+)
    goal_counts_roots: bool  # stacks and globals enter the heap goal (1.18+)
    goal_stack_term: StackTerm  # which stack size enters the heap goal
    # memory limit
    memory_limit: bool  # GOMEMLIMIT and the GC CPU limiter (1.19+)
    limit_headroom_percent: int
    limit_headroom_min_bytes: int
    scavenge_limit_goal_percent: int | None  # background scavenger's goal, of the limit; 9500: never reached
    # memory
    background_scavenger: bool  # paced, 1 % of CPU (1.13+)
    scavenger_skips_dense_chunks: bool  # background scavenging leaves dense 4 MiB chunks alone (1.21+)
    concurrent_sweep: bool  # sweeping beside the program (1.3+)
    sweep_batch_spans: int  # spans between two yields of the background sweeper: 0 none, 1, 10 (1.20+)
    proportional_sweep: bool  # allocation sweeps in step with heap growth (1.5+)
    alloc_headers: bool  # 8-byte type header on pointerful objects over 512 B (1.22+)
    inline_mark_bits: bool  # 128 B of mark bits inside small-object spans (with Green Tea)
    size_specialized_malloc: bool  # fast path for small sizes, not taken while marking (1.27+)
    pool_victim_cache: bool  # sync.Pool survives one collection (1.13+)
    # surroundings
    cgroup_gomaxprocs: bool  # default GOMAXPROCS follows the CPU quota (1.25+, go.mod go >= 1.25)
    gctrace_format: GctraceFormat  # first version that printed this form of line
    gctrace_goal_at_mark_end: bool  # "MB goal" is the goal at mark end, not at the start (1.19+)
    gctrace_stack_term: StackTerm  # what "MB stacks" prints
    pause_cpu_counts_stopped_time: bool  # GC % counts each P's stopped time, not wall × P (1.23+)

    def __post_init__(self) -> None:
        if not OLDEST_MINOR <= self.minor <= NEWEST_MINOR or self.go != f"1.{self.minor}":
            raise ValueError(f"no rules for go {self.go!r}, minor {self.minor}")
        if self.concurrent == (self.write_barrier == "none"):
            raise ValueError("a concurrent collector has a write barrier, a stop-the-world one has none")
        if (self.scavenge_limit_goal_percent is not None) != self.memory_limit:
            raise ValueError("a limit goal for the scavenger exists exactly where a memory limit does")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that a Go version changed: what, where in the runtime, and the fields of GoRules it sets.

    ``rules`` may be empty for a change that no rule of the simulator depends on but a reader should know.
    """

    minor: int
    what: str
    source_function: str
    rules: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def go(self) -> str:
        return f"1.{self.minor}"


def _change(minor: int, what: str, source_function: str, **rules: Any) -> Change:
    return Change(minor=minor, what=what, source_function=source_function, rules=MappingProxyType(rules))


_GO_1_2 = GoRules(
    go="1.2",
    minor=2,
    concurrent=False,
    write_barrier="none",
    stack_rescan=False,
    async_preemption=False,
    green_tea=False,
    green_tea_vector=False,
    marking_wakes_idle_processors=False,
    idle_workers_limited=False,
    cons_mark_smoothing="none",
    trigger_bounds="goal",
    min_trigger_ratio_percent=0,
    triggered_is_heap_live=False,
    goal_utilization_percent=None,
    hard_goal_percent=100,
    goal_counts_roots=False,
    goal_stack_term="none",
    memory_limit=False,
    limit_headroom_percent=0,
    limit_headroom_min_bytes=0,
    scavenge_limit_goal_percent=None,
    background_scavenger=False,
    scavenger_skips_dense_chunks=False,
    concurrent_sweep=False,
    sweep_batch_spans=0,
    proportional_sweep=False,
    alloc_headers=False,
    inline_mark_bits=False,
    size_specialized_malloc=False,
    pool_victim_cache=False,
    cgroup_gomaxprocs=False,
    gctrace_format="1.2",
    gctrace_goal_at_mark_end=False,
    gctrace_stack_term="none",
    pause_cpu_counts_stopped_time=False,
)

CHANGES: tuple[Change, ...] = (
    _change(2, "stop-the-world: the collection starts when the heap reaches its goal", "mgc0.c: gc"),
    _change(
        3,
        "sweeping runs beside the program; gctrace prints microseconds",
        "mgc0.c: bgsweep, gc",
        concurrent_sweep=True,
        sweep_batch_spans=1,
        gctrace_format="1.3",
    ),
    _change(
        5,
        "marking runs beside the program, with Dijkstra's insertion barrier; stacks are scanned twice",
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
        "the background scavenger leaves dense 4 MiB chunks alone; scavtrace tells bg from eager",
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


@lru_cache
def _minor_rules(minor: int) -> GoRules:
    """The default rules of Go 1.minor: every change up to it, in order."""
    values: dict[str, Any] = {f.name: getattr(_GO_1_2, f.name) for f in fields(GoRules)}
    for change in CHANGES:
        if change.minor <= minor:
            values.update(change.rules)
    return GoRules(**{**values, "go": f"1.{minor}", "minor": minor})


def known_versions() -> tuple[str, ...]:
    """Every minor version with rules, oldest first: "1.2" … "1.27"."""
    return tuple(f"1.{minor}" for minor in range(OLDEST_MINOR, NEWEST_MINOR + 1))


def parse_go_version(go: str, *, what: str = "--go") -> int:
    """The minor number of ``1.27``, ``go1.26.6``, ``1.26rc1`` or ``runtime.Version``'s text.

    Raises InputError for what is no Go version, and names the nearest for one without rules.
    """
    match = re.match(r"(?:go ?)?(\d+)\.(\d+)(?:\.\d+)?(?:(?:rc|beta)\d+)?(?:[-+ ].*)?$", go.strip())
    if match is None:
        raise InputError(f"{what}: {go!r} is not a Go version; write for example 1.{NEWEST_MINOR}")
    major, minor = int(match[1]), int(match[2])
    if major == 1 and OLDEST_MINOR <= minor <= NEWEST_MINOR:
        return minor
    nearest = NEWEST_MINOR if major > 1 or minor > NEWEST_MINOR else OLDEST_MINOR
    raise InputError(
        f"{what}: no rules for Go {major}.{minor}; the nearest is 1.{nearest}"
        f" (known: 1.{OLDEST_MINOR} to 1.{NEWEST_MINOR})"
    )


def rules_for(go: str, *, what: str = "--go") -> GoRules:
    """The rules of a Go version, patch level ignored; ``what`` names the option in an error.

    A GOEXPERIMENT suffix as ``runtime.Version`` prints it is honoured where it changes a rule:
    ``go1.27.3 X:nogreenteagc``, ``go1.25.5 X:greenteagc``, ``go1.22.10 X:noallocheaders``.
    """
    minor = parse_go_version(go, what=what)
    experiments = re.search(r"X:(\S+)", go)
    rules = _minor_rules(minor)
    for name in experiments[1].split(",") if experiments else ():
        rules = _with_experiment(rules, name)
    return rules


def _with_experiment(rules: GoRules, name: str) -> GoRules:
    """One GOEXPERIMENT name; those that change no rule pass unnoticed. internal/buildcfg/exp.go."""
    on = not name.startswith("no")
    match name.removeprefix("no"):
        case "greenteagc" if rules.minor >= 25:
            return replace(
                rules,
                green_tea=on,
                inline_mark_bits=on,
                marking_wakes_idle_processors=on,
                green_tea_vector=on and rules.minor >= 26,
            )
        case "allocheaders" if rules.minor == 22:
            return replace(rules, alloc_headers=on)
        case "sizespecializedmalloc" if rules.minor >= 26:
            return replace(rules, size_specialized_malloc=on)
        case _:
            return rules
