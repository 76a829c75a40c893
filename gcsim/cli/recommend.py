"""``gcsim recommend``: a setting, why, and what it costs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import emit, emit_json, emit_table, note_written, progress_bar, wrap
from gcsim.cli.options import (
    DurationOption,
    EngineOption,
    GomaxprocsOption,
    GoOption,
    JsonOption,
    ModelArgument,
    ReplicasOption,
    SeedOption,
    parse_memory,
    simulation,
)
from gcsim.cli.service import load_service
from gcsim.units import parse_duration, parse_fraction

if TYPE_CHECKING:
    from gcsim.tuning.recommend import Recommendation

NOTHING_FEASIBLE = 1


def recommend(
    model: ModelArgument,
    memory: Annotated[
        str, typer.Option("--memory", metavar="SIZE", help="Memory of the container, such as 512Mi or 2GiB.")
    ],
    max_gc_cpu: Annotated[
        str | None, typer.Option("--max-gc-cpu", metavar="SHARE", help="Most GC CPU allowed, such as 10%.")
    ] = None,
    max_stw_p99: Annotated[
        str | None,
        typer.Option("--max-stw-p99", metavar="TIME", help="Longest 99th-percentile pause, such as 2ms."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Folder for figures of the choice.")
    ] = None,
    gomaxprocs: GomaxprocsOption = None,
    go: GoOption = None,
    replicas: ReplicasOption = 16,
    duration: DurationOption = "10m",
    seed: SeedOption = 1,
    engine: EngineOption = "lanes",
    as_json: JsonOption = False,
) -> None:
    """Choose GOGC and GOMEMLIMIT for a container; exit status 1 when nothing is feasible."""
    from gcsim.atomic import check_folder, replacing_set
    from gcsim.tuning.recommend import recommend as choose

    how = simulation(duration=duration, replicas=replicas, seed=seed, engine=engine)
    memory_bytes = parse_memory(memory)
    assert memory_bytes is not None
    gc_cpu = None if max_gc_cpu is None else parse_fraction(max_gc_cpu, what="--max-gc-cpu")
    stw_p99 = None if max_stw_p99 is None else parse_duration(max_stw_p99, what="--max-stw-p99")
    service = load_service(model)
    if output is not None:
        check_folder(output)
    with progress_bar("recommend") as progress:
        found = choose(
            service,
            memory_bytes=memory_bytes,
            max_gc_cpu_fraction=gc_cpu,
            max_stw_p99_seconds=stw_p99,
            gomaxprocs=gomaxprocs,
            go=go,
            duration_seconds=how.duration_seconds,
            replicas=how.replicas,
            seed=how.seed,
            engine=how.engine,
            progress=progress,
        )
    if as_json:
        emit_json(found.to_json())
    else:
        emit(
            f"{service.name} on Go {found.settings.go}, GOMAXPROCS={found.settings.gomaxprocs};"
            f" {how.describe(duration)}\n\n"
        )
        _print(found)
    if output is not None:
        from gcsim.report.sweep_figures import write_recommendation_figures

        with replacing_set(output) as files:
            written = write_recommendation_figures(found, service, files, seed=how.seed)
        note_written(output, written)
    if not found.feasible:
        raise typer.Exit(NOTHING_FEASIBLE)


def _print(found: "Recommendation") -> None:
    environment = "\n".join(f"  {name}={value}" for name, value in found.env.items())
    heading = "" if found.feasible else "no setting is feasible; nearest miss:\n"
    emit(f"{heading}{environment}\n\n{wrap(found.reason)}\n\n")
    _print_runs(found)


def _print_runs(found: "Recommendation") -> None:
    from gcsim.report.text import format_estimate
    from gcsim.units import format_go_bytes, format_gogc

    rows = [
        [
            what,
            format_gogc(run.settings.gogc),
            format_go_bytes(run.settings.gomemlimit_bytes),
            *(format_estimate(name, run.metrics[name]) for name in ("rss_peak_bytes", "gc_cpu_fraction")),
        ]
        for what, run in [
            ("chosen" if found.feasible else "nearest miss", found.run),
            *(("alternative", run) for run in found.alternatives),
            *((f"chosen, {item.what} × {item.factor:g}", item.run) for item in found.stress),
        ]
    ]
    emit_table(["", "GOGC", "GOMEMLIMIT", "resident peak", "GC CPU"], rows)
