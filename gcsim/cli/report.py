"""``gcsim report``: everything about one model on one page."""

from pathlib import Path
from typing import Annotated

import typer

from gcsim.cli.console import note, progress_bar
from gcsim.cli.options import (
    DurationOption,
    EngineOption,
    GomaxprocsOption,
    GoOption,
    MemoryOption,
    ModelArgument,
    ReplicasOption,
    SeedOption,
    parse_memory,
    simulation,
)
from gcsim.cli.service import load_service
from gcsim.cli.sweep import GogcGrid, GomemlimitGrid


def report(
    model: ModelArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="PAGE", help="The HTML file to write.")],
    memory: MemoryOption = None,
    gogc: GogcGrid = "25:800:12",
    gomemlimit: GomemlimitGrid = "off",
    gomaxprocs: GomaxprocsOption = None,
    go: GoOption = None,
    replicas: ReplicasOption = 8,
    duration: DurationOption = "10m",
    seed: SeedOption = 1,
    engine: EngineOption = "lanes",
) -> None:
    """Write one self-contained HTML page: the grid, the heap over time and, with --memory, a setting."""
    from gcsim.atomic import check_output, write_text_atomically
    from gcsim.errors import InputError
    from gcsim.report.model_page import model_page
    from gcsim.tuning.grid import parse_gogc_grid, parse_gomemlimit_grid
    from gcsim.tuning.recommend import recommend
    from gcsim.tuning.sweep import sweep

    how = simulation(duration=duration, replicas=replicas, seed=seed, engine=engine)
    gogcs, limits, memory_bytes = (
        parse_gogc_grid(gogc),
        parse_gomemlimit_grid(gomemlimit),
        parse_memory(memory),
    )
    if len(gogcs) * len(limits) < 2:
        raise InputError("--gogc and --gomemlimit make one setting; a report needs two or more")
    service = load_service(model)
    check_output(output)
    with progress_bar("report") as progress:
        grid = sweep(
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
        chosen = None
        if memory_bytes is not None:
            chosen = recommend(
                service,
                memory_bytes=memory_bytes,
                gomaxprocs=gomaxprocs,
                go=go,
                duration_seconds=how.duration_seconds,
                seed=how.seed,
                engine=how.engine,
                progress=progress,
            )
    write_text_atomically(output, model_page(service, grid, chosen, seed=how.seed))
    note(f"wrote {output}")
