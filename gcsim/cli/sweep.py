"""``gcsim sweep``: predictions over a grid of settings, as table, figures and files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import emit, emit_json, emit_reached, note, note_written, to_json_text
from gcsim.cli.grid_table import print_grid
from gcsim.cli.options import (
    GomaxprocsOption,
    GoOption,
    JsonOption,
    MemoryOption,
    ModelArgument,
    Simulation,
    parse_memory,
    simulates,
)
from gcsim.cli.progress import progress
from gcsim.cli.service import assessed, exit_by_verdict, load_service
from gcsim.cli.upgrade import note_upgrade
from gcsim.engine.executors import workers
from gcsim.interrupts import INTERRUPTED

if TYPE_CHECKING:
    from gcsim.engine.run import Run
    from gcsim.service.model import Model
    from gcsim.tuning.sweep import Sweep

GogcGrid = Annotated[
    str, typer.Option("--gogc", metavar="GRID", help="GOGC values: a list, a range from:to:count, or both.")
]
GomemlimitGrid = Annotated[
    str, typer.Option("--gomemlimit", metavar="GRID", help="Memory limits, such as off,512MiB,1GiB:4GiB:7.")
]


@simulates(replicas=8)
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
    *,
    how: Simulation,
    as_json: JsonOption = False,
) -> None:
    """Predict all pairs of a grid of GOGC and GOMEMLIMIT: heat maps, curves, table."""
    from gcsim.atomic import check_folder
    from gcsim.tuning.grid import parse_gogc_grid, parse_gomemlimit_grid

    gogcs, limits = parse_gogc_grid(gogc), parse_gomemlimit_grid(gomemlimit)
    memory_bytes = parse_memory(memory)
    service = load_service(model)
    if output is not None:
        check_folder(output)
    from gcsim.tuning.memory_budget import memory_budget
    from gcsim.tuning.recommend import best_of
    from gcsim.tuning.sweep import sweep as run_sweep

    with progress("sweep") as report, workers(how.jobs) as executor:
        result = run_sweep(
            service,
            gogc=gogcs,
            gomemlimit_bytes=limits,
            gomaxprocs=gomaxprocs,
            go=go,
            plan=how.plan,
            memory_bytes=memory_bytes,
            progress=report,
            executor=executor,
        )
    interrupted = len(result.finished) < len(result.runs)
    if interrupted:
        finished = f"gcsim: interrupted: {len(result.finished)} of {len(result.runs)} settings finished"
        note(
            finished
            if output is None
            else f"{finished}; gcsim writes them now, press Ctrl-C again to stop that"
        )
    settings = result.finished[0].settings
    best = (
        None
        if memory_bytes is None
        else best_of(
            result.finished,
            memory_bytes,
            not_counted_bytes=memory_budget(service, seed=how.plan.seed).not_counted.high,
        )
    )
    note_upgrade(service, settings)
    from gcsim.tuning.limits_reached import first_reached, reached_json

    judged = [run.settings for run in result.finished] if best is None else [best.settings]
    reached = first_reached(service, judged, memory_bytes=memory_bytes, seed=how.plan.seed)
    if as_json:
        emit_json(assessed({**result.to_json(), **reached_json(reached)}, service))
    else:
        setup = f"{service.name} on Go {settings.go}, GOMAXPROCS={settings.gomaxprocs}"
        emit(f"{setup}; {how}\n\n")
        print_grid(result, best)
        emit_reached(reached)
    if output is not None:
        _write_files(service, result, best, output)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    exit_by_verdict(service)


def _write_files(service: "Model", result: "Sweep", best: "Run | None", output: Path) -> None:
    """Writes figures, table and document together."""
    from gcsim.atomic import replacing_set
    from gcsim.report.plots import Shown, write_figures
    from gcsim.report.sweep_figures import about_model
    from gcsim.tuning.recorded import record_runs, settings_to_record

    shown = settings_to_record(result, service, chosen=None if best is None else best.settings)
    recorded = record_runs(service, shown, result.plan)
    about = about_model(service.name, result.finished[0].settings)
    with replacing_set(output) as files:
        figures = write_figures(Shown(about=about, sweep=result, chosen=best, recorded=recorded), files)
        table = files.write_text("sweep.csv", result.to_csv())
        text = to_json_text(assessed(result.to_json(), service))
        document = files.write_text(
            "sweep.json", text
        )  # last: its presence shows that all files are complete
    note_written(output, [document, table, *figures])
