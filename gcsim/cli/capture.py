"""``gcsim capture``: run a Go program and keep its GC trace."""

from pathlib import Path
from typing import Annotated

import typer

from gcsim.cli.console import note
from gcsim.units import format_go_bytes, format_gogc, format_mib


def capture(
    command: Annotated[
        list[str], typer.Argument(metavar="-- PROGRAM ARGS...", help="The Go program and its arguments.")
    ],
    log: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="LOG", help="Where the trace goes."),
    ],
) -> int:
    """Run a Go program with its GC trace on; its output, signals and exit status pass through."""
    from gcsim.gctrace.capture import run_capture
    from gcsim.gctrace.capture_info import side_file

    info = run_capture(command, log)
    note(
        f"gcsim: wrote {log} and {side_file(log).name}: GOGC={format_gogc(info.gogc)}"
        f" GOMEMLIMIT={format_go_bytes(info.gomemlimit_bytes)} GOMAXPROCS={info.gomaxprocs},"
        f" {info.go_version}, {info.wall_seconds:.1f} s, peak memory {format_mib(info.rss_peak_bytes)}"
    )
    return info.exit_status
