"""``gcsim capture``: runs a Go program and writes its GC trace to a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import note
from gcsim.units import format_go_bytes, format_gogc, format_mib, parse_duration

if TYPE_CHECKING:
    from gcsim.capture.info import CaptureInfo


def capture(
    command: Annotated[
        list[str], typer.Argument(metavar="-- PROGRAM ARGS...", help="The Go program and its arguments.")
    ],
    log: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="LOG", help="The log file to write."),
    ],
    duration: Annotated[
        str | None,
        typer.Option(
            "--duration", "--for", metavar="TIME", help="Stop the program with SIGTERM after this time."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no notes of gcsim.")] = False,
) -> int:
    """Run a Go program with its GC trace on; output, signals and exit status pass through."""
    from gcsim.capture.run import run_capture

    def say(text: str) -> None:
        if not quiet:
            note(f"gcsim: {text}")

    seconds = None if duration is None else parse_duration(duration)
    done = run_capture(command, log, duration_seconds=seconds, say=say)
    for text in done.notes:
        say(text)
    side = "" if done.side_file is None else f" and {done.side_file.name}"
    say(f"wrote {log}{side}: {_summary(done.info)}")
    return done.exit_status


def _summary(info: "CaptureInfo") -> str:
    parts = []
    if info.go_version is not None:
        limit = format_go_bytes(info.gomemlimit_bytes)
        parts.append(f"GOGC={format_gogc(info.gogc)} GOMEMLIMIT={limit} GOMAXPROCS={info.gomaxprocs}")
        parts.append(info.go_version)
    parts.append(f"{info.wall_seconds or 0.0:.1f} s")
    if info.rss_peak_bytes is not None:
        parts.append(f"peak memory {format_mib(info.rss_peak_bytes)}")
    return ", ".join(parts)
