"""The options of profiles of allocation, and of changes of allocation sites."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gcsim.cli.options import Command, with_options
from gcsim.errors import InputError
from gcsim.printable import quoted
from gcsim.units import parse_duration, parse_go_bytes

if TYPE_CHECKING:
    from gcsim.diagnosis.profiles.allocator_cpu import AllocatorCpu
    from gcsim.service.objects.sites import Sites
    from gcsim.tuning.program_changes import ProgramChange, SiteChange, SiteChangeKind

ProfileOption = Annotated[
    Path | None,
    typer.Option("--profile", metavar="FILE", help="Profile of allocation: allocs.pb.gz, or heap.pb.gz."),
]
BeforeOption = Annotated[
    Path | None,
    typer.Option(
        "--before", metavar="FILE", help="An earlier profile of the same process; the difference counts."
    ),
]
_PoolOption = Annotated[
    list[str] | None,
    typer.Option(
        "--pool",
        metavar="SITE[=HOLD]",
        help="Take the objects of this site from a sync.Pool; HOLD such as 2ms is the time from Get to Put. May be"
        " repeated.",
    ),
]
_PreallocateOption = Annotated[
    list[str] | None,
    typer.Option(
        "--preallocate",
        metavar="SITE[=SIZE]",
        help="Give the slice that append grows at this site its capacity up front; SIZE such as 4KiB is its array."
        " May be repeated.",
    ),
]
_StackOption = Annotated[
    list[str] | None,
    typer.Option(
        "--stack",
        metavar="SITE",
        help="Keep the objects of this site on the stack, as if they did not escape. May be repeated.",
    ),
]
_CpuProfileOption = Annotated[
    Path | None,
    typer.Option(
        "--cpu-profile",
        metavar="FILE",
        help="CPU profile: state the CPU that the allocator spends at the sites.",
    ),
]
_SHORTEST_HOLD, _LONGEST_HOLD = 1e-9, 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenSites:
    """The options, as the user wrote them."""

    profile: Path | None = None
    before: Path | None = None
    pool: Sequence[str] | None = None
    preallocate: Sequence[str] | None = None
    stack: Sequence[str] | None = None
    cpu_profile: Path | None = None

    def change(self) -> "ProgramChange | None":
        """The changes of sites; None without one. Raises InputError that names the option or the file."""
        asked: list[tuple[SiteChangeKind, str]] = [
            *(("pool", text) for text in self.pool or []),
            *(("preallocate", text) for text in self.preallocate or []),
            *(("stack", text) for text in self.stack or []),
        ]
        if self.profile is None:
            self._refuse_without_profile(asked)
            return None
        if not asked:
            raise InputError(
                f"--profile {quoted(str(self.profile))}: no change of a site; add --pool, --preallocate or --stack"
            )
        from gcsim.tuning.program_changes import ProgramChange

        sites = sites_of(self.profile, self.before)
        found = ProgramChange(
            sites=sites, changes=tuple(_site_change(sites, kind, text) for kind, text in asked)
        )
        found.check()
        return found

    def allocator_cpu(self, change: "ProgramChange | None") -> "tuple[AllocatorCpu, ...] | None":
        """The CPU of the allocator at each changed site; None without a CPU profile. Raises InputError."""
        if self.cpu_profile is None or change is None:
            return None
        from gcsim.diagnosis.profiles.allocator_cpu import read_allocator_cpu

        return read_allocator_cpu(self.cpu_profile, [one.site for one in change.changes])

    def _refuse_without_profile(self, asked: "list[tuple[SiteChangeKind, str]]") -> None:
        if asked:
            kind, text = asked[0]
            raise InputError(
                f"--{kind} {quoted(text)}: needs a profile of allocation; add --profile allocs.pb.gz, saved with curl"
                " -s -o allocs.pb.gz …/debug/pprof/allocs"
            )
        for option, value in (("--before", self.before), ("--cpu-profile", self.cpu_profile)):
            if value is not None:
                raise InputError(f"{option}: needs --profile and a change of a site, such as --pool")


_OPTIONS: dict[str, tuple[Any, Any]] = {
    "profile": (ProfileOption, None),
    "before": (BeforeOption, None),
    "pool": (_PoolOption, None),
    "preallocate": (_PreallocateOption, None),
    "stack": (_StackOption, None),
    "cpu_profile": (_CpuProfileOption, None),
}


def changes_sites() -> Command:
    """Gives a command the options about sites in place of its parameter ``sites``, a ``GivenSites``."""
    return with_options("sites", _OPTIONS, lambda chosen: GivenSites(**chosen))


def sites_of(profile: Path, before: Path | None) -> "Sites":
    """The sites of a profile, or of the time between two. Raises InputError that names the file."""
    from gcsim.diagnosis.profiles.alloc_sites import read_sites

    return read_sites(profile, before)


def _site_change(sites: "Sites", kind: "SiteChangeKind", text: str) -> "SiteChange":
    from gcsim.service.objects.site_names import named_site
    from gcsim.tuning.program_changes import SiteChange

    name, _, value = text.partition("=") if kind != "stack" else (text, "", "")
    option = f"--{kind}"
    site = named_site(sites, name, option)
    hold = capacity = None
    if "=" in text and kind == "pool":
        hold = parse_duration(value, what=f"{option} {quoted(name)}")
        if not _SHORTEST_HOLD <= hold <= _LONGEST_HOLD:
            raise InputError(
                f"{option} {quoted(name)}: a hold of {quoted(value)} is not between 1 ns and a day; write such as 2ms"
            )
    if "=" in text and kind == "preallocate":
        capacity = float(parse_go_bytes(value, what=f"{option} {quoted(name)}"))
        if capacity < 1:
            raise InputError(
                f"{option} {quoted(name)}: a size of {quoted(value)} is no array; write such as 4KiB"
            )
    return SiteChange(kind=kind, name=name, site=site, hold_seconds=hold, capacity_bytes=capacity)
