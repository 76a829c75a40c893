"""``gcsim compare``: the recommendation against rules of thumb in the same container."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.bounds import OtherMemoryOption, parse_other_memory
from gcsim.cli.console import emit, emit_json, emit_table, note_written, wrap
from gcsim.cli.options import (
    GomaxprocsOption,
    GoOption,
    JsonOption,
    ModelArgument,
    Simulation,
    parse_memory,
    simulates,
)
from gcsim.cli.progress import progress
from gcsim.cli.readings import GivenMemory, reads_memory
from gcsim.cli.service import assessed, exit_by_verdict, load_service, verdict_heading, verdict_parts
from gcsim.cli.table import TableOption, check_table_option, write_table_option
from gcsim.cli.upgrade import note_upgrade
from gcsim.cli.where import executor_of

if TYPE_CHECKING:
    from gcsim.metrics import Estimate
    from gcsim.service.model import Model
    from gcsim.tuning.compare import Compared, Comparison

NOTHING_FEASIBLE = 1
_MOVES = "moves"  # a setting that the program changes while it runs
_LONGEST_NAME = 20


@simulates(replicas=16)
@reads_memory()
def compare(
    model: ModelArgument,
    memory: Annotated[
        str, typer.Option("--memory", metavar="SIZE", help="Memory of the container, such as 512Mi or 2GiB.")
    ],
    other_memory: OtherMemoryOption = None,
    controller: Annotated[
        list[str] | None,
        typer.Option(
            "--controller",
            metavar="FILE.py:NAME",
            help="Your own tuner: a function in a Python file or module; may be repeated.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Folder for the figure.")
    ] = None,
    table: TableOption = None,
    gomaxprocs: GomaxprocsOption = None,
    go: GoOption = None,
    *,
    given: GivenMemory,
    how: Simulation,
    as_json: JsonOption = False,
) -> None:
    """Compare the recommendation with rules of thumb; exit status 1 if no setting is feasible."""
    from gcsim.atomic import check_folder

    memory_bytes, other_bytes = parse_memory(memory), parse_other_memory(other_memory)
    assert memory_bytes is not None
    check_table_option(table)
    service = load_service(model, given.readings())
    if output is not None:
        check_folder(output)
    from gcsim.tuning.compare import compare as compare_rules
    from gcsim.tuning.own_controller import OwnController

    own = [(source, OwnController.load(source, memory_bytes)) for source in dict.fromkeys(controller or ())]
    with progress("compare") as report, executor_of(how) as executor:
        found = compare_rules(
            service,
            memory_bytes=memory_bytes,
            other_memory_bytes=other_bytes,
            controllers=own,
            gomaxprocs=gomaxprocs,
            go=go,
            plan=how.plan,
            progress=report,
            executor=executor,
        )
    settings = found.recommendation.settings
    note_upgrade(service, settings)
    if as_json:
        emit_json(assessed(found.to_json(), service))
    else:
        emit(
            f"{verdict_heading(service)}{service.name} on Go {settings.go}, GOMAXPROCS={settings.gomaxprocs},"
            f" in {memory}; {how}\n{verdict_parts(service)}\n"
        )
        _print(found)
    write_table_option(table, "rule", [(row.rule.name, row.run) for row in found.rows])
    if output is not None:
        _write_figure(service, found, output)
    if not found.recommendation.feasible:
        raise typer.Exit(NOTHING_FEASIBLE)
    exit_by_verdict(service)


def _print(found: "Comparison") -> None:
    """Prints settings and memory, CPU and pauses, and the verdicts."""
    emit_table(
        ["rule", "GOGC", "GOMEMLIMIT", "container", "5th to 95th", "fits"],
        [_memory_cells(row) for row in found.rows],
    )
    emit("\n")
    emit_table(
        ["rule", "GC CPU", "cores saved", "throughput", "p99 pause"],
        [_cpu_cells(row) for row in found.rows],
    )
    width = max(len(_name(row)) for row in found.rows) + 2
    emit(
        "\n" + "\n".join(wrap(f"{_name(row):{width}}{row.verdict}", indent=" " * width) for row in found.rows)
    )
    emit(
        "\n"
        + wrap(
            "fits: share of runs that are not killed and do not stall. Cores saved: of GC, against today's setting,"
            " for today's work."
        )
    )


def _name(row: "Compared") -> str:
    """The rule's name; of a long path its end."""
    name = row.rule.name
    return name if len(name) <= _LONGEST_NAME else "…" + name[1 - _LONGEST_NAME :]


def _memory_cells(row: "Compared") -> list[str]:
    from gcsim.tuning.feasible import container_peak
    from gcsim.units import format_mib, format_percent

    peak = container_peak(row.run)
    return [
        _name(row),
        *_settings(row),
        format_mib(peak.value),
        f"{format_mib(peak.low)} to {format_mib(peak.high)}",
        format_percent(row.chances.fits, 2),
    ]


def _settings(row: "Compared") -> tuple[str, str]:
    """GOGC and GOMEMLIMIT; a program with a ballast or with forced collections changes neither."""
    from gcsim.engine.controllers import HeapTarget
    from gcsim.tuning.own_controller import OwnController
    from gcsim.units import format_go_bytes, format_gogc

    settings, policy = row.run.settings, row.rule.controller
    gogc_moves = isinstance(policy, HeapTarget | OwnController)
    return (
        _MOVES if gogc_moves else format_gogc(settings.gogc),
        _MOVES if isinstance(policy, OwnController) else format_go_bytes(settings.gomemlimit_bytes),
    )


def _cpu_cells(row: "Compared") -> list[str]:
    from gcsim.metrics import format_metric
    from gcsim.units import format_percent

    metrics = row.run.metrics
    return [
        _name(row),
        format_percent(metrics["gc_cpu_fraction"].value, 2),
        _saved(row.saving.cores),
        format_metric("throughput_ratio", metrics["throughput_ratio"].value),
        format_metric("stw_p99_seconds", metrics["stw_p99_seconds"].value),
    ]


def _saved(cores: "Estimate") -> str:
    """The saving with its interval, with two digits, in thousandths of a core at least."""
    from gcsim.units import format_number

    value, low, high = (format_number(round(one, 3) + 0.0, 2) for one in (cores.value, cores.low, cores.high))
    return value if low == value == high else f"{value} ({low} to {high})"


def _write_figure(service: "Model", found: "Comparison", output: Path) -> None:
    """Writes GC CPU against container memory, with each rule marked."""
    from gcsim.atomic import replacing_set
    from gcsim.report.plots import Shown, write_figures
    from gcsim.report.sweep_figures import about_model

    about = about_model(service.name, found.recommendation.settings)
    with replacing_set(output) as files:
        written = write_figures(Shown(about=about, comparison=found), files)
    note_written(output, written)
