"""``gcsim recommend``: a setting for a container, with reasons and costs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.bounds import OtherMemoryOption, Wanted, constrains, parse_other_memory
from gcsim.cli.console import emit, emit_json, emit_reached, note_written, wrap
from gcsim.cli.deploy import TEXT, ContainerOption, FormatOption, check_format, print_snippet
from gcsim.cli.evidence import Service, SourceArgument, Stated, container_memory, reads_log, service_of
from gcsim.cli.options import (
    GomaxprocsOption,
    GoOption,
    JsonOption,
    Simulation,
    parse_memory,
    simulates,
)
from gcsim.cli.progress import Report, progress
from gcsim.cli.readings import GivenMemory, reads_memory
from gcsim.cli.service import assessed, exit_by_verdict, verdict_heading, verdict_parts
from gcsim.cli.table import TableOption, check_table_option, write_table_option
from gcsim.cli.upgrade import note_upgrade
from gcsim.cli.where import executor_of
from gcsim.errors import InputError

if TYPE_CHECKING:
    from gcsim.engine.executors import Executor
    from gcsim.engine.plan import Plan
    from gcsim.engine.run import Run
    from gcsim.service.model import Model
    from gcsim.tuning.recommendation import Recommendation
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
    other_memory: OtherMemoryOption = None,
    *,
    wanted: Wanted,
    form: FormatOption = TEXT,
    container: ContainerOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Folder for figures of the choice.")
    ] = None,
    table: TableOption = None,
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
    memory_bytes, other_bytes = parse_memory(memory), parse_other_memory(other_memory)
    given, limits = given.split_limits()
    if output is not None:
        check_folder(output)
    check_table_option(table)
    source = service_of(model, given, stated, go=go)
    service = source.model
    if memory_bytes is None:
        memory_bytes = container_memory(source, limits, model)
    wanted.check(service)
    if memory_bytes is None and not wanted.bounds:
        raise InputError(
            "--memory: no evidence shows the memory of the container; pass it, such as 512Mi, or pass --max-gc-cpu,"
            " such as 5%, to find the smallest container"
        )
    with progress("recommend") as report, executor_of(how) as executor:
        asked = _Asked(
            wanted=wanted, other_bytes=other_bytes, gomaxprocs=gomaxprocs, go=go, plan=how.plan,
            report=report, executor=executor,
        )  # fmt: skip
        smallest = asked.smallest(service) if memory_bytes is None else None
        found = asked.recommended(service, memory_bytes or 0) if smallest is None else smallest.recommendation
    note_upgrade(service, found.settings)
    from gcsim.tuning.limits_reached import limits_reached, reached_json

    reached = limits_reached(service, found.settings, memory_bytes=found.available_bytes, seed=how.plan.seed)
    if as_json:
        answer = found.to_json() if smallest is None else smallest.to_json()
        emit_json(assessed({**answer, **reached_json(reached)}, service))
    elif form != TEXT:
        print_snippet(found, service, form, container, reached)
    else:
        _print(found, smallest, source, how)
        emit_reached(reached)
    write_table_option(table, "part", _rows(found))
    if output is not None:
        _write_figures(service, found, output)
    if not found.feasible:
        raise typer.Exit(NOTHING_FEASIBLE)
    exit_by_verdict(service)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The bounds and the rest of the setting, and how to simulate."""

    wanted: Wanted
    other_bytes: int
    gomaxprocs: int | None
    go: str | None
    plan: "Plan"
    report: Report
    executor: "Executor"

    def recommended(self, service: "Model", memory_bytes: int) -> "Recommendation":
        """The recommendation in a container of this size."""
        return self.wanted.recommendation(
            service,
            memory_bytes,
            other_memory_bytes=self.other_bytes,
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
            constraints=self.wanted.constraints,
            other_memory_bytes=self.other_bytes,
            memory_confidence=self.wanted.memory_confidence,
            objective=self.wanted.objective,
            spend_memory=self.wanted.spend_memory,
            gomaxprocs=self.gomaxprocs,
            go=self.go,
            plan=self.plan,
            progress=self.report,
            executor=self.executor,
        )


def _print(
    found: "Recommendation", smallest: "SmallestContainer | None", source: "Service", how: Simulation
) -> None:
    from gcsim.cli.answer import print_miss, print_recommendation, smallest_sentence
    from gcsim.units import format_mib

    service = source.model
    about = f"{service.name} on Go {found.settings.go}, GOMAXPROCS={found.settings.gomaxprocs}"
    about += f", in {format_mib(found.memory_bytes)}"
    if found.other_memory_bytes:
        about += f" less {format_mib(found.other_memory_bytes)}"
    if found.otherwise is not None:
        about += ": no change is worth it. Today's setting"
    emit(verdict_heading(service) + wrap(about + ":"))
    if smallest is not None and found.feasible:
        emit(wrap(smallest_sentence(smallest)))
    if found.feasible:
        print_recommendation(found, smallest)
    else:
        print_miss(found)
    emit(f"{source.about}{verdict_parts(service)}{how}\n")


def _rows(found: "Recommendation") -> "list[tuple[str, Run]]":
    """All simulated settings, each with the part that it has in the answer."""
    named = {run.settings: run for run in (found.today, found.run, *(one.run for one in found.alternatives))}
    parts = {one.settings: one.name for one in found.alternatives}
    parts |= {found.today.settings: "today"}
    parts |= {found.settings: "recommended" if found.feasible else "nearest miss"}
    runs = {run.settings: run for run in found.explored} | named
    return [(parts.get(one, ""), run) for one, run in runs.items()]


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
