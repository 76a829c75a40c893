"""``gcsim plot``: figures of a sweep, of a model at chosen settings, or of a log."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import note_written
from gcsim.cli.options import (
    GomaxprocsOption,
    GoOption,
    MemoryOption,
    Simulation,
    parse_memory,
    simulates,
)
from gcsim.cli.service import exit_by_verdict, load_service
from gcsim.cli.upgrade import note_upgrade
from gcsim.errors import InputError
from gcsim.printable import quoted

if TYPE_CHECKING:
    from gcsim.service.model import Model
    from gcsim.settings import Settings

_MAX_CURVES = 6


@simulates(replicas=None)
def plot(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A model, a shipped model's name, or sweep.json or a Parquet file of gcsim sweep.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="Folder for PNG and SVG files.")
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="NAME", help="With a Parquet file of several models: the name or file of one."
        ),
    ] = None,
    gogc: Annotated[
        str, typer.Option("--gogc", metavar="GRID", help="With a model: GOGC values of up to six settings.")
    ] = "50,100,200",
    gomemlimit: Annotated[
        str, typer.Option("--gomemlimit", metavar="GRID", help="With a model: their memory limits.")
    ] = "off",
    memory: MemoryOption = None,
    gomaxprocs: GomaxprocsOption = None,
    go: GoOption = None,
    *,
    how: Simulation,
) -> None:
    """Draw a sweep's heat maps and trade-off, or a model's heap and pauses at chosen settings."""
    from gcsim.atomic import check_folder, replacing_set

    memory_bytes = parse_memory(memory)
    check_folder(output)
    is_parquet = source.endswith(".parquet")
    if model is not None and not is_parquet:
        raise InputError(f"--model: only a Parquet file has several models; {quoted(source)} is none")
    service = None if source.endswith(".json") or is_parquet else load_service(source)
    if service is None:
        from gcsim.report.plots import Shown, write_figures
        from gcsim.report.sweep_figures import about_model
        from gcsim.tuning.parquet_reading import read_parquet_sweep
        from gcsim.tuning.sweep_file import read_sweep

        path = Path(source)
        sweep = read_parquet_sweep(path, model=model) if is_parquet else read_sweep(path)
        if memory_bytes is not None:
            sweep = replace(sweep, memory_bytes=memory_bytes)
        about = about_model(sweep.model or Path(source).stem, sweep.finished[0].settings)
        with replacing_set(output) as files:
            written = write_figures(Shown(about=about, sweep=sweep), files)
    else:
        from gcsim.report.plots import Shown, write_figures
        from gcsim.report.sweep_figures import about_model
        from gcsim.tuning.recorded import record_runs

        settings = _settings(service, gogc, gomemlimit, gomaxprocs, go)
        note_upgrade(service, settings[0])
        recorded = record_runs(service, settings, how.plan)
        about = about_model(service.name, settings[0])
        with replacing_set(output) as files:
            written = write_figures(Shown(about=about, recorded=recorded), files)
    if not written:
        raise InputError(
            f"{source}: nothing to draw, because no setting has two GC cycles; choose other settings"
        )
    note_written(output, written)
    if service is not None:
        exit_by_verdict(service)


def _settings(
    service: "Model", gogc: str, gomemlimit: str, gomaxprocs: int | None, go: str | None
) -> list["Settings"]:
    from gcsim.tuning.grid import parse_gogc_grid, parse_gomemlimit_grid, settings_grid
    from gcsim.tuning.sweep import base_settings

    base = base_settings(service, gomaxprocs=gomaxprocs, go=go)
    found = settings_grid(
        parse_gogc_grid(gogc), parse_gomemlimit_grid(gomemlimit), gomaxprocs=base.gomaxprocs, go=base.go
    )
    if len(found) > _MAX_CURVES:
        raise InputError(
            f"--gogc and --gomemlimit make {len(found)} settings; draw at most {_MAX_CURVES} at once"
        )
    return found
