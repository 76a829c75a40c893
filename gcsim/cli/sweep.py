"""``gcsim sweep``: the grid of settings, as table, figures and files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import emit, emit_json, emit_table, note, progress_bar, to_json_text
from gcsim.cli.options import (
    DurationOption,
    EngineOption,
    GomaxprocsOption,
    GoOption,
    JsonOption,
    MemoryOption,
    ModelArgument,
    ReplicasOption,
    SeedOption,
    parse_memory,
    simulation,
)

if TYPE_CHECKING:
    from gcsim.tuning.sweep import Sweep

INTERRUPTED = 130

GogcGrid = Annotated[
    str, typer.Option("--gogc", metavar="GRID", help="GOGC values: a list, a range from:to:count, or both.")
]
GomemlimitGrid = Annotated[
    str, typer.Option("--gomemlimit", metavar="GRID", help="Memory limits, such as off,512MiB,1GiB:4GiB:7.")
]


def sweep(
    model: ModelArgument,
    gogc: GogcGrid = "25:800:12",
    gomemlimit: GomemlimitGrid = "off",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Folder for JSON, CSV and figures.")
    ] = None,
    memory: MemoryOption = None,
    gomaxprocs: GomaxprocsOption = None,
    go: GoOption = None,
    replicas: ReplicasOption = 8,
    duration: DurationOption = "10m",
    seed: SeedOption = 1,
    engine: EngineOption = "lanes",
    as_json: JsonOption = False,
) -> None:
    """Predict every pair of a grid of GOGC and GOMEMLIMIT: heat maps, curves, table."""
    from gcsim.atomic import make_folder, write_text_atomically
    from gcsim.tuning.grid import parse_gogc_grid, parse_gomemlimit_grid
    from gcsim.tuning.sweep import sweep as run_sweep
    from gcsim.workload.model import Model

    how = simulation(duration=duration, replicas=replicas, seed=seed, engine=engine)
    gogcs, limits = parse_gogc_grid(gogc), parse_gomemlimit_grid(gomemlimit)
    memory_bytes = parse_memory(memory)
    service = Model.load(model)
    if output is not None:
        make_folder(output)
    with progress_bar("sweep") as progress:
        result = run_sweep(
            service,
            gogc=gogcs,
            gomemlimit_bytes=limits,
            gomaxprocs=gomaxprocs,
            go=go,
            duration_seconds=how.duration_seconds,
            replicas=how.replicas,
            seed=how.seed,
            progress=progress,
        )
    settings = result.finished[0].settings
    setup = f"{service.name} on Go {settings.go}, GOMAXPROCS={settings.gomaxprocs}; {how.describe(duration)}"
    if output is not None:
        write_text_atomically(output / "sweep.json", to_json_text(result.to_json()))
        write_text_atomically(output / "sweep.csv", result.to_csv())
    if as_json:
        emit_json(result.to_json())
    else:
        emit(f"{setup}\n")
        _print_grid(result, memory_bytes)
    if output is not None:
        from gcsim.report.sweep_figures import write_sweep_figures

        figures = write_sweep_figures(result, service, output, seed=how.seed, memory_bytes=memory_bytes)
        note(
            "wrote "
            + ", ".join(str(path) for path in [output / "sweep.json", output / "sweep.csv", *figures])
        )
    if len(result.finished) < len(result.runs):
        note(f"gcsim: interrupted: {len(result.finished)} of {len(result.runs)} settings finished")
        raise typer.Exit(INTERRUPTED)


def _print_grid(result: "Sweep", memory_bytes: int | None) -> None:
    """GC CPU and peak resident memory side by side, one row per setting in reach of a screen."""
    from gcsim.report.text import format_estimate, format_metric
    from gcsim.tuning.sweep import is_feasible
    from gcsim.units import format_go_bytes, format_gogc

    rows = []
    for run in result.finished:
        metrics = run.metrics
        rows.append(
            [
                format_gogc(run.settings.gogc),
                format_go_bytes(run.settings.gomemlimit_bytes),
                format_estimate("gc_cpu_fraction", metrics["gc_cpu_fraction"]),
                format_estimate("rss_peak_bytes", metrics["rss_peak_bytes"]),
                format_metric("gc_rate_hz", metrics["gc_rate_hz"].value),
                format_metric("stw_p99_seconds", metrics["stw_p99_seconds"].value),
                "" if is_feasible(run, memory_bytes) else "infeasible",
            ]
        )
    emit_table(["GOGC", "GOMEMLIMIT", "GC CPU", "resident peak", "cycles", "p99 pause", ""], rows)
