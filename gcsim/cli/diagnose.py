"""``gcsim diagnose``: what is wrong, most likely cause first, with the line or number that shows it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import emit, emit_json, note, note_written, wrap
from gcsim.cli.logs import overrides_of, warn_about
from gcsim.cli.options import (
    JsonOption,
    LoggedGogcOption,
    LoggedGomaxprocsOption,
    LoggedGomemlimitOption,
    LoggedGoOption,
    ProcessOption,
    parse_memory,
)
from gcsim.cli.readings import GivenMemory, reads_memory
from gcsim.errors import InputError
from gcsim.printable import quoted

if TYPE_CHECKING:
    from gcsim.calibration.settings.log_settings import Overrides
    from gcsim.diagnosis.records import Cause, Sign, Verdicts
    from gcsim.gctrace.trace import Trace

FilesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="LOG... [EVIDENCE...]",
        help="gctrace logs and other evidence, in any order: pprof profiles, goroutine dumps, runtime.MemStats,"
        " /debug/vars, Prometheus pages, /proc and cgroup files, folders of capture --url; - is standard input.",
    ),
]
_MOST_CPUS = 1e6


@reads_memory()
def diagnose(
    files: FilesArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Folder for figures: the heap with its findings, a leak's forecast, pauses and assists, and"
            " predicted next to observed.",
        ),
    ] = None,
    memory: Annotated[
        str | None, typer.Option("--memory", metavar="SIZE", help="Memory of the container, such as 512Mi.")
    ] = None,
    cpus: Annotated[
        str | None,
        typer.Option("--cpus", metavar="N", help="CPU quota of the container in CPUs, such as 1.5 or 500m."),
    ] = None,
    process: ProcessOption = None,
    gogc: LoggedGogcOption = None,
    gomemlimit: LoggedGomemlimitOption = None,
    gomaxprocs: LoggedGomaxprocsOption = None,
    go: LoggedGoOption = None,
    *,
    given: GivenMemory,
    as_json: JsonOption = False,
) -> None:
    """Print what is wrong with a service, most likely cause first, with the line or number that shows it.

    The exit status is 1 if a finding is serious.
    """
    stated = overrides_of(gogc=gogc, gomemlimit=gomemlimit, gomaxprocs=gomaxprocs, go=go)
    from gcsim.atomic import check_folder

    if output is not None:
        check_folder(output)
    memory_bytes, quota = parse_memory(memory), parse_cpus(cpus)
    readings = given.readings()
    from gcsim.diagnosis.evidence import diagnose_files

    found, traces = diagnose_files(
        files,
        stated=stated,
        readings=() if readings is None else readings.readings,
        memory_bytes=memory_bytes,
        cpus=quota,
        process=process,
    )
    if as_json:
        emit_json(found.to_json())
    else:
        print_diagnosis(found)
    for log, trace in traces.items():
        warn_about(log, trace)
    if output is not None:
        _draw(traces, found, stated, output)
    if found.is_serious:
        raise typer.Exit(1)


def _draw(traces: "dict[str, Trace]", found: "Verdicts", stated: "Overrides", output: Path) -> None:
    """Writes the figures; a note says which figure the evidence does not allow."""
    if not traces:
        note("gcsim: no figure is drawn, because the evidence holds no log")
        return
    from gcsim.api import calibrate
    from gcsim.atomic import replacing_set
    from gcsim.report.diagnosis_figure import write_diagnosis_figure
    from gcsim.report.diagnosis_forecast import write_forecast_figure
    from gcsim.report.diagnosis_pace import write_pace_figure, write_prediction

    log, trace = next(iter(traces.items()))
    refused = None
    try:
        service = calibrate(trace, name=Path(log).name.split(".")[0] or None, overrides=stated)
    except InputError as error:
        service, refused = None, error
    with replacing_set(output) as files:
        written = write_diagnosis_figure(traces, found, files)
        written += write_forecast_figure(traces, found, files)
        written += write_pace_figure(traces, files)
        if service is not None:
            written += write_prediction(service, files)
    note_written(output, written)
    if refused is not None:
        note(f"gcsim: no prediction is drawn next to the log: {refused}")


def parse_cpus(text: str | None) -> float | None:
    """The value of ``--cpus``: a number of CPUs, or thousandths as in Kubernetes. Raises InputError."""
    if text is None:
        return None
    number, thousandths = text.strip().removesuffix("m"), text.strip().endswith("m")
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", number, re.ASCII) is None:
        raise InputError(f"--cpus: {quoted(text)} is not a number of CPUs; write for example 1.5 or 500m")
    cpus = float(number) / (1000.0 if thousandths else 1.0)
    if not 0 < cpus <= _MOST_CPUS:
        raise InputError(f"--cpus: {quoted(text)} is out of range; write for example 1.5 or 500m")
    return cpus


def print_diagnosis(found: "Verdicts") -> None:
    """Prints the causes in rank order, the excluded ones, and the open questions."""
    if not found.causes:
        emit("Nothing stands out in this evidence.")
    for place, cause in enumerate(found.causes):
        if place:
            emit("")
        _print_cause(cause, is_first=place == 0)
    _print_latency(found)
    if found.excluded:
        emit("\nNot the cause:")
        emit("\n".join(wrap(f"  {text}", indent="    ") for text in found.excluded))
    if found.unknown:
        emit("\nNot known from this evidence, and what would show it:")
        for one in found.unknown:
            emit(wrap(f"  {one.question}: {one.shown_by}", indent="    "))


def _print_latency(found: "Verdicts") -> None:
    """Prints how GC delays requests, for the logs in which that is noticeable."""
    from gcsim.diagnosis.latency import NOT_IN_A_LOG

    shown = [one for one in found.latency if one.is_noticeable]
    for one in shown:
        emit("")
        emit(wrap(f"Delay of requests by GC, from the log alone ({one.log}):", indent="  "))
        emit("\n".join(wrap(f"  {text}", indent="    ") for text in one.lines))
    if shown:
        emit(wrap(f"  not in a log: {NOT_IN_A_LOG}", indent="    "))


def _print_cause(cause: "Cause", *, is_first: bool) -> None:
    """Prints a serious finding in full, and another one with its first sign and step."""
    is_serious = cause.severity == "serious"
    label = "Likely cause" if is_first and is_serious else cause.severity.capitalize()
    emit(wrap(f"{label}: {cause.title} ({cause.confidence} confidence) [{cause.name}]"))
    emit(wrap(f"  {cause.sentence}", indent="  "))
    for sign in cause.signs if is_serious else cause.signs[:1]:
        emit(wrap(f"    {sign.where}: {sign.text}{_value(sign)}", indent="      "))
    for step in cause.steps if is_serious else cause.steps[:1]:
        emit(wrap(f"  next: {step.text}", indent="    "))
        if step.command is not None and is_serious:
            emit(f"    $ {step.command}")


def _value(sign: "Sign") -> str:
    """The value of a sign behind its text; nothing if the text has a number."""
    from gcsim.units import format_mib, format_number, format_percent, format_seconds

    value = sign.value
    if value is None or sign.unit is None or re.search(r"(?<!\w)\d", sign.text.removeprefix("gc ")):
        return ""
    formats: dict[str, Callable[[float], str]] = {
        "bytes": format_mib,
        "seconds": format_seconds,
        "fraction": format_percent,
        "percent": lambda number: f"{format_number(number)} %",
        "per second": lambda number: f"{format_number(number)}/s",
        "bytes per second": lambda number: f"{format_mib(number)}/s",
        "count": format_number,
    }
    return f": {formats[sign.unit](value)}"
