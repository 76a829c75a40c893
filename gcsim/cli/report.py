"""``gcsim report``: one HTML page about one model."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import note
from gcsim.cli.options import (
    GomaxprocsOption,
    GoOption,
    MemoryOption,
    ModelArgument,
    Simulation,
    parse_memory,
    simulates,
)
from gcsim.cli.progress import Report, progress
from gcsim.cli.readings import GivenMemory, reads_memory
from gcsim.cli.service import exit_by_verdict, load_service
from gcsim.cli.sweep import GogcGrid, GomemlimitGrid
from gcsim.cli.upgrade import note_upgrade
from gcsim.cli.where import executor_of

if TYPE_CHECKING:
    from gcsim.engine.executors import Executor
    from gcsim.engine.plan import Plan
    from gcsim.service.model import Model
    from gcsim.tuning.recommend import Recommendation


@simulates(replicas=16)
@reads_memory()
def report(
    model: ModelArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="PAGE", help="The HTML file to write.")],
    memory: MemoryOption = None,
    gogc: GogcGrid = "25:800:12",
    gomemlimit: GomemlimitGrid = "off",
    gomaxprocs: GomaxprocsOption = None,
    go: GoOption = None,
    *,
    given: GivenMemory,
    how: Simulation,
) -> None:
    """Write one self-contained HTML page: the grid, the heap over time and, with --memory, a recommendation."""
    from gcsim.atomic import check_output, write_text_atomically
    from gcsim.errors import InputError
    from gcsim.tuning.grid import parse_gogc_grid, parse_gomemlimit_grid

    gogcs, limits, memory_bytes = (
        parse_gogc_grid(gogc),
        parse_gomemlimit_grid(gomemlimit),
        parse_memory(memory),
    )
    if len(gogcs) * len(limits) < 2:
        raise InputError(
            "--gogc and --gomemlimit make one setting, but a report needs two or more; give more values"
        )
    service = load_service(model, given.readings())
    check_output(output)
    from gcsim.report.model_page import model_page
    from gcsim.tuning.recorded import record_runs, settings_to_record
    from gcsim.tuning.sweep import sweep

    with progress("report") as show, executor_of(how) as executor:
        asked = _Asked(gomaxprocs=gomaxprocs, go=go, plan=how.plan, executor=executor)
        found = None if memory_bytes is None else _recommended(service, memory_bytes, asked, show)
        chosen = found.settings if found is not None and found.feasible else None
        if chosen is not None:  # the grid must contain the recommended setting
            gogcs = list(dict.fromkeys([*gogcs, chosen.gogc]))
            limits = list(dict.fromkeys([*limits, chosen.gomemlimit_bytes]))
        grid = sweep(
            service,
            gogc=gogcs,
            gomemlimit_bytes=limits,
            gomaxprocs=gomaxprocs,
            go=go,
            plan=how.plan,
            memory_bytes=memory_bytes,
            progress=show,
            executor=executor,
        )
        recorded = record_runs(service, settings_to_record(grid, service, chosen=chosen), how.plan)
    note_upgrade(service, grid.finished[0].settings)
    write_text_atomically(output, model_page(service, grid, recorded, found))
    note(f"wrote {output}")
    exit_by_verdict(service)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The options that the sweep and the recommendation share."""

    gomaxprocs: int | None
    go: str | None
    plan: "Plan"
    executor: "Executor"


def _recommended(service: "Model", memory_bytes: int, asked: _Asked, show: Report) -> "Recommendation":
    from gcsim.tuning.recommend import recommend

    return recommend(
        service,
        memory_bytes=memory_bytes,
        gomaxprocs=asked.gomaxprocs,
        go=asked.go,
        plan=asked.plan,
        progress=show,
        executor=asked.executor,
    )
