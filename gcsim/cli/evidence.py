"""The service of a command: a model file, a shipped model, or a log that the command calibrates itself."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gcsim.cli.console import note, wrap
from gcsim.cli.options import Command, LoggedGogcOption, LoggedGomemlimitOption, ProcessOption, with_options
from gcsim.cli.readings import GivenMemory, note_measured, with_go_of_binary
from gcsim.cli.service import load_service, note_verdict
from gcsim.errors import InputError
from gcsim.printable import quoted

if TYPE_CHECKING:
    from gcsim.api import CalibratedService
    from gcsim.calibration.settings.log_settings import Overrides
    from gcsim.gctrace.trace import Trace
    from gcsim.service.model import Loop, Model

SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A model, a shipped model's name, a gctrace log or metrics, or - for a log on standard input.",
    ),
]
OpenLoopOption = Annotated[
    bool,
    typer.Option(
        "--open-loop",
        help="Arrivals set the load. Pass this near saturation, where a log does not show it.",
    ),
]
ClosedLoopOption = Annotated[
    bool, typer.Option("--closed-loop", help="The program runs at full speed, like a batch job.")
]
JobOption = Annotated[
    bool | None,
    typer.Option(
        "--job/--no-job",
        help="Each log is one whole run of a job: predict the job, do not extrapolate. [default: if the"
        " captured program kept the CPUs busy and ended by itself while its heap moved]",
    ),
]
_MODEL_MARK, _MARK_WITHIN = b"format_version", 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """The options about a log, as the user wrote them; a model has no use for them."""

    open_loop: bool = False
    closed_loop: bool = False
    job: bool | None = None
    process: int | None = None
    gogc: str | None = None
    gomemlimit: str | None = None

    @property
    def loop(self) -> "Loop | None":
        """The stated loop. Raises InputError if both are stated."""
        return loop_of(open_loop=self.open_loop, closed_loop=self.closed_loop)

    @property
    def names(self) -> list[str]:
        """The options that are given."""
        given = [field.name for field in fields(self) if getattr(self, field.name) not in (None, False)]
        names = [f"--{name.replace('_', '-')}" for name in given]
        return [*names, "--no-job"] if self.job is False else names


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The model of a command, and the calibration of its log if it has one."""

    model: "Model"
    fit: "CalibratedService | None" = None

    @property
    def about(self) -> str:
        """The log's settings with their origins in one line; empty for a model."""
        return "" if self.fit is None else wrap(f"log: {self.fit.settings}", indent="  ") + "\n"

    @property
    def container_bytes(self) -> int | None:
        """The memory limit of the container in which the log was captured; None if it is unknown."""
        info = None if self.fit is None else self.fit.trace.info
        return None if info is None or info.cgroup is None else info.cgroup.limit_bytes


_LOOP_OPTIONS: dict[str, tuple[Any, Any]] = {
    "open_loop": (OpenLoopOption, False),
    "closed_loop": (ClosedLoopOption, False),
    "job": (JobOption, None),
    "process": (ProcessOption, None),
}
_SETTING_OPTIONS: dict[str, tuple[Any, Any]] = {
    "gogc": (LoggedGogcOption, None),
    "gomemlimit": (LoggedGomemlimitOption, None),
}


def reads_log(*, settings: bool) -> Command:
    """Gives a command the options about a log in place of its parameter ``stated``, a ``Stated``.

    Without ``settings`` the command has no ``--gogc`` and ``--gomemlimit`` for the logged run.
    """
    options = _LOOP_OPTIONS | (_SETTING_OPTIONS if settings else {})
    return with_options("stated", options, lambda chosen: Stated(**chosen))


def loop_of(*, open_loop: bool, closed_loop: bool) -> "Loop | None":
    """The loop that the options state. Raises InputError if both are given."""
    if open_loop and closed_loop:
        raise InputError("--open-loop and --closed-loop exclude each other; pass one of them")
    return "open" if open_loop else "closed" if closed_loop else None


def is_log(source: str) -> bool:
    """Whether a source is a log: standard input, or a file without the first key of a model."""
    if source == "-":
        return True
    path = Path(source)
    try:
        if path.is_dir():
            from gcsim.scrapes.files import is_metrics

            return is_metrics(path)
        if path.suffix == ".toml" or not path.is_file():
            return False
        with path.open("rb") as file:
            return _MODEL_MARK not in file.read(_MARK_WITHIN)
    except (OSError, ValueError):  # the reader of models says what is wrong
        return False


def service_of(source: str, given: GivenMemory, stated: Stated, *, go: str | None = None) -> Service:
    """The service of a model or a log; notes a verdict other than trust.

    ``go`` states the Go version of a log whose side file does not. Raises InputError, also for options about a log
    with a model.
    """
    if not is_log(source):
        if stated.names:
            raise InputError(
                f"{', '.join(stated.names)}: states how a log was made, but {quoted(source)} is a model;"
                " pass it to gcsim calibrate, or name the log"
            )
        return Service(model=load_service(source, given.readings()))
    fit = _calibrated(source, given, stated, go)
    _check_simulated(fit, go)
    if fit.model.assessment is not None:
        note_verdict(fit.reference, fit.model.assessment)
    return Service(model=fit.model, fit=fit)


def _check_simulated(fit: "CalibratedService", go: str | None) -> None:
    """Raises InputError for a log of a Go version that the engines do not simulate, if ``--go`` names no other."""
    from gcsim.engine.inputs.bounds import OLDEST_SIMULATED_MINOR
    from gcsim.goruntime.versions import rules_for

    logged = fit.model.settings.go
    if go is None and rules_for(logged).minor < OLDEST_SIMULATED_MINOR:
        raise InputError(
            f"{fit.reference}: Go {logged} or older wrote this log, but gcsim simulates Go"
            f" 1.{OLDEST_SIMULATED_MINOR} and later; log with a newer Go, or run gcsim calibrate with --go if another"
            " version wrote it"
        )


def _calibrated(source: str, given: GivenMemory, stated: Stated, go: str | None) -> "CalibratedService":
    from gcsim.cli.logs import overrides_of, read_logs, warn_about
    from gcsim.gctrace.source import source_name

    asked = overrides_of(gogc=stated.gogc, gomemlimit=stated.gomemlimit, loop=stated.loop, job=stated.job)
    readings = given.readings()
    shown = source_name(source)
    (trace,) = read_logs([source], stated=asked, process=stated.process).values()
    traces = {shown: trace}
    warn_about(shown, trace)
    asked = _with_go(asked, trace, go)
    if given.binary is not None:
        asked = with_go_of_binary(asked, given.binary, traces)
    if readings is not None:
        note_measured(traces)
    from gcsim.api import calibrate_service

    name = "app" if source == "-" else None
    return calibrate_service(traces, name=name, overrides=asked, readings=readings)


def _with_go(asked: "Overrides", trace: "Trace", go: str | None) -> "Overrides":
    """The stated settings, with the Go version of ``--go`` if no side file has the log's version."""
    from gcsim.goruntime.versions import rules_for

    known = trace.info is not None and trace.info.go is not None
    return asked if go is None or known else replace(asked, go=rules_for(go).go)


def container_memory(service: Service, file_limits: dict[str, int], source: str) -> int | None:
    """The memory of the container by the evidence, with a note on where it is from; None if it is unknown.

    ``file_limits`` holds the limits in files of ``--memory-file``; the lowest one holds.
    """
    found = dict(file_limits)
    if service.container_bytes is not None:
        found[f"{source}.meta.json"] = service.container_bytes
    if not found:
        return None
    from gcsim.units import format_mib

    where = min(found, key=lambda name: found[name])
    note(f"gcsim: note: --memory is the limit of the container in {where}: {format_mib(found[where])}")
    return found[where]
