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
    figures: Annotated[
        Path | None,
        typer.Option("--figures", metavar="DIR", help="Folder for PNG and SVG figures of the fit."),
    ] = None,
) -> None:
    """Learn a model of one service from its logs, and say how far to trust it.

    The settings options say how the logs were made where no side file of gcsim capture does.
    """
    from gcsim.calibration import calibrate as fit
    from gcsim.calibration.requests import result_file, with_requests
    from gcsim.calibration.verdict import check_fit, diagnose, marked
    from gcsim.errors import InputError
    from gcsim.report.fit_report import fit_report

    if len(logs) > 1:
        raise InputError(
            "calibrate learns from one log; name one, and compare the others with gcsim validate"
        )
    log, trace = next(iter(read_logs(logs).items()))
    warn_about(log, trace)
    settings = settings_of(trace, gogc=gogc, gomemlimit=gomemlimit, gomaxprocs=gomaxprocs, go=go)
    try:
        found = fit(trace, name=name or output.stem, overrides=overrides_of(settings))
    except InputError as error:
        raise InputError(f"{log}: {error}") from error
    check = check_fit(trace, found)
    diagnosis = diagnose(trace, found, check)
    model = marked(found.model, diagnosis)
    result = result_file(log)
    (model if result is None else with_requests(model, result)).save(output)
    emit_rich(fit_report(trace, found, diagnosis, check))
    note(f"wrote {output}")
    if figures is not None:
        from gcsim.atomic import make_folder
        from gcsim.report.fit_figures import write_fit_figures

        note_written(figures, write_fit_figures(trace, found, check, make_folder(figures)))
