"""The options for constraints and for the aim of ``gcsim recommend``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gcsim.cli.options import Command, with_options
from gcsim.errors import InputError
from gcsim.printable import quoted
from gcsim.tuning.bounds import BOUNDS, MEMORY_NAME, parse_confidence
from gcsim.units import parse_memory_size

if TYPE_CHECKING:
    from gcsim.cli.progress import Report
    from gcsim.engine.executors import Executor
    from gcsim.engine.plan import Plan
    from gcsim.service.model import Model
    from gcsim.tuning.aim import Objective
    from gcsim.tuning.constraints import Constraint
    from gcsim.tuning.recommendation import Recommendation

_OBJECTIVES: tuple["Objective", ...] = ("cpu", "memory", "latency")

OtherMemoryOption = Annotated[
    str | None,
    typer.Option(
        "--other-memory",
        metavar="SIZE",
        help="Memory of the container that is not this Go program's: sidecars, tmpfs, C libraries.",
    ),
]
_ConfidenceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--confidence",
        metavar="[NAME=]P",
        help="Share of runs that must keep a constraint, such as 99%, or gc-cpu=90% for one; may be repeated"
        " [default: memory=99%, 95% for others].",
    ),
]
_ObjectiveOption = Annotated[
    str,
    typer.Option("--objective", metavar="cpu|memory|latency", help="What the choice makes small."),
]
_SpendOption = Annotated[
    bool,
    typer.Option(
        "--spend-memory", help="Also use memory of which a doubling saves less than 1 % of all CPU."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The bounds by metric, their probabilities, and the aim."""

    bounds: dict[str, float]
    confidence: dict[str, float]  # as ``parse_confidence`` returns it
    objective: "Objective"
    spend_memory: bool

    @property
    def constraints(self) -> "list[Constraint]":
        """The constraints that the options state."""
        from gcsim.tuning.constraints import USUAL_CONFIDENCE, Constraint

        found = []
        for bound in BOUNDS:
            if bound.metric not in self.bounds:
                continue
            make = Constraint.at_least if bound.is_lower else Constraint.at_most
            share = self.confidence.get(bound.name, self.confidence.get("", USUAL_CONFIDENCE))
            found.append(make(bound.metric, self.bounds[bound.metric], confidence=share))
        return found

    @property
    def memory_confidence(self) -> float:
        """The share of runs that must keep the memory."""
        from gcsim.tuning.constraints import MEMORY_CONFIDENCE

        return self.confidence.get(MEMORY_NAME, self.confidence.get("", MEMORY_CONFIDENCE))

    def recommendation(
        self,
        model: "Model",
        memory_bytes: int,
        *,
        other_memory_bytes: int,
        gomaxprocs: int | None,
        go: str | None,
        plan: "Plan",
        progress: "Report",
        executor: "Executor",
    ) -> "Recommendation":
        """The recommendation in a container of this size."""
        from gcsim.tuning.recommend import recommend

        return recommend(
            model,
            memory_bytes=memory_bytes,
            other_memory_bytes=other_memory_bytes,
            constraints=self.constraints,
            memory_confidence=self.memory_confidence,
            objective=self.objective,
            spend_memory=self.spend_memory,
            gomaxprocs=gomaxprocs,
            go=go,
            plan=plan,
            progress=progress,
            executor=executor,
        )

    def check(self, model: "Model") -> None:
        """Raises InputError for a bound on requests of a model without requests, or on the time of no job."""
        if "request_p99_seconds" in self.bounds and model.requests is None:
            raise InputError(
                f"--max-request-p99: {model.name} has no requests, so their latency is unknown; run gcsim calibrate"
                " with --requests and the result of a load test, or leave the option out"
            )
        if "job_wall_seconds" in self.bounds and model.growth.form != "job":
            raise InputError(
                f"--max-job-time: {model.name} is no job, so it has no end; run gcsim calibrate with --job if each log"
                " is one whole run, or leave the option out"
            )


_BOUND_OPTIONS: dict[str, tuple[Any, Any]] = {
    bound.option.strip("-").replace("-", "_"): (
        Annotated[str | None, typer.Option(bound.option, metavar=bound.metavar, help=bound.help)],
        None,
    )
    for bound in BOUNDS
}
_AIM_OPTIONS: dict[str, tuple[Any, Any]] = {
    "confidence": (_ConfidenceOption, None),
    "objective": (_ObjectiveOption, "cpu"),
    "spend_memory": (_SpendOption, False),
}


def constrains() -> Command:
    """Gives a command the options of ``BOUNDS`` and of the aim in place of its parameter ``wanted``, a ``Wanted``."""
    return with_options("wanted", _BOUND_OPTIONS | _AIM_OPTIONS, _wanted)


def _wanted(chosen: dict[str, Any]) -> Wanted:
    """The checked options. Raises InputError."""
    texts = zip(BOUNDS, (chosen[name] for name in _BOUND_OPTIONS), strict=True)
    bounds = {bound.metric: bound.parse(text, what=bound.option) for bound, text in texts if text is not None}
    confidence = parse_confidence(chosen["confidence"] or [])
    _check_names(confidence, bounds)
    return Wanted(
        bounds=bounds,
        confidence=confidence,
        objective=_objective(chosen["objective"]),
        spend_memory=chosen["spend_memory"],
    )


def parse_other_memory(text: str | None) -> int:
    """The value of ``--other-memory`` in bytes; 0 without it. Raises InputError."""
    return 0 if text is None else parse_memory_size(text, what="--other-memory")


def _check_names(confidence: dict[str, float], bounds: dict[str, float]) -> None:
    """Raises InputError for a probability of a constraint that no option states."""
    for bound in BOUNDS:
        if bound.name in confidence and bound.metric not in bounds:
            raise InputError(f"--confidence: {bound.name} has no bound; add {bound.option}")


def _objective(text: str) -> "Objective":
    for name in _OBJECTIVES:
        if text == name:
            return name
    raise InputError(f"--objective: unknown objective {quoted(text)}; write one of {', '.join(_OBJECTIVES)}")
