"""``gcsim validate``: comparison of predictions with logs, at the logs' settings."""

from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import emit, emit_json, emit_table, wrap
from gcsim.cli.logs import overrides_of, read_logs, warn_about
from gcsim.cli.options import (
    JsonOption,
    LoggedGogcOption,
    LoggedGomaxprocsOption,
    LoggedGomemlimitOption,
    LoggedGoOption,
    LogsArgument,
    ModelArgument,
    ProcessOption,
    ReplicasOption,
    SeedOption,
    simulation,
)
from gcsim.cli.service import assessed, exit_by_verdict, load_service
from gcsim.cli.upgrade import note_upgrade
from gcsim.engine.plan import PlanFields
from gcsim.errors import InputError
from gcsim.units import parse_fraction

if TYPE_CHECKING:
    from gcsim.calibration.settings.log_settings import LogSettings
    from gcsim.calibration.validation import Comparison, Validation

OUT_OF_BOUNDS = 1


def validate(
    model: ModelArgument,
    logs: LogsArgument,
    max_error: Annotated[
        str | None,
        typer.Option(
            "--max-error",
            metavar="SHARE",
            help="Exit with status 1 if the error of heap peak, cycle rate, GC CPU or RSS is larger.",
        ),
    ] = None,
    process: ProcessOption = None,
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
    """Compare the model's predictions with logs, setting by setting."""
    how = simulation(duration=duration or "10m", replicas=replicas, seed=seed, engine="lanes").plan
    asked: PlanFields = {"replicas": how.replicas, "seed": how.seed}
    if duration is not None:
        asked["duration_seconds"] = how.duration_seconds
    bound = None if max_error is None else parse_fraction(max_error, what="--max-error")
    service = load_service(model)
    stated = overrides_of(gogc=gogc, gomemlimit=gomemlimit, gomaxprocs=gomaxprocs, go=go)
    traces = read_logs(logs, stated=stated, process=process)
    from gcsim.calibration.settings.log_settings import log_settings
    from gcsim.calibration.validation import validate as compare

    found: dict[str, Validation] = {}
    at: dict[str, LogSettings] = {}
    for log, trace in traces.items():
        warn_about(log, trace)
        at[log] = log_settings(trace, stated)
        settings = at[log].settings
        note_upgrade(service, settings)
        try:
            found[log] = compare(service, trace, settings, **asked)
        except InputError as error:
            raise InputError(f"{log}: {error}") from error
    broken = [] if bound is None else _broken(found, bound)
    judged = all(validation.worst_error == validation.worst_error for validation in found.values())
    passed = bound is None or (judged and not broken)
    if as_json:
        document = {
            "passed": passed,
            "logs": [
                {"log": log, **validation.to_json(), "origins": at[log].to_json()}
                for log, validation in found.items()
            ],
            "max_error": bound,
            "broken": [{"log": log, "metric": item.name, "error": item.error} for log, item in broken],
        }
        emit_json(assessed(document, service))
    else:
        emit(f"{service.name}; {replicas} replicas, seed {seed}\n\n")
        for log, validation in found.items():
            _print(f"{log}: {at[log]}", validation)
            emit("")
        if bound is not None:
            _print_verdict(broken, bound, judged=judged)
    if not passed:
        raise typer.Exit(OUT_OF_BOUNDS)
    exit_by_verdict(service)


def _broken(found: "dict[str, Validation]", bound: float) -> "list[tuple[str, Comparison]]":
    """The judged metrics with an error above the bound, each with its log."""
    from gcsim.calibration.validation import JUDGED

    return [
        (log, item)
        for log, validation in found.items()
        for item in validation.comparisons
        if item.name in JUDGED and abs(item.error) > bound
    ]


def _print_verdict(broken: "list[tuple[str, Comparison]]", bound: float, *, judged: bool) -> None:
    """Prints the metrics with an error above --max-error, and the result."""
    from gcsim.metrics import METRIC_LABELS
    from gcsim.units import format_error, format_percent

    for log, item in broken:
        emit(
            wrap(f"{log}: {METRIC_LABELS[item.name]} has an error of {format_error(item.error)}", indent="  ")
        )
    if broken:
        emit(f"failed: errors above --max-error {format_percent(bound)}")
    elif judged:
        emit(f"passed: every judged metric is within --max-error {format_percent(bound)}")
    else:
        emit("failed: a log shows none of the judged metrics")


def _print(title: str, validation: "Validation") -> None:
    from gcsim.metrics import METRIC_LABELS, format_metric
    from gcsim.report.text import format_estimate
    from gcsim.units import format_error

    rows = [
        [
            METRIC_LABELS[item.name],
            format_estimate(item.name, item.predicted),
            format_metric(item.name, item.observed),
            format_error(item.error),
            "" if item.inside else "!",
        ]
        for item in validation.comparisons
    ]
    emit(wrap(title, indent="  "))
    emit_table(["", "predicted", "observed", "error", ""], rows)
    inside = sum(item.inside for item in validation.comparisons)
    emit(f"{inside} of {len(validation.comparisons)} inside the 90 % interval, ! marks the others")
