"""The record of a recommendation, and its JSON document."""

from collections.abc import Sequence
from dataclasses import dataclass

from gcsim.engine.plan import Plan
from gcsim.engine.run import Run
from gcsim.settings import Settings
from gcsim.tuning.aim import Aim
from gcsim.tuning.choose import Alternative
from gcsim.tuning.constraints import Margin
from gcsim.tuning.memory_budget import MemoryBudget
from gcsim.tuning.needed import Needed
from gcsim.tuning.stress import Stress, StressTest


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A setting next to the recommended one."""

    run: Run
    held: bool  # whether it meets every constraint and keeps its limit

    def to_json(self) -> dict[str, object]:
        """The JSON document of the run, with the verdict."""
        return {"held": self.held, **self.run.to_json()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unused:
    """The setting that would use the memory beyond the knee, and its advantage over the recommended one."""

    run: Run
    memory_bytes: float  # more, at the median of the peaks
    gc_cpu_fraction: float  # less, of all CPU
    cores: float  # of GC less, for the same work

    def to_json(self) -> dict[str, object]:
        """The JSON document of the run, with the three differences."""
        return {
            "memory_bytes": self.memory_bytes,
            "gc_cpu_fraction": self.gc_cpu_fraction,
            "cores": self.cores,
            **self.run.to_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """A setting, its margins, today's setting, alternatives, stress runs and reasons.

    If no setting is feasible, ``run`` is the nearest miss, ``alternatives`` and ``front`` are empty, ``test`` is None,
    and ``needed`` holds the requirements.
    """

    feasible: bool
    run: Run
    otherwise: Run | None  # the choice, if ``run`` is today's because the change would save too little
    today: Run  # the calibrated GOGC and GOMEMLIMIT, with the requested GOMAXPROCS and Go version
    margins: tuple[Margin, ...]
    alternatives: tuple[Alternative, ...]  # by rising memory
    front: tuple[
        Run, ...
    ]  # of feasible runs: some of the Pareto front of memory and GC CPU, by rising memory
    neighbours: tuple[Neighbour, ...]
    unused: Unused | None  # what the memory beyond the knee would buy
    test: StressTest | None
    needed: Needed | None
    explored: tuple[Run, ...]  # all simulated runs
    memory_bytes: int
    other_memory_bytes: int  # of it: not the program's
    budget: MemoryBudget  # what is known of the memory outside the heap
    aim: Aim
    plan: Plan
    model: str  # its name
    reasons: tuple[str, ...]  # sentences; the first states the prediction, or that no setting is feasible

    @property
    def settings(self) -> Settings:
        """The recommended setting, or the nearest miss."""
        return self.run.settings

    @property
    def available_bytes(self) -> int:
        """The container's memory that is the program's."""
        return self.memory_bytes - self.other_memory_bytes

    @property
    def env(self) -> dict[str, str]:
        """GOGC and GOMEMLIMIT as environment variables."""
        return self.run.settings.environment

    @property
    def stress(self) -> Sequence[Stress]:
        """The stress runs; none for a miss."""
        return () if self.test is None else self.test.stresses

    @property
    def reason(self) -> str:
        """The reasons as one paragraph."""
        return " ".join(self.reasons)

    def to_json(self) -> dict[str, object]:
        """The document of ``gcsim recommend --json``."""
        run, test = self.run.to_json(), self.test
        leaks = None
        if test is not None:
            leaks = {"recommended": test.leak.to_json(), "today": test.today_leak.to_json()}
        return {
            "feasible": self.feasible,
            "settings": run["settings"],
            "env": self.env,
            "metrics": run["metrics"],
            "alternatives": [alternative.to_json() for alternative in self.alternatives],
            "reason": self.reason,
            "memory_bytes": self.memory_bytes,
            "other_memory_bytes": self.other_memory_bytes,
            "objective": self.aim.objective,
            "spend_memory": self.aim.spend_memory,
            "memory": self.budget.to_json(self.run),
            "otherwise": None if self.otherwise is None else self.otherwise.to_json(),
            "today": self.today.to_json(),
            "cores_saved": None if test is None else test.saving.to_json(),
            "margins": [margin.to_json() for margin in self.margins],
            "front": [one.to_json() for one in self.front],
            "neighbours": [one.to_json() for one in self.neighbours],
            "unused": None if self.unused is None else self.unused.to_json(),
            "stress": [item.to_json() for item in self.stress],
            "leak": leaks,
            "needed": None if self.needed is None else self.needed.to_json(),
            **self.plan.to_json(self.model),
        }
