"""``gcsim whatif``: the service before and after a change of its code, traffic, processors or settings."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import emit, emit_json, emit_reached, emit_table, note_written, wrap
from gcsim.cli.evidence import SourceArgument, Stated, reads_log, service_of
from gcsim.cli.options import (
    GogcOption,
    GomaxprocsOption,
    GomemlimitOption,
    GoOption,
    JsonOption,
    Simulation,
    chosen_settings,
    parse_memory,
    simulates,
)
from gcsim.cli.program import GivenSites, changes_sites
from gcsim.cli.program_text import allocation_rows, allocator_json, allocator_lines
from gcsim.cli.progress import progress
from gcsim.cli.readings import GivenMemory, reads_memory
from gcsim.cli.service import assessed, exit_by_verdict, verdict_heading, verdict_parts
from gcsim.cli.table import TableOption, check_table_option, write_table_option
from gcsim.cli.upgrade import note_upgrade
from gcsim.cli.where import executor_of
from gcsim.errors import InputError
from gcsim.printable import quoted

if TYPE_CHECKING:
    from gcsim.cli.evidence import Service
    from gcsim.engine.run import Run
    from gcsim.service.model import Model
    from gcsim.tuning.whatif import WhatIf

DOES_NOT_FIT = 1
_HEADLINE = (
    "gc_cpu_fraction", "container_peak_bytes", "throughput_ratio", "job_cpu_seconds", "job_wall_seconds",
)  # fmt: skip  # shown in any case
_LEAST_FACTOR, _MOST_FACTOR = 0.001, 1000.0
_MOST_CORES = 4096.0


@simulates(replicas=16)
@reads_memory()
@reads_log(settings=False)
@changes_sites()
def whatif(
    model: SourceArgument,
    scale_alloc: Annotated[
        str | None,
        typer.Option(
            "--scale-alloc", metavar="F", help="Bytes allocated per unit of work, as a factor such as 0.5."
        ),
    ] = None,
    scale_live: Annotated[
        str | None, typer.Option("--scale-live", metavar="F", help="Live heap, as a factor such as 2.")
    ] = None,
    traffic: Annotated[
        str | None,
        typer.Option("--traffic", metavar="F", help="Arrivals of an open loop, as a factor such as 2."),
    ] = None,
    gomaxprocs: GomaxprocsOption = None,
    cpu_quota: Annotated[
        str | None,
        typer.Option("--cpu-quota", metavar="CORES", help="CPU limit of the container, such as 1.5 cores."),
    ] = None,
    go: GoOption = None,
    gogc: GogcOption = None,
    gomemlimit: GomemlimitOption = None,
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory",
            metavar="SIZE",
            help="Memory of the container: also recommend a setting after the change.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Folder for figures of the change.")
    ] = None,
    table: TableOption = None,
    *,
    sites: GivenSites,
    stated: Stated,
    given: GivenMemory,
    how: Simulation,
    as_json: JsonOption = False,
) -> None:
    """Predict a service before and after a change; exit status 1 if it then does not fit --memory.

    Changes may be mixed. What is not given stays as calibrated.
    """
    from gcsim.atomic import check_folder
    from gcsim.tuning.changes import Changes

    changes = Changes(
        allocation=_factor(scale_alloc, "--scale-alloc"),
        live=_factor(scale_live, "--scale-live"),
        traffic=_factor(traffic, "--traffic"),
        cpu_quota=_cores(cpu_quota),
    )
    program = sites.change()
    changes = replace(changes, program=program)
    allocator = sites.allocator_cpu(program)
    memory_bytes = parse_memory(memory)
    if output is not None:
        check_folder(output)
    check_table_option(table)
    source = service_of(model, given, stated)
    service = source.model
    settings = chosen_settings(service, gogc=gogc, gomemlimit=gomemlimit, gomaxprocs=gomaxprocs, go=go)
    if settings == service.settings and changes == Changes():
        raise InputError(
            "whatif: nothing changes; give a change, such as --traffic 2, --scale-live 1.5 or --gogc 200"
        )
    from gcsim.tuning.whatif import what_if

    with progress("whatif") as report, executor_of(how) as executor:
        found = what_if(
            service,
            settings,
            changes,
            memory_bytes=memory_bytes,
            plan=how.plan,
            progress=report,
            executor=executor,
        )
    note_upgrade(service, settings)
    from gcsim.tuning.limits_reached import limits_reached, reached_json

    reached = limits_reached(found.model, settings, memory_bytes=memory_bytes, seed=how.plan.seed)
    if as_json:
        document = {**found.to_json(), "allocator_cpu": allocator_json(allocator, found.sites)}
        emit_json(assessed({**document, **reached_json(reached)}, service))
    else:
        _print(found, source, how, allocator_lines(allocator, found.sites))
        emit_reached(reached)
    write_table_option(table, "part", _rows(found))
    if output is not None:
        _write_figures(service, found, output)
    if found.fault is not None and memory_bytes is not None:
        raise typer.Exit(DOES_NOT_FIT)
    exit_by_verdict(service)


def _rows(found: "WhatIf") -> "list[tuple[str, Run]]":
    """The runs before and after the change, and the recommended one if there is one."""
    answer = found.recommendation
    name = "recommended" if answer is not None and answer.feasible else "nearest miss"
    runs = [("before", found.before), ("after", found.after)]
    return runs if answer is None else [*runs, (name, answer.run)]


def _factor(text: str | None, what: str) -> float:
    """A factor from an option; 1 without it. Raises InputError."""
    if text is None:
        return 1.0
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text.strip()):
        raise InputError(f"{what}: {quoted(text)} is not a factor; write for example 2 or 0.5")
    value = float(text)
    if not _LEAST_FACTOR <= value <= _MOST_FACTOR:
        raise InputError(f"{what}: {quoted(text)} must be from {_LEAST_FACTOR:g} to {_MOST_FACTOR:g}")
    return value


def _cores(text: str | None) -> float | None:
    """The cores of ``--cpu-quota``, as Kubernetes writes them: ``1.5`` or ``1500m``. Raises InputError."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,7}(?:\.[0-9]{1,9})?)(m?)", text.strip())
    value = 0.0 if match is None else float(match[1]) / (1000.0 if match[2] else 1.0)
    if not 0.01 <= value <= _MOST_CORES:
        raise InputError(
            f"--cpu-quota: {quoted(text)} is not a number of cores; write for example 1.5 or 1500m"
        )
    return value


def _print(found: "WhatIf", source: "Service", how: Simulation, allocator: Sequence[str]) -> None:
    service = source.model
    emit(
        f"{verdict_heading(service)}{service.name} at {service.settings}\n{how}\n"
        f"{source.about}{verdict_parts(service)}\n"
    )
    for one in found.notes:
        emit(one.change)
        emit(wrap(f"  simulated: {one.modelled}", indent="    "))
        emit(wrap(f"  not simulated: {one.not_modelled}", indent="    "))
    for line in allocator:
        emit(wrap(line))
    emit("\n")
    _print_table(found)
    _print_container(found)


def _print_table(found: "WhatIf") -> None:
    """Prints the metrics that move and the headline metrics: medians with the ratio, then intervals."""
    from gcsim.metrics import METRIC_LABELS, format_metric
    from gcsim.units import format_number

    medians, intervals = allocation_rows(found)
    shown = [name for name in found.after.metrics if name in found.moved or name in _HEADLINE]
    for name in shown:
        runs = (found.before.metrics[name], found.after.metrics[name])
        ratio = found.ratios.get(name)
        change = ["—", ""]
        if ratio is not None:
            change = [
                format_number(ratio.value),
                f"{format_number(ratio.low)} to {format_number(ratio.high)}",
            ]
        label = METRIC_LABELS[name]
        medians.append([label, *(format_metric(name, one.value) for one in runs), *change])
        intervals.append(
            [label, *(f"{format_metric(name, one.low)} to {format_metric(name, one.high)}" for one in runs)]
        )
    emit_table(["", "before", "after", "ratio", "90 % interval"], medians)
    emit("\n")
    emit_table(["90 % intervals", "before", "after"], intervals)
    still = [METRIC_LABELS[name] for name in found.after.metrics if name not in shown]
    if still:
        emit("\n" + wrap(f"Within half a percent of before: {'; '.join(still)}."))


def _print_container(found: "WhatIf") -> None:
    """Prints whether the changed service fits the container, and its recommended setting."""
    from gcsim.report.text import format_estimate
    from gcsim.tuning.feasible import container_peak
    from gcsim.units import format_mib

    recommendation = found.recommendation
    if recommendation is None:
        return
    given, faults = (
        format_mib(recommendation.memory_bytes),
        {
            "memory": "does not fit",
            "limit": "cannot keep its own GOMEMLIMIT in",
            "gc_cpu": "may spend more than half of the CPU on GC in",
        },
    )
    verdict = "fits" if found.fault is None else faults[found.fault]
    emit(
        "\n"
        + wrap(
            f"At {found.after.settings} the changed service {verdict} {given}: container memory peaks at"
            f" {format_estimate('container_peak_bytes', container_peak(found.after))}."
        )
    )
    if not recommendation.feasible:
        emit(
            wrap(
                recommendation.reasons[0]
                + " No setting of the changed service is feasible in this container."
            )
        )
        return
    kept = " (no other setting is worth it)" if recommendation.otherwise is not None else ""
    emit(f"Recommended after the change{kept}:")
    emit("\n".join(f"  {name}={value}" for name, value in recommendation.env.items()))
    emit(wrap(recommendation.reasons[0]))


def _write_figures(service: "Model", found: "WhatIf", output: Path) -> None:
    """Writes the ratios, and the heap before and after."""
    from gcsim.atomic import replacing_set
    from gcsim.report.change_figures import write_change_figures
    from gcsim.tuning.recorded import record_runs

    recorded = [
        *record_runs(service, [found.before.settings], found.plan),
        *record_runs(found.model, [found.after.settings], found.plan),
    ]
    with replacing_set(output) as files:
        written = write_change_figures(found, recorded, files)
    note_written(output, written)
