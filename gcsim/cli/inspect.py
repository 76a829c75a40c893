"""``gcsim inspect``: findings and metrics of logs, by the definitions of predictions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gcsim.cli.console import emit, emit_json, emit_table, note, note_written
from gcsim.cli.logs import overrides_of, read_logs, warn_about
from gcsim.cli.options import (
    JsonOption,
    LoggedGogcOption,
    LoggedGomaxprocsOption,
    LoggedGomemlimitOption,
    LoggedGoOption,
    LogsArgument,
    ProcessOption,
)
from gcsim.cli.processes import list_processes

if TYPE_CHECKING:
    from gcsim.calibration.settings.log_settings import LogSettings
    from gcsim.gctrace.trace import Trace
    from gcsim.service.assessment import Assessment


def inspect(
    logs: LogsArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT", help="Folder for figures of the heap and pauses."),
    ] = None,
    parse_warnings: Annotated[
        bool, typer.Option("--warnings", help="List all lines that were skipped, repaired or unusual.")
    ] = False,
    processes: Annotated[
        bool, typer.Option("--processes", help="List the processes of each log instead, for --process.")
    ] = False,
    process: ProcessOption = None,
    gogc: LoggedGogcOption = None,
    gomemlimit: LoggedGomemlimitOption = None,
    gomaxprocs: LoggedGomaxprocsOption = None,
    go: LoggedGoOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the findings and metrics of logs, and draw figures."""
    from gcsim.atomic import check_folder

    if output is not None:
        check_folder(output)
    stated = overrides_of(gogc=gogc, gomemlimit=gomemlimit, gomaxprocs=gomaxprocs, go=go)
    if processes:
        list_processes(logs, as_json=as_json)
        return
    traces = read_logs(logs, stated=stated, process=process)
    from gcsim.calibration.settings.log_settings import log_settings

    observed = {log: _observed(log, trace) for log, trace in traces.items()}
    settings = {log: log_settings(trace, stated) for log, trace in traces.items()}
    found = {log: _assess(trace, settings[log]) for log, trace in traces.items()}
    if as_json:
        documents = [
            _document(trace, settings[log], observed[log], found[log]) for log, trace in traces.items()
        ]
        named = {"logs": [{"log": log, **document} for log, document in zip(traces, documents, strict=True)]}
        emit_json(documents[0] if len(documents) == 1 else named)
    else:
        for place, (log, trace) in enumerate(traces.items()):
            if place:
                emit("")
            _print(log, trace, settings[log], observed[log], found[log])
    for log, trace in traces.items():
        _print_warnings(log, trace) if parse_warnings else warn_about(log, trace)
    if output is not None:
        _draw(traces, settings, output)


def _observed(log: str, trace: "Trace") -> dict[str, float]:
    from gcsim.calibration.validation import observed_metrics
    from gcsim.errors import InputError

    try:
        return observed_metrics(trace)
    except InputError as error:
        raise InputError(f"{log}: {error}") from error


def _assess(trace: "Trace", settings: "LogSettings") -> "Assessment":
    from gcsim.calibration.checks.verdict import assess_log

    return assess_log(trace, settings)


def _document(
    trace: "Trace", settings: "LogSettings", observed: dict[str, float], found: "Assessment"
) -> dict[str, Any]:
    from gcsim.engine.run import settings_json
    from gcsim.report.log_summary import roots_json

    return {
        "settings": settings_json(settings.settings),
        "origins": settings.to_json(),
        "metrics": observed,
        **roots_json(trace),
        **found.to_json(),
    }


def _print(
    log: str, trace: "Trace", settings: "LogSettings", observed: dict[str, float], found: "Assessment"
) -> None:
    from gcsim.report.log_summary import log_heading, metric_rows, next_step, root_rows

    emit(log_heading(log, trace, settings, found) + "\n")
    emit_table(["", "observed", ""], [*metric_rows(observed), *root_rows(trace)])
    emit(f"\n{next_step(log, found)}")


def _print_warnings(log: str, trace: "Trace") -> None:
    for kind, count in trace.parse_warning_counts.items():
        note(f"{log}: {count} × {kind}")
    for warning in trace.parse_warnings:
        note(f"{log}: {warning}")


def _draw(traces: dict[str, "Trace"], settings: dict[str, "LogSettings"], output: Path) -> None:
    from gcsim.atomic import replacing_set
    from gcsim.report.log_figures import write_log_figures

    named = {log: (trace.cycles, settings[log].settings) for log, trace in traces.items()}
    with replacing_set(output) as files:
        written = write_log_figures(named, files)
    note_written(output, written)
