"""``gcsim sweep``: predictions over a grid of settings, as table, figures and files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import emit, emit_json, emit_reached, note, note_written, to_json_text
from gcsim.cli.grid_table import print_grid
from gcsim.cli.json_text import Written, indented
from gcsim.cli.kept import check_sweep_output, is_parquet, keeping
from gcsim.cli.options import (
    GomaxprocsOption,
    GoOption,
    JsonOption,
    MemoryOption,
    ModelsArgument,
    Simulation,
    parse_memory,
    simulates,
)
from gcsim.cli.progress import progress
from gcsim.cli.service import assessed, exit_by_verdict, load_service
from gcsim.cli.sweep_services import sweep_many
from gcsim.cli.upgrade import note_upgrade
from gcsim.cli.where import executor_of
from gcsim.interrupts import ending_status

if TYPE_CHECKING:
    from gcsim.engine.run import Run
    from gcsim.service.model import Model
    from gcsim.tuning.services import Grid
    from gcsim.tuning.sweep import Sweep
    from gcsim.tuning.unfinished import Unfinished

GogcGrid = Annotated[
    str, typer.Option("--gogc", metavar="GRID", help="GOGC values: a list, a range from:to:count, or both.")
]
GomemlimitGrid = Annotated[
    str, typer.Option("--gomemlimit", metavar="GRID", help="Memory limits, such as off,512MiB,1GiB:4GiB:7.")
]


@simulates(replicas=8)
def sweep(
    models: ModelsArgument,
    gogc: GogcGrid = "25:800:12",
    gomemlimit: GomemlimitGrid = "off",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="OUT", help="Folder for JSON, CSV and figures, or one FILE.parquet."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an unfinished sweep into the same output.")
    ] = False,
    memory: MemoryOption = None,
    gomaxprocs: GomaxprocsOption = None,
    go: GoOption = None,
    *,
    how: Simulation,
    as_json: JsonOption = False,
) -> None:
    """Predict all pairs of a grid of GOGC and GOMEMLIMIT: heat maps, curves, table; or one file of many models."""
    from gcsim.tuning.grid import check_grid, parse_gogc_grid, parse_gomemlimit_grid

    gogcs, limits = parse_gogc_grid(gogc), parse_gomemlimit_grid(gomemlimit)
    check_grid(gogcs, limits)
    memory_bytes = parse_memory(memory)
    from gcsim.tuning.services import Grid, model_files

    grid = Grid(
        gogc=tuple(gogcs), gomemlimit_bytes=tuple(limits), gomaxprocs=gomaxprocs, go=go, plan=how.plan
    )
    files = model_files(models)
    if len(files) > 1:
        sweep_many(files, grid, output, how, memory_bytes=memory_bytes, resume=resume, as_json=as_json)
        return
    service = load_service(files[0])
    if output is not None:
        check_sweep_output(output)
    with keeping(output, grid, files, resume=resume) as kept:
        result = _simulated(service, grid, how, kept, memory_bytes)
        status = ending_status() if len(result.finished) < len(result.runs) else 0
        if status:
            _note_interrupted(result, output, kept)
        _report(service, result, output, files[0], grid, how, as_json=as_json)
        if kept is not None and not status:
            kept.remove()
    if status:
        raise typer.Exit(status)
    exit_by_verdict(service)


def _simulated(
    service: "Model", grid: "Grid", how: Simulation, kept: "Unfinished | None", memory_bytes: int | None
) -> "Sweep":
    from gcsim.tuning.sweep import sweep as run_sweep

    keeper = None
    if kept is not None:
        from gcsim.tuning.unfinished import ServiceKeeper

        keeper = ServiceKeeper(kept)
    with progress("sweep") as report, executor_of(how) as executor:
        return run_sweep(
            service,
            gogc=grid.gogc,
            gomemlimit_bytes=grid.gomemlimit_bytes,
            gomaxprocs=grid.gomaxprocs,
            go=grid.go,
            plan=grid.plan,
            memory_bytes=memory_bytes,
            progress=report,
            executor=executor,
            keeper=keeper,
        )


def _note_interrupted(result: "Sweep", output: Path | None, kept: "Unfinished | None") -> None:
    finished = f"gcsim: interrupted: {len(result.finished)} of {len(result.runs)} settings finished"
    if output is None:
        note(finished)
        return
    later = "" if kept is None else ", and --resume continues"
    note(f"{finished}; gcsim writes them now, press Ctrl-C again to stop that{later}")


def _report(
    service: "Model",
    result: "Sweep",
    output: Path | None,
    file: str,
    grid: "Grid",
    described: Simulation,
    *,
    as_json: bool,
) -> None:
    """Prints the sweep and writes its files."""
    from gcsim.tuning.memory_budget import memory_budget
    from gcsim.tuning.recommend import best_of

    memory_bytes, plan = result.memory_bytes, result.plan
    settings = result.finished[0].settings
    best = (
        None
        if memory_bytes is None
        else best_of(
            result.finished,
            memory_bytes,
            not_counted_bytes=memory_budget(service, seed=plan.seed).not_counted.high,
        )
    )
    note_upgrade(service, settings)
    from gcsim.tuning.limits_reached import first_reached, reached_json

    judged = [run.settings for run in result.finished] if best is None else [best.settings]
    reached = first_reached(service, judged, memory_bytes=memory_bytes, seed=plan.seed)
    document = result.to_json()
    if as_json:
        if output is not None:  # a large sweep's runs take as long to write as its figures
            document["runs"] = Written(indented(document["runs"], "\n  "))
        emit_json(assessed({**document, **reached_json(reached)}, service))
    else:
        setup = f"{service.name} on Go {settings.go}, GOMAXPROCS={settings.gomaxprocs}"
        emit(f"{setup}; {described}\n\n")
        print_grid(result, best)
        emit_reached(reached)
    if output is None:
        return
    if is_parquet(output):
        _write_parquet(service, result, output, file, grid)
    else:
        _write_files(service, result, best, document, output)


def _write_parquet(service: "Model", result: "Sweep", output: Path, file: str, grid: "Grid") -> None:
    from gcsim.tuning.services_file import write_sweep

    write_sweep(
        output, result, file, grid, verdict=None if service.assessment is None else service.assessment.verdict
    )
    note(f"wrote {output}")


def _write_files(
    service: "Model", result: "Sweep", best: "Run | None", document: dict[str, object], output: Path
) -> None:
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
        text = to_json_text(assessed(document, service))
        written = files.write_text("sweep.json", text)  # last: its presence shows that all files are complete
    note_written(output, [written, table, *figures])
