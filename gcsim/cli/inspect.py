"""``gcsim inspect``: what a log shows, by the definitions that predictions use."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gcsim.cli.console import emit, emit_json, emit_table, note, note_written
from gcsim.cli.logs import read_logs, settings_of, warn_about
from gcsim.cli.options import (
    JsonOption,
    LoggedGogcOption,
    LoggedGomaxprocsOption,
    LoggedGomemlimitOption,
    LoggedGoOption,
    LogsArgument,
)

if TYPE_CHECKING:
    from gcsim.gctrace.trace import Trace
    from gcsim.settings import Settings


def inspect(
    logs: LogsArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT", help="Folder for figures of the heap and pauses."),
    ] = None,
    oddities: Annotated[
        bool, typer.Option("--oddities", help="List every line that was skipped, mended or odd.")
    ] = False,
    gogc: LoggedGogcOption = None,
    gomemlimit: LoggedGomemlimitOption = None,
    gomaxprocs: LoggedGomaxprocsOption = None,
    go: LoggedGoOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what happened: metrics, warnings, figures."""
    from gcsim.atomic import check_folder

    if output is not None:
        check_folder(output)
    traces = read_logs(logs)
    settings = {
        log: settings_of(trace, gogc=gogc, gomemlimit=gomemlimit, gomaxprocs=gomaxprocs, go=go)
        for log, trace in traces.items()
    }
    observed = {log: _observed(log, trace) for log, trace in traces.items()}
    if as_json:
        documents = [_document(settings[log], observed[log]) for log in traces]
        named = {"logs": [{"log": log, **document} for log, document in zip(traces, documents, strict=True)]}
        emit_json(documents[0] if len(documents) == 1 else named)
    else:
        for log, trace in traces.items():
            _print(log, trace, settings[log], observed[log])
    for log, trace in traces.items():
        _print_oddities(log, trace) if oddities else warn_about(log, trace)
    if output is not None:
        _draw(traces, settings, output)


def _observed(log: str, trace: "Trace") -> dict[str, float]:
    from gcsim.calibration.validation import observed_metrics
    from gcsim.errors import InputError

    try:
        return observed_metrics(trace)
    except InputError as error:
        raise InputError(f"{log}: {error}") from error


def _document(settings: "Settings", observed: dict[str, float]) -> dict[str, Any]:
    from gcsim.engine.run import settings_json

    return {"settings": settings_json(settings), "metrics": observed}


def _print(log: str, trace: "Trace", settings: "Settings", observed: dict[str, float]) -> None:
    from gcsim.gctrace.source import source_name
    from gcsim.report.text import METRIC_LABELS, format_metric
    from gcsim.units import format_seconds

    cycles = trace.cycles
    seconds = float(cycles.start_ns[-1] - cycles.start_ns[0]) / 1e9
    forced = int(cycles.forced.sum())
    emit(
        f"{source_name(log)}: {settings}; {len(cycles)} cycles in {format_seconds(seconds)}, {forced} forced\n\n"
    )
    emit_table(
        ["", "observed"],
        [[METRIC_LABELS[name], format_metric(name, value)] for name, value in observed.items()],
    )


def _print_oddities(log: str, trace: "Trace") -> None:
    for kind, count in trace.oddity_counts.items():
        note(f"{log}: {count} × {kind}")
    for oddity in trace.oddities:
        note(f"{log}: {oddity}")


def _draw(traces: dict[str, "Trace"], settings: dict[str, "Settings"], output: Path) -> None:
    from gcsim.atomic import replacing_set
    from gcsim.report.log_figures import write_log_figures

    named = {log: (trace.cycles, settings[log]) for log, trace in traces.items()}
    with replacing_set(output) as files:
        written = write_log_figures(named, files)
    note_written(output, written)
