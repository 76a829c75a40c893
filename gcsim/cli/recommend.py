"""``gcsim recommend``: a setting for a container, with reasons and costs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import emit, emit_json, emit_reached, note_written
from gcsim.cli.options import (
    GomaxprocsOption,
    GoOption,
    JsonOption,
    ModelArgument,
    Simulation,
    constrains,
    parse_memory,
    simulates,
)
from gcsim.cli.progress import progress
from gcsim.cli.readings import GivenMemory, reads_memory
from gcsim.cli.service import assessed, exit_by_verdict, load_service, verdict_heading, verdict_parts
from gcsim.cli.upgrade import note_upgrade
from gcsim.cli.where import executor_of

if TYPE_CHECKING:
    from gcsim.service.model import Model
    from gcsim.tuning.recommend import Recommendation

NOTHING_FEASIBLE = 1


@simulates(replicas=16)
@reads_memory()
@constrains()
def recommend(
    model: ModelArgument,
    memory: Annotated[
        str, typer.Option("--memory", metavar="SIZE", help="Memory of the container, such as 512Mi or 2GiB.")
    ],
    most: dict[str, float],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Folder for figures of the choice.")
    ] = None,
    gomaxprocs: GomaxprocsOption = None,
    go: GoOption = None,
    *,
    given: GivenMemory,
    how: Simulation,
    as_json: JsonOption = False,
) -> None:
    """Choose GOGC and GOMEMLIMIT for a container; exit status 1 if no setting is feasible."""
    from gcsim.atomic import check_folder

    memory_bytes = parse_memory(memory)
    assert memory_bytes is not None
    service = load_service(model, given.readings())
    if output is not None:
        check_folder(output)
    from gcsim.cli.answer import print_miss, print_recommendation
    from gcsim.tuning.constraints import Constraint
    from gcsim.tuning.recommend import recommend as choose

    with progress("recommend") as report, executor_of(how) as executor:
        found = choose(
            service,
            memory_bytes=memory_bytes,
            constraints=[Constraint.at_most(metric, bound) for metric, bound in most.items()],
            gomaxprocs=gomaxprocs,
            go=go,
            plan=how.plan,
            progress=report,
            executor=executor,
        )
    note_upgrade(service, found.settings)
    from gcsim.tuning.limits_reached import limits_reached, reached_json

    reached = limits_reached(service, found.settings, memory_bytes=memory_bytes, seed=how.plan.seed)
    if as_json:
        emit_json(assessed({**found.to_json(), **reached_json(reached)}, service))
    else:
        emit(
            f"{verdict_heading(service)}{service.name} on Go {found.settings.go},"
            f" GOMAXPROCS={found.settings.gomaxprocs}; {how}\n{verdict_parts(service)}\n"
        )
        if found.feasible:
            print_recommendation(found)
        else:
            print_miss(found)
        emit_reached(reached)
    if output is not None:
        _write_figures(service, found, output)
    if not found.feasible:
        raise typer.Exit(NOTHING_FEASIBLE)
    exit_by_verdict(service)


def _write_figures(service: "Model", found: "Recommendation", output: Path) -> None:
    """Writes the trade-off, and heap and pauses of today's and the recommended setting."""
    from gcsim.atomic import replacing_set
    from gcsim.report.plots import Shown, write_figures
    from gcsim.report.sweep_figures import about_model
    from gcsim.tuning.recorded import record_runs

    shown = list(dict.fromkeys([found.today.settings, found.settings]))
    recorded = record_runs(service, shown, found.plan)
    about = about_model(service.name, found.settings)
    with replacing_set(output) as files:
        written = write_figures(Shown(about=about, recommendation=found, recorded=recorded), files)
    note_written(output, written)
