"""``gcsim recommend``: a setting for a container, with reasons and costs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import emit, emit_json, emit_reached, note_written
from gcsim.cli.deploy import TEXT, ContainerOption, FormatOption, check_format, print_snippet
from gcsim.cli.evidence import Service, SourceArgument, Stated, container_memory, reads_log, service_of
from gcsim.cli.options import (
    GomaxprocsOption,
    GoOption,
    JsonOption,
    Simulation,
    constrains,
    parse_memory,
    simulates,
)
from gcsim.cli.progress import Report, progress
from gcsim.cli.readings import GivenMemory, reads_memory
from gcsim.cli.service import assessed, exit_by_verdict, verdict_heading, verdict_parts
from gcsim.cli.upgrade import note_upgrade
from gcsim.cli.where import executor_of
from gcsim.errors import InputError

if TYPE_CHECKING:
    from gcsim.engine.executors import Executor
    from gcsim.engine.plan import Plan
    from gcsim.service.model import Model
    from gcsim.tuning.constraints import Constraint
    from gcsim.tuning.recommend import Recommendation
    from gcsim.tuning.smallest import SmallestContainer

NOTHING_FEASIBLE = 1


@simulates(replicas=16)
@reads_memory()
@reads_log(settings=True)
@constrains()
def recommend(
    model: SourceArgument,
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory",
            metavar="SIZE",
            help="Memory of the container, such as 512Mi or 2GiB [default: the limit that the evidence shows, or"
            " the smallest container that keeps --max-gc-cpu].",
        ),
    ] = None,
    *,
    most: dict[str, float],
    form: FormatOption = TEXT,
    container: ContainerOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Folder for figures of the choice.")
    ] = None,
    gomaxprocs: GomaxprocsOption = None,
    go: GoOption = None,
    stated: Stated,
    given: GivenMemory,
    how: Simulation,
    as_json: JsonOption = False,
) -> None:
    """Choose GOGC and GOMEMLIMIT for a container; exit status 1 if no setting is feasible.

    A log is calibrated first. Without a size of the container, the answer is the smallest one that keeps the bounds.
    """
    from gcsim.atomic import check_folder

    check_format(form, container, as_json=as_json)
    memory_bytes = parse_memory(memory)
    given, limits = given.split_limits()
    if output is not None:
        check_folder(output)
    source = service_of(model, given, stated, go=go)
    service = source.model
    if memory_bytes is None:
        memory_bytes = container_memory(source, limits, model)
    if memory_bytes is None and not most:
        raise InputError(
            "--memory: no evidence shows the memory of the container; pass it, such as 512Mi, or pass --max-gc-cpu,"
            " such as 5%, to find the smallest container"
        )
    with progress("recommend") as report, executor_of(how) as executor:
        asked = _Asked(
            most=most, gomaxprocs=gomaxprocs, go=go, plan=how.plan, report=report, executor=executor
        )
        smallest = asked.smallest(service) if memory_bytes is None else None
        found = asked.recommended(service, memory_bytes or 0) if smallest is None else smallest.recommendation
    note_upgrade(service, found.settings)
    from gcsim.tuning.limits_reached import limits_reached, reached_json

    reached = limits_reached(service, found.settings, memory_bytes=found.memory_bytes, seed=how.plan.seed)
    if as_json:
        answer = found.to_json() if smallest is None else smallest.to_json()
        emit_json(assessed({**answer, **reached_json(reached)}, service))
    elif form != TEXT:
        print_snippet(found, service, form, container, reached)
    else:
        _print(found, smallest, source, how)
        emit_reached(reached)
    if output is not None:
        _write_figures(service, found, output)
    if not found.feasible:
        raise typer.Exit(NOTHING_FEASIBLE)
    exit_by_verdict(service)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The bounds and the rest of the setting, and how to simulate."""

    most: dict[str, float]
    gomaxprocs: int | None
    go: str | None
    plan: "Plan"
    report: Report
    executor: "Executor"

    def recommended(self, service: "Model", memory_bytes: int) -> "Recommendation":
        """The recommendation in a container of this size."""
        from gcsim.tuning.recommend import recommend as choose

        return choose(
            service,
            memory_bytes=memory_bytes,
            constraints=self.constraints,
            gomaxprocs=self.gomaxprocs,
            go=self.go,
            plan=self.plan,
            progress=self.report,
            executor=self.executor,
        )

    def smallest(self, service: "Model") -> "SmallestContainer":
        """The smallest container that keeps the bounds."""
        from gcsim.tuning.smallest import smallest_container

        return smallest_container(
            service,
            constraints=self.constraints,
            gomaxprocs=self.gomaxprocs,
            go=self.go,
            plan=self.plan,
            progress=self.report,
            executor=self.executor,
        )

    @property
    def constraints(self) -> "list[Constraint]":
        """The bounds that the options state."""
        from gcsim.tuning.constraints import Constraint

        return [Constraint.at_most(metric, bound) for metric, bound in self.most.items()]


def _print(
    found: "Recommendation", smallest: "SmallestContainer | None", source: "Service", how: Simulation
) -> None:
    from gcsim.cli.answer import print_containers, print_miss, print_recommendation

    service = source.model
    emit(
        f"{verdict_heading(service)}{service.name} on Go {found.settings.go},"
        f" GOMAXPROCS={found.settings.gomaxprocs}; {how}\n{source.about}{verdict_parts(service)}\n"
    )
    if smallest is not None and found.feasible:
        print_containers(smallest)
    if found.feasible:
        print_recommendation(found)
    else:
        print_miss(found)


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
