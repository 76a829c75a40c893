"""The scenarios: their switches, their settings, and the finding that must come first.

Rules and thresholds were chosen on the design half. The reported half was written after that, and each of its runs was
diagnosed once by rules that had not met it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Half = Literal["design", "reported", "second"]
GO_VERSIONS = ("1.27.3", "1.21.13")
CONFIRMATION_GO = "1.24.11"  # further runs of the design half, with other sizes and numbers of goroutines
HEALTHY = "healthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One service with its settings and the evidence that is written and given."""

    name: str
    expected: tuple[str, ...]  # the finding that must come first; one of these
    switches: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()  # written by the program: heap, allocs, goroutine, dump, memstats, metrics
    options: tuple[str, ...] = ()  # of gcsim diagnose
    cpus: float | None = None  # CPU quota of the cgroup
    seconds: float = 20.0
    program: str = "diagnose"  # the program of this folder, or one of experiments/programs
    bare: bool = False  # diagnosed without its side file, as the output of kubectl logs

    @property
    def is_healthy(self) -> bool:
        """Whether no finding may be serious."""
        return self.expected == (HEALTHY,)


def _fault(name: str, expected: str, switches: str, settings: str = "", **more: object) -> Scenario:
    environment = dict(pair.split("=", 1) for pair in settings.split())
    return Scenario(
        name=name,
        expected=tuple(expected.split()),
        switches=tuple(switches.split()),
        environment=environment,
        **more,  # type: ignore[arg-type]  # other fields of Scenario, each call names its own
    )


DESIGN_FAULTS = (
    _fault("assists", "assists-slow-program", "-live 100 -rate 0 -workers 4 -work 0"),
    _fault("ballast", "heap-ballast", "-live 2 -rate 10000 -size 16 -fault ballast"),
    _fault(
        "blocked-finalizer",
        "finalizer-blocked",
        "-live 20 -rate 6000 -fault finalizer",
        evidence=("dump",),
    ),
    _fault(
        "cpu-quota",
        "gomaxprocs-above-quota cpu-throttled",
        "-live 30 -rate 0 -workers 8 -work 4",
        "GOMAXPROCS=8",
        cpus=0.6,
    ),
    _fault(
        "death-spiral", "memory-limit-below-live-heap", "-live 80 -rate 5000", "GOMEMLIMIT=70MiB GOGC=100"
    ),
    _fault("forced-gc", "forced-collections", "-live 40 -rate 4000 -fault forced"),
    _fault(
        "fragmentation",
        "fragmentation",
        "-live 5 -rate 300 -size 2 -fault fragmentation",
        evidence=("memstats",),
    ),
    _fault("gogc-low", "gogc-too-low", "-live 60 -rate 6000", "GOGC=10"),
    _fault("goroutine-leak", "goroutine-leak", "-live 20 -rate 6000 -fault goroutines"),
    _fault("heap-minimum", "heap-minimum", "-live 0 -rate 0 -workers 2 -work 2", seconds=12.0),
    _fault(
        "http-bodies",
        "goroutine-leak",
        "-live 20 -rate 6000 -fault http-bodies",
        evidence=("goroutine",),
    ),
    _fault("large-allocations", "large-allocations", "-live 10 -rate 500 -fault large"),
    _fault("leak-fast", "heap-leak", "-live 20 -rate 8000 -fault leak -leak 10"),
    _fault("leak-slow", "heap-leak", "-live 30 -rate 8000 -fault leak -leak 0.6", seconds=25.0),
    _fault(
        "leak-under-limit",
        "heap-leak",
        "-live 20 -rate 8000 -fault leak -leak 4",
        "GOMEMLIMIT=75MiB",
    ),
    _fault("limit-missing", "memory-limit-missing", "-live 60 -rate 8000", options=("--memory", "135Mi")),
    _fault("limit-near-live", "memory-limit-near-live-heap", "-live 60 -rate 10000", "GOMEMLIMIT=82MiB"),
    _fault(
        "limit-over-container",
        "memory-limit-too-near-container",
        "-live 60 -rate 10000",
        "GOMEMLIMIT=255MiB GOGC=off",
        options=("--memory", "256Mi"),
    ),
    _fault("pauses", "long-pauses", "-live 30 -rate 10000 -fault loops", "GODEBUG=asyncpreemptoff=1"),
    _fault(
        "slow-finalizer",
        "finalizer-backlog",
        "-live 20 -rate 6000 -fault slow-finalizer",
        evidence=("dump", "metrics"),
    ),
    _fault("pool-misses", "pool-misses", "-live 4 -rate 500 -size 2 -fault pool", evidence=("allocs",)),
)
DESIGN_HEALTHY = (
    _fault("batch", HEALTHY, "-live 40 -rate 0 -workers 2 -work 30"),
    _fault("bursts", HEALTHY, "-live 40 -rate 12000 -fault bursts"),
    _fault("finalizers", HEALTHY, "-live 20 -rate 6000 -fault finalizers", evidence=("dump", "metrics")),
    _fault("gogc-400", HEALTHY, "-live 30 -rate 12000", "GOGC=400"),
    _fault(
        "gogc-off-under-a-limit",
        HEALTHY,
        "-live 60 -rate 10000",
        "GOGC=off GOMEMLIMIT=360MiB",
        options=("--memory", "512Mi"),
    ),
    _fault("large-live", HEALTHY, "-live 200 -rate 8000"),
    _fault("many-goroutines", HEALTHY, "-live 20 -rate 6000 -fault steady-goroutines"),
    _fault("quiet", HEALTHY, "-live 20 -rate 60"),
    _fault(
        "roomy-limit",
        HEALTHY,
        "-live 40 -rate 8000",
        "GOMEMLIMIT=400MiB",
        options=("--memory", "512Mi"),
    ),
    _fault("steady", HEALTHY, "-live 40 -rate 8000"),
    _fault("warm-up", HEALTHY, "-live 10 -rate 8000 -fault cache"),
)


def confirmation(scenario: Scenario) -> Scenario:
    """The scenario for the confirmation runs: twice the workers, and requests twice as large at half the rate."""
    switches = dict(zip(scenario.switches[::2], scenario.switches[1::2], strict=True))
    switches["-workers"] = str(2 * int(switches.get("-workers", "2")))
    switches["-size"] = str(2 * int(switches.get("-size", "8")))
    if int(switches.get("-rate", "0")):
        switches["-rate"] = str(int(switches["-rate"]) // 2)
    return replace(scenario, switches=tuple(word for pair in switches.items() for word in pair))


REPORTED_FAULTS = (
    _fault(
        "fragmented-cache", "fragmentation", "-live 5 -rate 3000 -fault random-drops", evidence=("memstats",)
    ),
    _fault("free-os-memory", "forced-collections", "-live 50 -rate 5000 -fault free-os-memory"),
    _fault("gogc-in-code", "gogc-too-low", "-live 50 -rate 8000 -fault gc-percent", bare=True),
    _fault("leak-at-full-speed", "heap-leak", "-live 20 -rate 0 -work 6 -fault leak -leak 3", bare=True),
    _fault("listeners", "heap-leak", "-live 25 -rate 6000 -fault listeners -leak 2", bare=True),
    _fault(
        "pool-errors", "pool-misses", "-live 10 -rate 1000 -size 2 -fault pool-errors", evidence=("allocs",)
    ),
    _fault(
        "quota-half-a-cpu",
        "gomaxprocs-above-quota cpu-throttled",
        "-live 40 -rate 0 -workers 4 -work 6",
        cpus=0.5,
    ),
    _fault("read-all", "large-allocations", "-live 15 -rate 1000 -fault read-all", bare=True),
    _fault(
        "select-forever",
        "goroutine-leak",
        "-live 20 -rate 5000 -fault select",
        evidence=("goroutine",),
        bare=True,
    ),
    _fault(
        "spiral-without-gogc",
        "memory-limit-below-live-heap",
        "-live 90 -rate 5000",
        "GOGC=off GOMEMLIMIT=85MiB",
    ),
)
REPORTED_HEALTHY = tuple(
    _fault(name, HEALTHY, f"-rate {rate}", program=name, bare=bare)
    for name, rate, bare in (
        ("arena", 2500, False),
        ("bidder", 1200, True),
        ("broker", 4000, False),
        ("forge", 800, True),
        ("gateway", 1500, False),
        ("kvstore", 3000, True),
        ("mailer", 1500, False),
        ("sessions", 5000, True),
        ("suggest", 8000, False),
        ("tsdb", 3500, True),
    )
)


def again(scenario: Scenario) -> Scenario:
    """The scenario for the second reported half: other sizes and rates, and healthy services with their side files."""
    switches = dict(zip(scenario.switches[::2], scenario.switches[1::2], strict=True))
    if scenario.program == "diagnose":
        switches["-live"] = str(3 * int(switches.get("-live", "30")) // 2)
        switches["-size"] = str(2 * int(switches.get("-size", "8")))
        switches["-rate"] = str(int(switches.get("-rate", "2000")) // 2)
        if "-leak" in switches:
            switches["-leak"] = f"{0.7 * float(switches['-leak']):.1f}"
    else:
        switches["-rate"] = str(6 * int(switches["-rate"]) // 10)
    limit = scenario.environment.get("GOMEMLIMIT", "").removesuffix("MiB")
    environment = {"GOMEMLIMIT": f"{3 * int(limit) // 2}MiB"} if limit else {}
    return replace(
        scenario,
        name=f"{scenario.name}-again",
        switches=tuple(word for pair in switches.items() for word in pair),
        environment={**scenario.environment, **environment},
        bare=scenario.bare and not scenario.is_healthy,
        seconds=16.0,
    )


DESIGN = DESIGN_FAULTS + DESIGN_HEALTHY
REPORTED = REPORTED_FAULTS + REPORTED_HEALTHY
SECOND = tuple(again(one) for one in REPORTED)
SCENARIOS = DESIGN + REPORTED + SECOND


def half_of(scenario: Scenario) -> Half:
    """The half that a scenario belongs to."""
    if scenario in DESIGN:
        return "design"
    return "reported" if scenario in REPORTED else "second"
