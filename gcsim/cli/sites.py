"""``gcsim sites``: the allocation sites of a profile, ranked by their cost."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import emit, emit_json, emit_table, wrap
from gcsim.cli.evidence import SourceArgument, Stated, reads_log, service_of
from gcsim.cli.options import JsonOption, Simulation, simulates, whole_number
from gcsim.cli.program import BeforeOption, sites_of
from gcsim.cli.readings import GivenMemory, reads_memory
from gcsim.cli.service import assessed, exit_by_verdict, verdict_heading, verdict_parts
from gcsim.cli.where import executor_of
from gcsim.errors import InputError
from gcsim.printable import printable, quoted

if TYPE_CHECKING:
    from gcsim.cli.evidence import Service
    from gcsim.diagnosis.profiles.escapes import EscapeReport
    from gcsim.service.objects.sites import Site
    from gcsim.tuning.site_costs import SiteCost, SiteCosts

_MOST_SITES = 10_000


@simulates(replicas=16)
@reads_memory()
@reads_log(settings=False)
def sites(
    model: SourceArgument,
    profile: Annotated[
        Path,
        typer.Option("--profile", metavar="FILE", help="Profile of allocation: allocs.pb.gz, or heap.pb.gz."),
    ],
    before: BeforeOption = None,
    escapes: Annotated[
        Path | None,
        typer.Option(
            "--escapes",
            metavar="FILE",
            help="Output of go build -gcflags=-m=2 2>FILE: also print why the objects of each site escape.",
        ),
    ] = None,
    most: Annotated[
        int, typer.Option("--most", metavar="N", parser=whole_number, help="Number of sites.")
    ] = 15,
    *,
    stated: Stated,
    given: GivenMemory,
    how: Simulation,
    as_json: JsonOption = False,
) -> None:
    """List the allocation sites of a profile with their cost, the most allocation first."""
    if not 1 <= most <= _MOST_SITES:
        raise InputError(f"--most: {most} is not from 1 to {_MOST_SITES:,}; write for example 15")
    found_sites = sites_of(profile, before)
    report = None if escapes is None else _escapes(escapes)
    source = service_of(model, given, stated)
    service = source.model
    from gcsim.engine.simulate import simulate_replicas
    from gcsim.tuning.site_costs import site_costs

    with executor_of(how) as executor:
        home = simulate_replicas(service, service.settings, how.plan, executor=executor).run
    found = site_costs(found_sites, service, home)
    if as_json:
        document = found.to_json()
        listed = [{**one.to_json(), "escapes": _reasons(one.site, report)} for one in found.costs[:most]]
        emit_json(assessed({**document, "sites": listed, **how.plan.to_json(service.name)}, service))
    else:
        _print(found, source, report, most)
    exit_by_verdict(service)


def _escapes(path: Path) -> "EscapeReport":
    from gcsim.diagnosis.profiles.escapes import read_escapes

    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(
            f"--escapes {quoted(str(path))}: cannot be read ({error.strerror}); save it with go build -gcflags=-m=2"
            " 2>FILE"
        ) from error
    return read_escapes(text, quoted(str(path)))


def _reasons(site: "Site", report: "EscapeReport | None") -> list[str] | None:
    """Why objects of a site escape; None without the compiler's output."""
    if report is None:
        return None
    found = report.at(site.place.file, site.place.line)
    return [f"{one.what}: {one.reason}" if one.reason else one.what for one in found]


def _print(found: "SiteCosts", source: "Service", report: "EscapeReport | None", most: int) -> None:
    from gcsim.units import format_mib, format_seconds

    service = source.model
    emit(
        f"{verdict_heading(service)}{service.name} at {service.settings}\n"
        f"{source.about}{verdict_parts(service)}\n"
    )
    seconds = found.sites.seconds
    time = f" over {format_seconds(seconds)}" if seconds else ""
    emit(wrap(f"{printable(found.sites.source)}: allocation{time}; {_rates(found)}") + "\n")
    shown = found.costs[:most]
    emit_table(
        ["", "site", "bytes", "allocation", "GC CPU", "GC cycles", "live"],
        [[str(place), *_row(one)] for place, one in enumerate(shown, 1)],
    )
    emit("\n")
    for place, one in enumerate(shown, 1):
        emit(_place(place, one, report))
    if len(found.costs) > most:
        rest = sum(one.allocation_share for one in found.costs[most:])
        emit(wrap(f"\n{len(found.costs) - most} more sites allocate {100 * rest:.2g} % of all bytes."))
    garbage = sum(one.site.live_bytes for one in found.costs) - sum(one.live_bytes for one in found.costs)
    emit(
        "\n"
        + wrap(
            "GC CPU and GC cycles are in proportion to the bytes that a site allocates."
            + (
                f" Live leaves out {format_mib(garbage)} that were allocated while a collection marked."
                if found.sites.has_live
                else " The profile does not know live objects; live needs a profile since the start of the process."
            )
        )
    )


def _rates(found: "SiteCosts") -> str:
    from gcsim.units import format_mib

    model = f"{format_mib(found.model_bytes_per_second)}/s"
    if found.rates_from_model:
        return (
            f"it has no duration, so the model's allocation of {model} is shared out; add --before for rates,"
            " and to leave out start-up"
        )
    profile = f"{format_mib(found.profile_bytes_per_second)}/s"
    if found.differs:
        return (
            f"{profile}, but the model allocates {model}: the profile is from another load, so compare the shares"
            " only"
        )
    return f"{profile}, the model allocates {model}"


def _row(cost: "SiteCost") -> list[str]:
    from gcsim.units import format_mib, format_number, format_percent

    live = "—" if math.isnan(cost.live_share) else format_percent(cost.live_share, 2)
    return [
        _short(cost.site.place.function),
        f"{format_mib(cost.bytes_per_second)}/s",
        format_percent(cost.allocation_share, 3),
        format_percent(cost.gc_cpu_fraction, 2),
        f"{format_number(cost.collections_per_second, 2)}/s",
        live,
    ]


def _short(function: str) -> str:
    """A function without the path of its module, cut to the width of the column."""
    name = printable(function.rsplit("/", 1)[-1])
    return name if len(name) <= 24 else f"…{name[-23:]}"


def _place(place: int, cost: "SiteCost", report: "EscapeReport | None") -> str:
    from gcsim.units import format_mib, format_number

    caller = cost.site.caller
    objects = f": {format_number(cost.objects_per_second)} objects/s of {format_mib(cost.object_bytes)}"
    by = "" if caller is None else f", called by {caller}"
    error = f", ± {100 * cost.site.rel_sd:.2g} % (sampling)" if cost.site.rel_sd > 0.05 else ""
    text = wrap(f"{place:>2} {printable(f'{cost.site.place}{by}')}{objects}{error}", indent="   ")
    for reason in _reasons(cost.site, report) or []:
        text += "\n" + wrap(f"   escapes: {printable(reason)}", indent="     ")
    return text
