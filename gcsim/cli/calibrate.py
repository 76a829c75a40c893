"""``gcsim calibrate``: logs in, a model file and a fit report out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import emit, emit_json, emit_rich, note, note_written, wrap
from gcsim.cli.evidence import ClosedLoopOption, JobOption, OpenLoopOption, loop_of
from gcsim.cli.load_test import GivenLoadTest, fit_sentences, reads_load_test
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
from gcsim.cli.readings import GivenMemory, note_measured, reads_memory, with_go_of_binary
from gcsim.cli.service import exit_by_verdict
from gcsim.printable import printable

if TYPE_CHECKING:
    from gcsim.api import CalibratedService


@reads_load_test()
@reads_memory()
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
    open_loop: OpenLoopOption = False,
    closed_loop: ClosedLoopOption = False,
    job: JobOption = None,
    process: ProcessOption = None,
    *,
    given: GivenMemory,
    tested: GivenLoadTest,
    figures: Annotated[
        Path | None,
        typer.Option("--figures", metavar="DIR", help="Folder for PNG and SVG figures of the fit."),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print all parameters and all results of the self-check.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Calibrate a model of one service from its logs, and print the verdict on it.

    Several logs must be of one service, at different settings or repeated: common parameters are pooled, and the
    model's settings are those nearest to GOGC=100 without a limit. The settings options state the settings of logs
    without a side file of gcsim capture. The exit status is 1 if the verdict is "do not trust"; the model is written
    in any case.
    """
    from gcsim.atomic import check_folder, check_output

    loop = loop_of(open_loop=open_loop, closed_loop=closed_loop)
    stated = overrides_of(gogc=gogc, gomemlimit=gomemlimit, gomaxprocs=gomaxprocs, go=go, loop=loop, job=job)
    readings, load_test = given.readings(), tested.load_test()
    check_output(output)
    if figures is not None:
        check_folder(figures)
    traces = read_logs(logs, stated=stated, process=process)
    for log, trace in traces.items():
        warn_about(log, trace)
    if given.binary is not None:
        stated = with_go_of_binary(stated, given.binary, traces)
    if readings is not None:
        note_measured(traces)
    from gcsim.api import calibrate_service

    found = calibrate_service(
        traces,
        name=printable(name or output.stem),
        overrides=stated,
        readings=readings,
        load_test=load_test,
    )
    if as_json:
        emit_json(found.to_json())
    else:
        _print(found, output, verbose=verbose)
        if found.requests is not None and load_test is not None:
            emit(wrap(fit_sentences(found.requests, load_test)))
    found.model.save(output)
    note(f"wrote {output}")
    if figures is not None:
        from gcsim.atomic import replacing_set
        from gcsim.report.fit_figures import write_fit_figures

        with replacing_set(figures) as files:
            written = write_fit_figures(found.trace, found.of_reference, found.check, files)
        note_written(figures, written)
    exit_by_verdict(found.model)


def _print(found: "CalibratedService", output: Path, *, verbose: bool) -> None:
    from gcsim.report.fit_report import fit_report
    from gcsim.report.fit_summary import fit_summary

    others = {log: one for log, one in found.checks.items() if log != found.reference and one is not None}
    about = (found.of_reference, found.diagnosis, found.check)
    if verbose:
        emit_rich(fit_report(found.trace, *about, list(others.values())))
    else:
        emit_rich(fit_summary(*about, others, model_file=str(output)))
