"""Arguments and options that several commands share."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.errors import InputError
from gcsim.printable import quoted
from gcsim.settings import Settings
from gcsim.units import parse_count, parse_duration, parse_gogc, parse_gomemlimit, parse_memory_size

if TYPE_CHECKING:
    from gcsim.engine.simulate import Engine
    from gcsim.service.model import Model

MAX_REPLICAS = 10_000


def whole_number(text: str | int) -> int:
    """The value of an option that must be a whole number; Typer adds the option's name to the error."""
    try:
        return parse_count(text)
    except InputError as error:
        raise typer.BadParameter(str(error)) from error


ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="A model file, or the name of a shipped model.")
]
LogsArgument = Annotated[list[str], typer.Argument(metavar="LOG", help="gctrace logs; - is standard input.")]
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
    str, typer.Option("--duration", metavar="TIME", help="Length of each run, such as 10m or 90s.")
]
SeedOption = Annotated[
    int,
    typer.Option(
        "--seed",
        metavar="N",
        parser=whole_number,
        help="Seed of all random draws; the same seed gives the same output.",
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
    """Checked options of a simulation."""

    duration_seconds: float
    replicas: int
    seed: int
    engine: "Engine"

    def describe(self, duration: str) -> str:
        """The options in words, for headings."""
        return f"{duration} × {self.replicas} replicas, seed {self.seed}, engine {self.engine}"


def simulation(*, duration: str, replicas: int, seed: int, engine: str) -> Simulation:
    """The four options of every simulating command, checked. Raises InputError."""
    if not 1 <= replicas <= MAX_REPLICAS:
        raise InputError(f"--replicas must be from 1 to {MAX_REPLICAS:,}; got {replicas}")
    if seed < 0:
        raise InputError(f"--seed must be 0 or more; got {seed}")
    if engine not in ("des", "lanes"):
        raise InputError(f"--engine: unknown engine {quoted(engine)}; write lanes or des")
    chosen: Engine = "des" if engine == "des" else "lanes"
    return Simulation(duration_seconds=parse_duration(duration), replicas=replicas, seed=seed, engine=chosen)


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
