"""Allocation sites of a program: how much each allocated while its profile was taken, and how much of it is live."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

SAMPLED_BYTES = 512 << 10  # runtime.MemProfileRate: mean of bytes between two samples
_STANDARD_PACKAGES = (
    "archive bufio bytes cmp compress container context crypto database debug embed encoding errors expvar flag fmt go"
    " hash html image index internal io iter log maps math mime net os path plugin reflect regexp runtime slices sort"
    " strconv strings structs sync syscall testing text time unicode unique unsafe vendor weak"
)
_STANDARD = frozenset(_STANDARD_PACKAGES.split(" "))


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a function."""

    function: str
    file: str
    line: int

    @property
    def file_line(self) -> str:
        """The last part of the file and the line, such as ``book.go:41``; empty if the profile lacks them."""
        return f"{self.file.rsplit('/', 1)[-1]}:{self.line}" if self.file else ""

    @property
    def is_standard(self) -> bool:
        """Whether the function is in Go's standard library."""
        return re.split(r"[./]", self.function, maxsplit=1)[0] in _STANDARD

    def __str__(self) -> str:
        return f"{self.function} ({self.file_line})" if self.file else self.function


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocations:
    """The objects of one size that one stack allocated."""

    stack: tuple[Place, ...]  # the allocating line first, without frames of the runtime
    object_bytes: float  # of the slot
    objects: float  # allocated while the profile was taken
    live_objects: float  # reachable at the last collection

    @property
    def bytes(self) -> float:
        """Bytes allocated while the profile was taken."""
        return self.objects * self.object_bytes

    @property
    def live_bytes(self) -> float:
        """Bytes reachable at the last collection."""
        return self.live_objects * self.object_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The allocations of one place, or of all places that a name matches."""

    place: Place
    allocations: tuple[Allocations, ...]
    sampled_bytes: float  # mean of bytes between two samples

    @property
    def bytes(self) -> float:
        """Bytes allocated while the profile was taken."""
        return math.fsum(one.bytes for one in self.allocations)

    @property
    def objects(self) -> float:
        """Objects allocated while the profile was taken."""
        return math.fsum(one.objects for one in self.allocations)

    @property
    def live_bytes(self) -> float:
        """Bytes reachable at the last collection."""
        return math.fsum(one.live_bytes for one in self.allocations)

    @property
    def live_objects(self) -> float:
        """Objects reachable at the last collection."""
        return math.fsum(one.live_objects for one in self.allocations)

    @property
    def live_samples(self) -> float:
        """The expected number of samples behind ``live_bytes``."""
        return math.fsum(
            _samples(one.live_objects, one.object_bytes, self.sampled_bytes) for one in self.allocations
        )

    @property
    def rel_sd(self) -> float:
        """The relative standard deviation of ``bytes``, because the runtime samples allocations."""
        variance = math.fsum(
            one.bytes**2 / max(_samples(one.objects, one.object_bytes, self.sampled_bytes), 1.0)
            for one in self.allocations
        )
        return math.sqrt(variance) / self.bytes if self.bytes > 0 else 0.0

    @property
    def caller(self) -> Place | None:
        """The place outside the standard library that asked for most of the bytes; None if it is the site itself."""
        found: dict[Place, float] = {}
        for one in self.allocations:
            own = next((place for place in one.stack if not place.is_standard), None)
            if own is not None:
                found[own] = found.get(own, 0.0) + one.bytes
        heaviest = max(found, key=lambda place: found[place], default=None)
        return None if heaviest is None or heaviest.function == self.place.function else heaviest


@dataclass(frozen=True, slots=True, kw_only=True)
class Sites:
    """All allocations of a profile, or of the time between two profiles."""

    source: str
    allocations: tuple[Allocations, ...]
    seconds: float  # in which the program made them; 0 if it is not known
    since_start: bool  # of the process, so that start-up is among them
    has_live: bool  # whether the profile knows which objects are live
    sampled_bytes: float = SAMPLED_BYTES

    @property
    def bytes(self) -> float:
        """Bytes allocated while the profile was taken."""
        return math.fsum(one.bytes for one in self.allocations)

    @property
    def live_bytes(self) -> float:
        """Bytes reachable at the last collection."""
        return math.fsum(one.live_bytes for one in self.allocations)

    def ranked(self) -> list[Site]:
        """One site for each line that allocates, the most bytes first."""
        found: dict[Place, list[Allocations]] = {}
        for one in self.allocations:
            if one.stack:
                found.setdefault(one.stack[0], []).append(one)
        sites = [self.site(place, rows) for place, rows in found.items()]
        return sorted(sites, key=lambda site: (-site.bytes, site.place))

    def site(self, place: Place, allocations: Iterable[Allocations]) -> Site:
        """A site with some of these allocations."""
        return Site(place=place, allocations=tuple(allocations), sampled_bytes=self.sampled_bytes)


def _samples(objects: float, object_bytes: float, sampled_bytes: float) -> float:
    """The expected number of samples of some objects of one size. Source: ``scaleHeapSample``."""
    return max(objects, 0.0) * -math.expm1(-object_bytes / sampled_bytes)
