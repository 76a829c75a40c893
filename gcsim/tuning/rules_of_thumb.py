"""Published rules of thumb for GOGC and GOMEMLIMIT in a container, and dynamic tuners.

Each rule is a function of the model, the rest of its settings, and the memory of the container. It returns a fixed
setting, or the setting at the start and a controller. ``docs/explanation/rules-of-thumb.md`` names the projects.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from gcsim.engine.controllers import FIXED_SETTING, Ballast, Controller, ForcedAt, HeapTarget
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.tuning.search import whole_mib
from gcsim.units import GIB

BALLAST_SHARE = 1.0 / 3.0  # of the container
TUNER_SHARE = 0.7
BYTES_PER_CORE = 4.0 * GIB  # the price of memory in CPU: clouds sell 4 GiB with each core of a usual machine
_GO_DEFAULT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule for one service in one container."""

    name: str
    origin: str  # the project that publishes it, or the reason
    settings: Settings  # at the start
    controller: Controller = FIXED_SETTING

    @property
    def moves(self) -> bool:
        """Whether the rule changes the setting while the program runs."""
        return self.controller != FIXED_SETTING


Applied = tuple[Settings, Controller]
Make = Callable[[Model, Settings, int], Applied]


def limit_at(share: float, gogc: int | None = _GO_DEFAULT) -> Make:
    """The rule GOMEMLIMIT = ``share`` x container, with a GOGC."""

    def make(_: Model, base: Settings, memory_bytes: int) -> Applied:
        limit = whole_mib(share * memory_bytes)
        return replace(base, gogc=gogc, gomemlimit_bytes=limit), FIXED_SETTING

    return make


def go_defaults(_: Model, base: Settings, __: int) -> Applied:
    """GOGC=100 without a limit."""
    return replace(base, gogc=_GO_DEFAULT, gomemlimit_bytes=None), FIXED_SETTING


def times_live(model: Model, base: Settings, _: int) -> Applied:
    """GOMEMLIMIT = 1.5 x live heap, whatever the container is."""
    limit = whole_mib(1.5 * model.parameters.live_bytes.value)
    return replace(base, gogc=_GO_DEFAULT, gomemlimit_bytes=limit), FIXED_SETTING


def ballast(model: Model, base: Settings, memory_bytes: int) -> Applied:
    """GOGC=100 with a heap ballast of a third of the container."""
    return go_defaults(model, base, memory_bytes)[0], Ballast(size_bytes=BALLAST_SHARE * memory_bytes)


def tuner(model: Model, base: Settings, memory_bytes: int) -> Applied:
    """GOGC after each collection so that the heap goal is 0.7 x container, between 50 and 500."""
    return go_defaults(model, base, memory_bytes)[0], HeapTarget(goal_bytes=TUNER_SHARE * memory_bytes)


def forced_at(share: float) -> Make:
    """The rule GOGC=100 with a forced collection when the heap reaches ``share`` x container."""

    def make(model: Model, base: Settings, memory_bytes: int) -> Applied:
        return go_defaults(model, base, memory_bytes)[0], ForcedAt(heap_bytes=share * memory_bytes)

    return make


def square_root(model: Model, base: Settings, memory_bytes: int) -> Applied:
    """Extra heap proportional to sqrt(live x allocation rate / mark speed), and a limit of 0.9 x container.

        GC cores = rate / extra x mark CPU,  price = extra / bytes per core
        least sum at  extra = sqrt(rate x mark CPU x bytes per core)

    Mark CPU, the CPU time of one cycle, is live heap over mark speed.
    """
    known = model.parameters
    work = known.alloc_bytes_per_second.value * known.mark_cpu_seconds.value
    roots = known.stack_bytes.value + known.globals_bytes.value
    extra = math.sqrt(work * BYTES_PER_CORE)
    gogc = max(round(100.0 * extra / (known.live_bytes.value + roots)), 1)
    return replace(base, gogc=gogc, gomemlimit_bytes=whole_mib(0.9 * memory_bytes)), FIXED_SETTING


#: Name, origin and function of each rule, in the order of the page.
RULES: tuple[tuple[str, str, Make], ...] = (
    ("Go's defaults", "Go", go_defaults),
    ("limit 0.9", "automemlimit", limit_at(0.9)),
    ("limit 0.9, GOGC=off", "automemlimit, with GOGC=off", limit_at(0.9, None)),
    ("limit 0.8", "OpenTelemetry Collector, NATS, erigon", limit_at(0.8)),
    ("limit 0.7", "Uber's target as a fixed limit", limit_at(0.7)),
    ("1.5 × live heap", "cerbos", times_live),
    ("ballast of a third", "Twitch; formerly the OpenTelemetry Collector", ballast),
    ("tuner, goal 0.7", "Uber's GOGCTuner; gctuner of bytedance/gopkg", tuner),
    ("forced at 0.9", "tuners with watermarks; OpenTelemetry memory_limiter", forced_at(0.9)),
    ("forced at 0.95", "tuners with watermarks", forced_at(0.95)),
    ("square root", "MemBalancer (arXiv 2204.10455)", square_root),
)


def rules_of_thumb(model: Model, base: Settings, memory_bytes: int) -> tuple[Rule, ...]:
    """All rules for one service in a container of ``memory_bytes``; ``base`` has GOMAXPROCS and the Go version."""
    made = [(name, origin, make(model, base, memory_bytes)) for name, origin, make in RULES]
    return tuple(
        Rule(name=name, origin=origin, settings=settings, controller=controller)
        for name, origin, (settings, controller) in made
    )
