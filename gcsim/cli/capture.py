"""``gcsim capture``: runs a Go program and writes its GC trace, or observes one that already runs."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import note
from gcsim.errors import InputError
from gcsim.units import format_go_bytes, format_gogc, format_mib, parse_duration

if TYPE_CHECKING:
    from gcsim.capture.info import CaptureInfo

_COLLECT_SECONDS, _EVERY_SECONDS = 60.0, 5.0


def capture(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- PROGRAM ARGS...]", help="The Go program and its arguments."),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="LOG",
            help="The log file to write; with --url, the folder [default: capture-HOST-PORT].",
        ),
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option(
            "--duration", "--for", metavar="TIME",
            help="Stop the program with SIGTERM after this time; with --url and --pid, observe for this time"
            " [default with --url: 60s].",
        ),
    ] = None,
    url: Annotated[
        list[str] | None,
        typer.Option(
            "--url", metavar="URL",
            help="Collect the pprof, expvar and Prometheus pages of a running service instead; repeat it if the pages"
            " are on several ports.",
        ),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(
            "--every", metavar="TIME", help="With --url: time between samples of the metrics [default: 5s]."
        ),
    ] = None,
    cpu: Annotated[
        str | None,
        typer.Option("--cpu", metavar="TIME", help="With --url: also take a CPU profile over this time."),
    ] = None,
    pid: Annotated[
        int | None,
        typer.Option("--pid", metavar="PID", help="Observe a Go program that already runs instead (Linux)."),
    ] = None,
    followed: Annotated[
        Path | None,
        typer.Option(
            "--log", metavar="FILE",
            help="With --pid: the file that the program's GC trace goes to [default: its standard error].",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no notes of gcsim.")] = False,
) -> int:  # fmt: skip
    """Run a Go program with its GC trace on, or observe one that already runs with --url or --pid.

    Output, signals and exit status of a program that capture runs pass through.
    """

    def say(text: str) -> None:
        if not quiet:
            note(f"gcsim: {text}")

    option = "--for" if url or pid is not None else "--duration"
    seconds = None if duration is None else parse_duration(duration, what=option)
    _refuse_mixed(command, url=url, every=every, cpu=cpu, pid=pid, followed=followed)
    if url:
        return _collect(url, log, seconds, every, cpu, say)
    if log is None:
        raise InputError("no log to write; name it with -o, as in: gcsim capture -o app.log -- ./app")
    if pid is not None:
        return _attach(pid, log, followed, seconds, say)
    from gcsim.capture.run import run_capture

    done = run_capture(command or (), log, duration_seconds=seconds, say=say)
    for text in done.notes:
        say(text)
    side = "" if done.side_file is None else f" and {done.side_file.name}"
    say(f"wrote {log}{side}: {_summary(done.info)}")
    return done.exit_status


def _refuse_mixed(
    command: list[str] | None,
    *,
    url: list[str] | None,
    every: str | None,
    cpu: str | None,
    pid: int | None,
    followed: Path | None,
) -> None:
    """Raises InputError for options that do not belong together."""
    if sum((bool(command), bool(url), pid is not None)) > 1:
        raise InputError("capture runs a program, or observes --url, or --pid; write one of the three")
    if not command and not url and pid is None:
        raise InputError(
            "nothing to capture; write a program behind --, as in: gcsim capture -o app.log -- ./app, or --url or --pid"
        )
    if not url and (every is not None or cpu is not None):
        raise InputError(
            f"{'--cpu' if every is None else '--every'} belongs to --url; write it with --url URL"
        )
    if pid is None and followed is not None:
        raise InputError("--log belongs to --pid; write it with --pid PID, or name the log to write with -o")
    if pid is not None and pid <= 0:
        raise InputError("--pid: write the number of a process, as pgrep prints it")


def _collect(
    urls: list[str],
    output: Path | None,
    seconds: float | None,
    every: str | None,
    cpu: str | None,
    say: Callable[[str], None],
) -> int:
    """Collects the pages of a service; returns the exit status."""
    from gcsim.capture.web.address import Address
    from gcsim.capture.web.collect import Plan, collect, default_folder
    from gcsim.interrupts import ending_status

    addresses = tuple(dict.fromkeys(Address.of(text) for text in urls))
    plan = Plan(
        addresses=addresses,
        folder=default_folder(addresses) if output is None else output,
        seconds=_COLLECT_SECONDS if seconds is None else seconds,
        every_seconds=_EVERY_SECONDS if every is None else parse_duration(every, what="--every"),
        cpu_seconds=None if cpu is None else parse_duration(cpu, what="--cpu"),
    )
    manifest, is_early = collect(plan, say)
    size = format_mib(sum(one.bytes for one in manifest.files))
    say(
        f"wrote {len(manifest.files)} files ({size}) in {manifest.seconds:.0f} s; next: gcsim diagnose {plan.folder}"
    )
    return ending_status() if is_early else 0


def _attach(
    pid: int, output: Path, followed: Path | None, seconds: float | None, say: Callable[[str], None]
) -> int:
    """Observes a running process; returns the exit status."""
    from gcsim.capture.attach import attach
    from gcsim.interrupts import ending_status

    done = attach(pid, output, log=followed, seconds=seconds, say=say)
    if done.has_ended:
        say(f"process {pid} has ended")
    what = f"{output} and {done.side_file.name}" if done.log is not None else str(done.side_file)
    say(f"wrote {what}: {_summary(done.info)}")
    if done.log is None:
        say(f"{done.side_file.name} belongs to a log of the same time; save that log as {output}")
    return ending_status() if done.is_early else 0


def _summary(info: "CaptureInfo") -> str:
    parts = []
    if info.go_version is not None:
        limit = format_go_bytes(info.gomemlimit_bytes)
        procs = "" if info.gomaxprocs is None else f" GOMAXPROCS={info.gomaxprocs}"
        parts.append(f"GOGC={format_gogc(info.gogc)} GOMEMLIMIT={limit}{procs}")
        parts.append(info.go_version)
    parts.append(f"{info.wall_seconds or 0.0:.1f} s")
    if info.rss_peak_bytes is not None:
        parts.append(f"peak memory {format_mib(info.rss_peak_bytes)}")
    return ", ".join(parts)
