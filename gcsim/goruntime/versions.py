"""The rules of the Go runtime's collector in one version.

``rules_for`` applies all changes (``version_changes.py``) up to a version. Other rules test a field such as
``rules.triggered_is_heap_live`` and do not compare versions.
"""

import re
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, Literal

from gcsim.errors import InputError
from gcsim.goruntime.version_changes import CHANGES, NEWEST_MINOR
from gcsim.printable import quoted

OLDEST_MINOR = 2

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
    concurrent: bool  # marks while the program runs (1.5+); before, marking stops the world
    write_barrier: WriteBarrier
    stack_rescan: bool  # stacks are scanned again with the world stopped (1.5-1.7)
    async_preemption: bool  # a tight loop cannot delay a pause (1.14+)
    green_tea: bool  # small objects are marked by the span (default 1.26+)
    green_tea_vector: bool  # dense spans are scanned with AVX-512, whole slots counted as scan work
    marking_wakes_idle_processors: bool  # enlistWorker: new mark work wakes idle Ps
    idle_workers_limited: bool  # at most P - dedicated idle workers (1.19+)
    # pacer
    cons_mark_smoothing: ConsMarkSmoothing  # how endCycle smooths cons/mark (<= 1.17: the trigger ratio)
    trigger_bounds: TriggerBounds  # arithmetic of the trigger's lower and upper bound
    trigger_floor_64ths: int  # lower bound, of the way from marked to goal; 1.18's is the nearest to 0.7
    trigger_ceiling_64ths: int  # upper bound, of the way from marked to goal; 1.18's is the nearest to 0.95
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
    scavenger_skips_dense_chunks: bool  # background scavenging skips dense 4 MiB chunks (1.21+)
    concurrent_sweep: bool  # sweeps while the program runs (1.3+)
    sweep_batch_spans: int  # spans between two yields of the background sweeper: 0 none, 1, 10 (1.20+)
    proportional_sweep: bool  # allocation sweeps in step with heap growth (1.5+)
    alloc_headers: bool  # 8-byte type header on pointerful objects over 512 B (1.22+)
    inline_mark_bits: bool  # 128 B of mark bits inside small-object spans (with Green Tea)
    size_specialized_malloc: bool  # fast path for small sizes, not taken while marking (1.27+)
    pool_victim_cache: bool  # sync.Pool survives one collection (1.13+)
    append_doubles_below: int  # elements; above, append grows a slice by a quarter
    append_grows_smoothly: bool  # from twice to a quarter more (1.18+)
    # environment and logs
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
            raise ValueError("the scavenger has a limit goal if and only if there is a memory limit")


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
    trigger_floor_64ths=0,
    trigger_ceiling_64ths=64,
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
    append_doubles_below=1024,
    append_grows_smoothly=False,
    cgroup_gomaxprocs=False,
    gctrace_format="1.2",
    gctrace_goal_at_mark_end=False,
    gctrace_stack_term="none",
    pause_cpu_counts_stopped_time=False,
)


@lru_cache
def _minor_rules(minor: int) -> GoRules:
    """The default rules of Go 1.minor, with every change up to it."""
    values: dict[str, Any] = {f.name: getattr(_GO_1_2, f.name) for f in fields(GoRules)}
    for change in CHANGES:
        if change.minor <= minor:
            values.update(change.rules)
    return GoRules(**{**values, "go": f"1.{minor}", "minor": minor})


def known_versions() -> tuple[str, ...]:
    """All minor versions with rules, oldest first: "1.2" … "1.27"."""
    return tuple(f"1.{minor}" for minor in range(OLDEST_MINOR, NEWEST_MINOR + 1))


def parse_go_version(go: str, *, what: str = "--go") -> int:
    """The minor number of ``1.27``, ``go1.26.6``, ``1.26rc1`` or ``runtime.Version``'s text.

    Raises InputError for a text that is not a Go version, and for a version without rules, with the nearest known one.
    """
    match = re.match(
        r"(?:go ?)?([0-9]{1,4})\.([0-9]{1,4})(?:\.[0-9]+)?(?:(?:rc|beta)[0-9]+)?(?:[-+ ].*)?$", go.strip()
    )
    if match is None:
        raise InputError(f"{what}: {quoted(go)} is not a Go version; write for example 1.{NEWEST_MINOR}")
    major, minor = int(match[1]), int(match[2])
    if major == 1 and OLDEST_MINOR <= minor <= NEWEST_MINOR:
        return minor
    nearest = NEWEST_MINOR if major > 1 or minor > NEWEST_MINOR else OLDEST_MINOR
    raise InputError(
        f"{what}: no rules for Go {major}.{minor}; the nearest is 1.{nearest}"
        f" (known: 1.{OLDEST_MINOR} to 1.{NEWEST_MINOR})"
    )


def rules_for(go: str, *, what: str = "--go") -> GoRules:
    """The rules of a Go version; the patch level does not matter, ``what`` names the option in an error.

    A GOEXPERIMENT suffix, in the form of ``runtime.Version``, changes the rules that depend on it:
    ``go1.27.3 X:nogreenteagc``, ``go1.25.5 X:greenteagc``, ``go1.22.10 X:noallocheaders``.
    """
    minor = parse_go_version(go, what=what)
    experiments = re.search(r"X:(\S+)", go)
    rules = _minor_rules(minor)
    for name in experiments[1].split(",") if experiments else ():
        rules = _with_experiment(rules, name)
    return rules


def _with_experiment(rules: GoRules, name: str) -> GoRules:
    """The rules with one GOEXPERIMENT; names that affect no rule are ignored. internal/buildcfg/exp.go."""
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
