"""``gcsim fleet``: one node's memory divided among services."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import emit, emit_json, emit_table, wrap
from gcsim.cli.options import JsonOption, Simulation, parse_memory, simulates
from gcsim.cli.progress import progress
from gcsim.cli.table import TableOption, check_table_option, write_table_option
from gcsim.cli.where import executor_of

if TYPE_CHECKING:
    from gcsim.tuning.fleet import Fleet, Part

TOO_SMALL = 1
NOT_TRUSTED = 1
_LONGEST_NAME = 20
_MOST_ROWS = 60  # of a printed table; --json has all


@simulates(replicas=8)
def fleet(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL[*N]...",
            help="Model files or shipped names, each with its replicas, such as 'app.toml*3'.",
        ),
    ] = None,
    memory: Annotated[
        str,
        typer.Option("--memory", metavar="SIZE", help="Memory of the node for these services, such as 8GiB."),
    ] = "",
    manifest: Annotated[
        Path | None,
        typer.Option("--manifest", metavar="FILE.csv", help="A table with the columns model and replicas."),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out models that cannot be read, with a note.")
    ] = False,
    table: TableOption = None,
    *,
    how: Simulation,
    as_json: JsonOption = False,
) -> None:
    """Divide a node's memory among services; exit status 1 if it is too small."""
    from gcsim.errors import InputError

    if not memory:
        raise InputError("--memory is missing; pass the node's memory for these services, such as 8GiB")
    memory_bytes = parse_memory(memory)
    assert memory_bytes is not None
    check_table_option(table)
    from gcsim.cli.fleet_input import read_services
    from gcsim.tuning.fleet import divide_memory

    services = read_services(models or (), manifest, skip_bad=skip_bad)
    with progress("fleet", steps="simulations of services") as report, executor_of(how) as executor:
        found = divide_memory(
            services, memory_bytes=memory_bytes, plan=how.plan, progress=report, executor=executor
        )
    if as_json:
        emit_json(found.to_json())
    else:
        replicas = sum(one.replicas for one in services)
        names = f"{len(services)} service{'s' if len(services) != 1 else ''}"
        emit(f"{names}, {replicas} replicas in {memory}; {how}\n\n")
        _print(found) if found.fits else _print_needed(found)
    _write_table(found, table)
    if not found.fits or any(not part.feasible for part in found.parts):
        raise typer.Exit(TOO_SMALL)
    if any(
        one.model.assessment is not None and one.model.assessment.verdict == "do not trust"
        for one in services
    ):
        raise typer.Exit(NOT_TRUSTED)


def _write_table(found: "Fleet", table: Path | None) -> None:
    """Writes a row for each service: its setting, its part of the node, and its metrics; none if they do not fit."""
    parts = found.parts
    more: dict[str, Sequence[float]] = {
        "replicas": [part.service.replicas for part in parts],
        "memory_bytes": [part.memory_bytes for part in parts],
        "feasible": [int(part.feasible) for part in parts],
        "cores": [part.cores for part in parts],
        "today_cores": [part.today_cores for part in parts],
        "gain_per_gib": [part.gain_per_gib for part in parts],
    }
    write_table_option(table, "service", [(part.service.name, part.run) for part in parts], more=more)


def _print(found: "Fleet") -> None:
    """Prints the parts, the totals, and the price of memory."""
    from gcsim.units import format_mib, format_number

    emit_table(
        ["service", "n", "memory", "GOGC", "GOMEMLIMIT", "GC CPU", "cores", "next GiB"],
        [_cells(part) for part in found.parts[:_MOST_ROWS]],
    )
    if len(found.parts) > _MOST_ROWS:
        emit(f"... and {len(found.parts) - _MOST_ROWS} more services; --json and --table have all\n")
    emit("\n")
    emit_table(
        ["division", "GC cores", "memory", "do not fit"],
        [
            [
                total.name,
                "" if math.isnan(total.cores) else format_number(total.cores),
                format_mib(total.memory_bytes),
                str(total.unfit) if total.unfit else "",
            ]
            for total in found.totals
        ],
    )
    more = ", ".join(f"{gib} GiB {format_number(max(cores, 0.0), 2)}" for gib, cores in found.saved_by_more)
    sentences = [
        "Cores: GC of one replica, for today's work. Next GiB: cores that one replica saves by more memory, at its"
        " present rate. The node holds the containers at the pessimistic end of each interval.",
        f"More memory in the node saves cores: {more}.",
    ]
    if found.left_bytes > 0.01 * found.memory_bytes:
        sentences.append(f"{format_mib(found.left_bytes)} are left: no service saves noticeable CPU by them.")
    emit("\n" + "\n".join(wrap(sentence) for sentence in sentences))


def _print_needed(found: "Fleet") -> None:
    """Prints the memory that the services need, and the largest ones."""
    from gcsim.units import format_mib

    nowhere = [service.name for service, least in found.smallest if math.isinf(least)]
    if nowhere:
        emit(
            wrap(
                f"{', '.join(nowhere[:3])}: no memory makes a setting feasible; look at gcsim recommend for"
                f" {'it' if len(nowhere) == 1 else 'each of them'}."
            )
        )
        return
    emit(
        wrap(
            f"The node is too small: the services need {format_mib(found.needed_bytes)} at least, and it has"
            f" {format_mib(found.memory_bytes)}."
        )
        + "\n\n"
    )
    largest = sorted(found.smallest, key=lambda pair: -pair[0].replicas * pair[1])[:_MOST_ROWS]
    emit_table(
        ["service", "n", "smallest container", "together"],
        [
            [
                _short(service.name),
                str(service.replicas),
                format_mib(least),
                format_mib(service.replicas * least),
            ]
            for service, least in largest
        ],
    )


def _cells(part: "Part") -> list[str]:
    from gcsim.units import format_go_bytes, format_gogc, format_mib, format_number, format_percent

    settings = part.run.settings
    return [
        _short(part.service.name) + ("" if part.feasible else " !"),
        str(part.service.replicas),
        format_mib(part.memory_bytes),
        format_gogc(settings.gogc),
        format_go_bytes(settings.gomemlimit_bytes),
        format_percent(part.run.metrics["gc_cpu_fraction"].value, 2),
        format_number(part.cores, 2),
        format_number(part.gain_per_gib, 2),
    ]


def _short(name: str) -> str:
    """The end of a long path."""
    return name if len(name) <= _LONGEST_NAME else "…" + name[1 - _LONGEST_NAME :]
