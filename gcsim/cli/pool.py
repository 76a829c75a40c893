"""``gcsim pool``: one sync.Pool over settings, load and processors."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import emit, emit_json, emit_table, note_written, wrap
from gcsim.cli.evidence import Stated, reads_log, service_of
from gcsim.cli.options import JsonOption, Simulation, simulates, whole_number
from gcsim.cli.pool_values import factor_of, logged_gogc, parts_of, procs_of, rate_of, size_of, time_of
from gcsim.cli.readings import GivenMemory, reads_memory
from gcsim.cli.service import assessed, exit_by_verdict, verdict_heading, verdict_parts
from gcsim.cli.where import executor_of
from gcsim.errors import InputError

if TYPE_CHECKING:
    from gcsim.cli.evidence import Service
    from gcsim.service.model import Model
    from gcsim.service.pools import ServicePool
    from gcsim.settings import Settings
    from gcsim.tuning.pool_fit import PoolFit
    from gcsim.tuning.pool_study import PoolPoint

_MOST_IN_FLIGHT = 10_000.0
_USUAL_HOLD = "200us"


@simulates(replicas=8)
@reads_memory()
@reads_log(settings=False)
def pool(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]",
            help="The service that has the pool: a model, a shipped model's name, or a log. Without it, --interval.",
        ),
    ] = None,
    gets: Annotated[
        str, typer.Option("--gets", metavar="RATE", help="Gets per second of all goroutines, such as 20000.")
    ] = "10000",
    hold: Annotated[
        str | None,
        typer.Option("--hold", metavar="TIME", help="From Get to Put, such as 200us [default: 200us]."),
    ] = None,
    fit: Annotated[
        list[str] | None,
        typer.Option(
            "--fit",
            metavar="LOG[=GOGC]",
            help="A log of the same load at another GOGC; may be repeated. The hold time is fitted to the logs.",
        ),
    ] = None,
    size: Annotated[
        str, typer.Option("--size", metavar="SIZE", help="Of one object, such as 16KiB.")
    ] = "16KiB",
    goroutines: Annotated[
        int | None,
        typer.Option(
            "--goroutines",
            metavar="N",
            parser=whole_number,
            help="Goroutines that use the pool [default: unlimited].",
        ),
    ] = None,
    interval: Annotated[
        str | None,
        typer.Option(
            "--interval",
            metavar="LIST",
            help="Times between collections without a MODEL, such as 10ms,100ms,1s.",
        ),
    ] = None,
    gogc: Annotated[
        str | None,
        typer.Option("--gogc", metavar="GRID", help="GOGC values of the service: a list or from:to:count."),
    ] = None,
    load: Annotated[
        str,
        typer.Option("--load", metavar="LIST", help="Factors on the load and on --gets, such as 0.5,1,2."),
    ] = "1",
    gomaxprocs: Annotated[
        str | None, typer.Option("--gomaxprocs", metavar="LIST", help="Numbers of Ps, such as 1,2,4.")
    ] = None,
    go: Annotated[
        str | None, typer.Option("--go", metavar="1.X", help="Go version [default: as calibrated].")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Folder for the figure.")
    ] = None,
    *,
    stated: Stated,
    given: GivenMemory,
    how: Simulation,
    as_json: JsonOption = False,
) -> None:
    """Explore one sync.Pool: the Gets that hit, the objects that it keeps, by time between collections."""
    from gcsim.atomic import check_folder
    from gcsim.goruntime.versions import rules_for
    from gcsim.service.pools import ServicePool
    from gcsim.tuning.pool_study import points_at_intervals

    asked = ServicePool(
        gets_per_second=rate_of(gets),
        hold_seconds=time_of(hold or _USUAL_HOLD, "--hold"),
        object_bytes=size_of(size),
        goroutines=goroutines,
    )
    loads = [factor_of(text) for text in parts_of(load, "--load")]
    _check(asked, max(loads))
    procs = None if gomaxprocs is None else [procs_of(text) for text in parts_of(gomaxprocs, "--gomaxprocs")]
    if output is not None:
        check_folder(output)
    source, fitted = None, None
    if fit and (model is None or hold is not None):
        raise InputError("--fit: needs a log as MODEL, and no --hold, which it finds")
    if model is None:
        if interval is None or gogc is not None:
            raise InputError(
                "pool: name a MODEL for --gogc, or give times between collections, such as --interval 10ms,100ms,1s"
            )
        intervals = [time_of(text, "--interval") for text in parts_of(interval, "--interval")]
        rules = rules_for(go or "1.27")
        points = points_at_intervals(asked, intervals, procs or [2], loads, rules=rules, seed=how.plan.seed)
    else:
        if interval is not None:
            raise InputError(
                "--interval: the MODEL gives the times between collections; leave out one of them"
            )
        source = service_of(model, given, stated)
        if fit:
            fitted = _fitted(asked, source, fit, stated, how.plan.seed)
            asked = fitted.pool
        points = _of_service(source.model, asked, gogc, procs, go, loads, how)
        rules = rules_for(go or source.model.settings.go)
    _report(points, asked, source, how, fitted, as_json=as_json)
    if output is not None:
        from gcsim.atomic import replacing_set
        from gcsim.report.pool_figure import write_pool_figure
        from gcsim.tuning.pool_study import hit_curve

        curves = hit_curve(points, asked, rules=rules, seed=how.plan.seed)
        with replacing_set(output) as files:
            written = write_pool_figure(curves, points, _about(asked), files)
        note_written(output, written)
    if source is not None:
        exit_by_verdict(source.model)


def _of_service(
    service: "Model",
    asked: "ServicePool",
    gogc: str | None,
    procs: list[int] | None,
    go: str | None,
    loads: list[float],
    how: Simulation,
) -> "list[PoolPoint]":
    from dataclasses import replace

    from gcsim.cli.options import chosen_settings
    from gcsim.tuning.grid import parse_gogc_grid
    from gcsim.tuning.pool_study import MOST_POINTS, points_of_service

    if service.loop == "closed" and any(one != 1.0 for one in loads):
        raise InputError(
            f"--load: {service.name} is a closed loop, a program that works at full speed; its load does not change"
        )
    base = chosen_settings(service, gogc=None, gomemlimit=None, gomaxprocs=None, go=go)
    gogcs = [base.gogc] if gogc is None else parse_gogc_grid(gogc)
    settings: list[Settings] = [
        replace(base, gogc=one, gomaxprocs=number) for number in procs or [base.gomaxprocs] for one in gogcs
    ]
    if len(settings) * len(loads) > MOST_POINTS:
        raise InputError(
            f"pool: {len(settings) * len(loads)} combinations are more than {MOST_POINTS}; shorten --gogc, --load or"
            " --gomaxprocs"
        )
    with executor_of(how) as executor:
        return points_of_service(asked, service, settings, loads, plan=how.plan, executor=executor)


def _report(
    points: "Sequence[PoolPoint]",
    asked: "ServicePool",
    source: "Service | None",
    how: Simulation,
    fitted: "PoolFit | None",
    *,
    as_json: bool,
) -> None:
    if as_json:
        document: dict[str, object] = {
            "pool": {
                "gets_per_second": asked.gets_per_second,
                "hold_seconds": asked.hold_seconds,
                "object_bytes": asked.object_bytes,
                "goroutines": asked.goroutines,
            },
            "points": [point.to_json() for point in points],
            **({} if fitted is None else {"fit": fitted.to_json()}),
        }
        if source is None:
            emit_json(document)
        else:
            emit_json(assessed({**document, **how.plan.to_json(source.model.name)}, source.model))
        return
    if source is not None:
        service = source.model
        emit(
            f"{verdict_heading(service)}{service.name} at {service.settings}\n{how}\n{source.about}"
            f"{verdict_parts(service)}"
        )
    emit(wrap(_about(asked)) + "\n")
    if fitted is not None:
        emit(wrap(_about_fit(fitted)) + "\n")
    emit_table(
        ["setting", "load", "interval", "hits", "misses", "allocated", "retained", "GC CPU"],
        [_row(point) for point in points],
    )


def _row(point: "PoolPoint") -> list[str]:
    from gcsim.units import format_gogc, format_mib, format_number, format_percent, format_seconds

    procs = f"{point.gomaxprocs} P"
    setting = procs if point.settings is None else f"GOGC={format_gogc(point.settings.gogc)}, {procs}"
    return [
        setting,
        f"{format_number(point.load)} ×",
        format_seconds(point.interval_seconds),
        format_percent(point.found.hit_share, 4),
        f"{format_number(point.misses_per_second)}/s",
        f"{format_mib(point.misses_per_second * point.object_bytes)}/s",
        format_mib(point.found.retained_objects * point.object_bytes),
        "—" if point.gc_cpu_fraction is None else format_percent(point.gc_cpu_fraction),
    ]


def _about(asked: "ServicePool") -> str:
    from gcsim.units import format_mib, format_number, format_seconds

    users = "" if asked.goroutines is None else f" by {asked.goroutines} goroutines"
    return (
        f"pool: {format_number(asked.gets_per_second)} Gets per second{users}, objects of"
        f" {format_mib(asked.object_bytes)} held for {format_seconds(asked.hold_seconds)}"
    )


def _fitted(asked: "ServicePool", source: "Service", logs: list[str], stated: Stated, seed: int) -> "PoolFit":
    """The pool whose hold time explains the allocation of MODEL's log and the other logs."""
    from gcsim.api import calibrate
    from gcsim.calibration.settings.log_settings import Overrides
    from gcsim.tuning.pool_fit import PoolLog, fitted_pool

    if source.fit is None:
        raise InputError("--fit: MODEL must be a log too, whose allocation and collections gcsim can compare")
    others = []
    for path, gogc in map(logged_gogc, logs):
        overrides = Overrides(gogc=gogc, loop=stated.loop, job=stated.job, go=source.model.settings.go)
        others.append(calibrate(path, name=path, overrides=overrides, fit_check=False).model)
    return fitted_pool(asked, [PoolLog.of(one) for one in (source.model, *others)], seed=seed)


def _about_fit(fitted: "PoolFit") -> str:
    from gcsim.units import format_mib, format_percent, format_seconds

    hold = fitted.hold_seconds
    worst = max(
        abs(predicted / log.alloc_bytes_per_second - 1.0)
        for log, predicted in zip(fitted.logs, fitted.predicted_bytes_per_second, strict=True)
    )
    return (
        f"hold time from {len(fitted.logs)} logs: {format_seconds(hold.value)} ({format_seconds(hold.low)} to"
        f" {format_seconds(hold.high)}); without misses the program allocates"
        f" {format_mib(fitted.base_bytes_per_second)}/s; the allocation of each log is met within"
        f" {format_percent(worst)}"
    )


def _check(asked: "ServicePool", load: float) -> None:
    goroutines, in_flight = asked.goroutines, load * asked.in_flight
    if goroutines is not None and not 1 <= goroutines <= 1_000_000:
        raise InputError(f"--goroutines: {goroutines} is not from 1 to 1,000,000")
    if goroutines is not None and in_flight >= goroutines:
        raise InputError(
            f"--goroutines: {goroutines} goroutines cannot hold {in_flight:.4g} objects at once; raise --goroutines,"
            " or lower --gets or --hold"
        )
    if asked.in_flight > _MOST_IN_FLIGHT:
        raise InputError(
            f"--hold: {asked.in_flight:,.0f} objects in use at once are more than"
            f" {_MOST_IN_FLIGHT:,.0f}, the most that gcsim computes; lower --hold or --gets"
        )
