"""``gcsim validate``: predicted against observed at the logs' settings."""

from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import emit, emit_json, emit_table
from gcsim.cli.logs import read_logs, settings_of, warn_about
from gcsim.cli.options import (
    JsonOption,
    LoggedGogcOption,
    LoggedGomaxprocsOption,
    LoggedGomemlimitOption,
    LoggedGoOption,
    LogsArgument,
    ModelArgument,
    ReplicasOption,
    SeedOption,
    simulation,
)
from gcsim.cli.service import load_service
from gcsim.errors import InputError
from gcsim.units import parse_fraction

if TYPE_CHECKING:
    from gcsim.calibration.validation import Validation

OUT_OF_BOUNDS = 1


def validate(
    model: ModelArgument,
    logs: LogsArgument,
    max_error: Annotated[
        str | None,
        typer.Option(
            "--max-error",
            metavar="SHARE",
            help="Exit with status 1 when heap peak, cycle rate, GC CPU or resident memory is off by more.",
        ),
    ] = None,
    gogc: LoggedGogcOption = None,
    gomemlimit: LoggedGomemlimitOption = None,
    gomaxprocs: LoggedGomaxprocsOption = None,
    go: LoggedGoOption = None,
    replicas: ReplicasOption = 32,
    duration: Annotated[
        str | None,
        typer.Option("--duration", metavar="TIME", help="Length of each run [default: the log's]."),
    ] = None,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Compare what the model predicts with what logs show, setting by setting."""
    from gcsim.calibration.validation import validate as compare

    how = simulation(duration=duration or "10m", replicas=replicas, seed=seed, engine="lanes")
    seconds = None if duration is None else how.duration_seconds
    bound = None if max_error is None else parse_fraction(max_error, what="--max-error")
    service = load_service(model)
    found: dict[str, Validation] = {}
    for log, trace in read_logs(logs).items():
        warn_about(log, trace)
        settings = settings_of(trace, gogc=gogc, gomemlimit=gomemlimit, gomaxprocs=gomaxprocs, go=go)
        try:
            found[log] = compare(
                service, trace, settings, replicas=how.replicas, seed=how.seed, duration_seconds=seconds
            )
        except InputError as error:
            raise InputError(f"{log}: {error}") from error
    passed = bound is None or all(validation.worst_error <= bound for validation in found.values())
    if as_json:
        logs_json = [{"log": log, **validation.to_json()} for log, validation in found.items()]
        emit_json({"passed": passed, "logs": logs_json})
    else:
        emit(f"{service.name}; {replicas} replicas, seed {seed}\n\n")
        for log, validation in found.items():
            _print(log, validation)
    if not passed:
        raise typer.Exit(OUT_OF_BOUNDS)


def _print(log: str, validation: "Validation") -> None:
    from gcsim.report.text import METRIC_LABELS, format_estimate, format_metric
    from gcsim.units import format_error

    rows = [
        [
            METRIC_LABELS[item.name],
            format_estimate(item.name, item.predicted),
            format_metric(item.name, item.observed),
            format_error(item.error),
            "inside" if item.inside else "outside",
        ]
        for item in validation.comparisons
    ]
    emit_table(["", "predicted", "observed", "error", ""], rows, title=f"{log}: {validation.settings}")
