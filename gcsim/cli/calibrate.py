"""``gcsim calibrate``: logs in, a model file and a fit report out."""

from pathlib import Path
from typing import Annotated

import typer

from gcsim.cli.console import emit_rich, note, note_written
from gcsim.cli.logs import overrides_of, read_logs, settings_of, warn_about
from gcsim.cli.options import (
    LoggedGogcOption,
    LoggedGomaxprocsOption,
    LoggedGomemlimitOption,
    LoggedGoOption,
    LogsArgument,
)
from gcsim.printable import printable


def calibrate(
    logs: LogsArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MODEL", help="The model file to write.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Name of the service [default: the file's].")
    ] = None,
    gogc: LoggedGogcOption = None,
    gomemlimit: LoggedGomemlimitOption = None,
    gomaxprocs: LoggedGomaxprocsOption = None,
    go: LoggedGoOption = None,
    open_loop: Annotated[
        bool,
        typer.Option(
            "--open-loop",
            help="Requests come at their own pace, whatever a log looks like: near saturation none tells.",
        ),
    ] = False,
    figures: Annotated[
        Path | None,
        typer.Option("--figures", metavar="DIR", help="Folder for PNG and SVG figures of the fit."),
    ] = None,
) -> None:
    """Learn a model of one service from its logs, and say how far to trust it.

    Several logs are one service's at other settings, or repeated runs: what they share is pooled, and the model's
    settings are those nearest to GOGC=100 without a limit. The settings options say how the logs were made where
    no side file of gcsim capture does.
    """
    from gcsim.atomic import check_folder, check_output
    from gcsim.calibration.requests import loop_of, result_file, with_requests
    from gcsim.calibration.several import calibrate_logs
    from gcsim.calibration.verdict import diagnose_logs, marked
    from gcsim.report.fit_report import fit_report

    check_output(output)
    if figures is not None:
        check_folder(figures)
    traces = read_logs(logs)
    stated = {}
    for log, trace in traces.items():
        warn_about(log, trace)
        settings = settings_of(trace, gogc=gogc, gomemlimit=gomemlimit, gomaxprocs=gomaxprocs, go=go)
        beside = result_file(log)
        told = None if beside is None else loop_of(beside)
        stated[log] = overrides_of(settings, loop="open" if open_loop else told)
    found = calibrate_logs(traces, name=printable(name or output.stem), overrides=stated)
    diagnosis, checks = diagnose_logs(traces, found)
    model = marked(found.model, diagnosis)
    result = result_file(found.reference)
    if result is not None:
        model = with_requests(model, result, found.of_reference.evidence)
    check, *others = checks.values()
    trace = traces[found.reference]
    emit_rich(
        fit_report(trace, found.of_reference, diagnosis, check, [one for one in others if one is not None])
    )
    model.save(output)
    note(f"wrote {output}")
    if figures is not None:
        from gcsim.atomic import replacing_set
        from gcsim.report.fit_figures import write_fit_figures

        with replacing_set(figures) as files:
            written = write_fit_figures(trace, found.of_reference, check, files)
        note_written(figures, written)
