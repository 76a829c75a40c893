"""Arguments and options that several commands share."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gcsim.engine.executors import available_cores
from gcsim.engine.plan import Plan
from gcsim.errors import InputError
from gcsim.printable import quoted
from gcsim.settings import Settings
from gcsim.units import parse_count, parse_duration, parse_gogc, parse_gomemlimit, parse_memory_size

if TYPE_CHECKING:
    from gcsim.service.model import Model

Command = Callable[[Callable[..., None]], Callable[..., None]]

MAX_REPLICAS = 10_000
MAX_JOBS = 1000


def whole_number(text: str | int) -> int:
    """The value of an option that must be a whole number; Typer adds the option's name to the error."""
    try:
        return parse_count(text)
    except InputError as error:
        raise typer.BadParameter(str(error)) from error


ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="A model file, or the name of a shipped model.")
]
ModelsArgument = Annotated[
    list[str],
    typer.Argument(metavar="MODEL", help="Model files, folders of them, or names of shipped models."),
]
ProcessOption = Annotated[
    int | None,
    typer.Option(
        "--process",
        metavar="N",
        help="The process to use of a log with several, from 1: see inspect --processes. [default: the one with most"
        " cycles]",
    ),
]
LogsArgument = Annotated[
    list[str], typer.Argument(metavar="LOG", help="gctrace logs or metrics; - is standard input.")
]
GogcOption = Annotated[str | None, typer.Option("--gogc", metavar="G", help="GOGC: a percentage or off.")]
GomemlimitOption = Annotated[
    str | None,
    typer.Option("--gomemlimit", metavar="L", help="GOMEMLIMIT in Go's syntax, such as 512MiB, or off."),
]
GomaxprocsOption = Annotated[
    int | None,
    typer.Option(
        "--gomaxprocs", metavar="P", parser=whole_number, help="GOMAXPROCS [default: as calibrated]."
    ),
]
GoOption = Annotated[
    str | None, typer.Option("--go", metavar="1.X", help="Go version [default: as calibrated].")
]
LoggedGogcOption = Annotated[
    str | None,
    typer.Option("--gogc", metavar="G", help="GOGC of the logged run [default: as captured, or 100]."),
]
LoggedGomemlimitOption = Annotated[
    str | None,
    typer.Option(
        "--gomemlimit", metavar="L", help="GOMEMLIMIT of the logged run [default: as captured, or off]."
    ),
]
LoggedGomaxprocsOption = Annotated[
    int | None,
    typer.Option(
        "--gomaxprocs",
        metavar="P",
        parser=whole_number,
        help="GOMAXPROCS of the logged run [default: as logged].",
    ),
]
LoggedGoOption = Annotated[
    str | None,
    typer.Option(
        "--go", metavar="1.X", help="Go version of the logged run [default: as captured, or the newest]."
    ),
]
ReplicasOption = Annotated[
    int, typer.Option("--replicas", metavar="R", parser=whole_number, help="Simulated runs per setting.")
]
DurationOption = Annotated[
    str | None,
    typer.Option(
        "--duration",
        metavar="TIME",
        help="Length of each run, such as 90s; a job runs to its end [default: 10m; the event engine stops a steady"
        " run when its metrics are known].",
    ),
]
USUAL_DURATION = "10m"
SeedOption = Annotated[
    int,
    typer.Option(
        "--seed",
        metavar="N",
        parser=whole_number,
        help="Seed of all random draws; the same seed gives the same output.",
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        parser=whole_number,
        help="Processes for large simulations; the output is the same for any number [default: all cores].",
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="tcp://HOST:PORT",
        help="Dask cluster for large simulations, in place of --jobs [default: $DASK_SCHEDULER_ADDRESS].",
    ),
]
EngineOption = Annotated[
    str,
    typer.Option("--engine", metavar="des|lanes", help="lanes: cycle by cycle, fast; des: event by event."),
]
MemoryOption = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="Memory of the container, such as 512Mi; settings that exceed it are marked infeasible.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """Checked options of a simulation: the plan, and the length as the user wrote it."""

    plan: Plan
    duration: str
    jobs: int = 1
    scheduler: str | None = None  # address of a Dask scheduler, in place of the processes

    def __str__(self) -> str:
        plan = self.plan
        return f"{self.duration} × {plan.replicas} replicas, seed {plan.seed}, engine {plan.engine}"


def simulation(
    *,
    duration: str | None,
    replicas: int,
    seed: int,
    engine: str,
    jobs: int | None = None,
    scheduler: str | None = None,
) -> Simulation:
    """The options of every simulating command, checked. Raises InputError.

    Without a duration a run of the event engine has the length that its metrics need.
    """
    if not 1 <= replicas <= MAX_REPLICAS:
        raise InputError(f"--replicas must be from 1 to {MAX_REPLICAS:,}; got {replicas}")
    if seed < 0:
        raise InputError(f"--seed must be 0 or more; got {seed}")
    if jobs is not None and not 1 <= jobs <= MAX_JOBS:
        raise InputError(f"--jobs must be from 1 to {MAX_JOBS:,}; got {jobs}")
    if jobs is not None and scheduler is not None:
        raise InputError(
            "--jobs and --scheduler: simulations run in processes here or on a cluster; give one"
        )
    if engine not in ("des", "lanes"):
        raise InputError(f"--engine: unknown engine {quoted(engine)}; write lanes or des")
    length = USUAL_DURATION if duration is None else duration
    plan = Plan(
        duration_seconds=parse_duration(length),
        replicas=replicas,
        seed=seed,
        engine="des" if engine == "des" else "lanes",
        length="needed" if engine == "des" and duration is None else "full",
    )
    if jobs is None:
        scheduler = scheduler or os.environ.get("DASK_SCHEDULER_ADDRESS") or None
    return Simulation(
        plan=plan,
        duration=length,
        jobs=available_cores() if jobs is None else jobs,
        scheduler=scheduler,
    )


# The arguments of ``simulation`` as options, in the order of the help, with their defaults.
_SIMULATION_OPTIONS: dict[str, tuple[Any, Any]] = {
    "replicas": (ReplicasOption, 16),
    "duration": (DurationOption, None),
    "seed": (SeedOption, 1),
    "engine": (EngineOption, "lanes"),
    "jobs": (JobsOption, None),
    "scheduler": (SchedulerOption, None),
}


def simulates(*, replicas: int | None) -> Command:
    """Gives a command the options of a simulation in place of its parameter ``how``, a ``Simulation``.

    ``replicas`` is the default of ``--replicas``; with None the command simulates one replica in this process and has
    neither this option nor ``--jobs`` and ``--scheduler``.
    """
    options = dict(_SIMULATION_OPTIONS)
    if replicas is None:
        del options["replicas"], options["jobs"], options["scheduler"]
    else:
        options["replicas"] = (ReplicasOption, replicas)
    return with_options("how", options, lambda chosen: simulation(**{"replicas": 1, **chosen}))


def with_options(
    parameter: str, options: dict[str, tuple[Any, Any]], value: Callable[[dict[str, Any]], object]
) -> Command:
    """A decorator that replaces a parameter of a command by options, (annotation, default) by name.

    The parameter's argument is ``value`` of the options' values, in their order.
    """
    added = [
        Parameter(name, Parameter.KEYWORD_ONLY, annotation=option, default=default)
        for name, (option, default) in options.items()
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**given: Any) -> None:
            chosen = {name: given.pop(name) for name in options}
            command(**{parameter: value(chosen)}, **given)

        parameters: list[Parameter] = []
        for own in signature(command).parameters.values():
            parameters.extend(added if own.name == parameter else [own.replace(kind=Parameter.KEYWORD_ONLY)])
        run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # Typer reads it
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        return run

    return decorate


def parse_memory(text: str | None) -> int | None:
    """The value of ``--memory`` in bytes. Raises InputError."""
    if text is None:
        return None
    return parse_memory_size(text, what="--memory")


def chosen_settings(
    model: "Model", *, gogc: str | None, gomemlimit: str | None, gomaxprocs: int | None, go: str | None
) -> Settings:
    """The settings of one run: the given values, else the calibrated ones. Raises InputError."""
    from gcsim.tuning.sweep import base_settings

    base = base_settings(model, gomaxprocs=gomaxprocs, go=go)
    return replace(
        base,
        gogc=base.gogc if gogc is None else parse_gogc(gogc),
        gomemlimit_bytes=base.gomemlimit_bytes if gomemlimit is None else parse_gomemlimit(gomemlimit),
    )
