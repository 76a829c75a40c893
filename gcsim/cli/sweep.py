"""``gcsim sweep``: the grid of settings, as table, figures and files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import (
    emit,
    emit_json,
    emit_table,
    note,
    note_written,
    progress_bar,
    to_json_text,
)
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
from gcsim.cli.service import load_service
from gcsim.interrupts import INTERRUPTED
from gcsim.units import MIB, format_go_bytes, format_gogc, format_number

if TYPE_CHECKING:
    from gcsim.tuning.sweep import Sweep

_MAX_ROWS = 24

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
    from gcsim.atomic import check_folder, replacing_set
    from gcsim.tuning.grid import parse_gogc_grid, parse_gomemlimit_grid
    from gcsim.tuning.sweep import sweep as run_sweep

    how = simulation(duration=duration, replicas=replicas, seed=seed, engine=engine)
    gogcs, limits = parse_gogc_grid(gogc), parse_gomemlimit_grid(gomemlimit)
    memory_bytes = parse_memory(memory)
    service = load_service(model)
    if output is not None:
        check_folder(output)
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
            engine=how.engine,
            progress=progress,
        )
    interrupted = len(result.finished) < len(result.runs)
    if interrupted:
        finished = f"gcsim: interrupted: {len(result.finished)} of {len(result.runs)} settings finished"
        note(finished if output is None else f"{finished}; writing them, Ctrl-C again stops that")
    settings = result.finished[0].settings
    setup = f"{service.name} on Go {settings.go}, GOMAXPROCS={settings.gomaxprocs}; {how.describe(duration)}"
    if as_json:
        emit_json(result.to_json())
    else:
        emit(f"{setup}\n\n")
        _print_grid(result, memory_bytes)
    if output is not None:
        from gcsim.report.sweep_figures import write_sweep_figures
        from gcsim.tuning.recommend import best_of

        chosen = None if memory_bytes is None else best_of(result.finished, memory_bytes)
        with replacing_set(output) as files:
            figures = write_sweep_figures(
                result, service, files, seed=how.seed, memory_bytes=memory_bytes, chosen=chosen
            )
            table = files.write_text("sweep.csv", result.to_csv())
            document = files.write_text(
                "sweep.json", to_json_text(result.to_json())
            )  # last: it stands for all
        note_written(output, [document, table, *figures])
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def _print_grid(result: "Sweep", memory_bytes: int | None) -> None:
    """One row per setting while that fits a screen, else the grid as two maps of figures."""
    if len(result.finished) <= _MAX_ROWS or len(result.gomemlimit_bytes) == 1:
        _print_rows(result, memory_bytes)
        return
    _print_map(result, memory_bytes, "gc_cpu_fraction", 0.01, "GC CPU, percent")
    emit("")
    _print_map(result, memory_bytes, "rss_peak_bytes", MIB, "peak resident memory, MiB")
    if bool(result.infeasible(memory_bytes).any()):
        emit("\n* infeasible: does not fit the memory given, or does not keep its own limit")


def _print_map(result: "Sweep", memory_bytes: int | None, metric: str, unit: float, title: str) -> None:
    values, broken = result.metric(metric).value / unit, result.infeasible(memory_bytes)
    rows = [
        [
            format_go_bytes(limit),
            *(_cell(value, bad) for value, bad in zip(values[i], broken[i], strict=True)),
        ]
        for i, limit in enumerate(result.gomemlimit_bytes)
    ]
    emit_table(["GOGC", *map(format_gogc, result.gogc)], rows, title=title)


def _cell(value: float, infeasible: bool) -> str:
    if value != value:  # not simulated
        return ""
    return format_number(value, 2) + ("*" if infeasible else "")


def _print_rows(result: "Sweep", memory_bytes: int | None) -> None:
    from gcsim.report.text import format_estimate, format_metric
    from gcsim.tuning.sweep import is_feasible

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
