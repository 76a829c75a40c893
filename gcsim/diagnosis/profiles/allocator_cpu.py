"""The CPU time that the allocator spends at a site, from a CPU profile."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gcsim.diagnosis.profiles.profile import Profile, Stack, read_profile
from gcsim.errors import InputError
from gcsim.printable import quoted
from gcsim.service.objects.sites import Site

_ALLOCATOR = frozenset(
    f"runtime.{name}"
    for name in ("mallocgc", "newobject", "makeslice", "growslice", "makechan", "newarray", "makemap")
)
_ASSIST = "runtime.gcAssistAlloc"  # GC CPU, which the simulation has


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocatorCpu:
    """The allocator's CPU time at one site, without GC assists, as a share of the profile's CPU time."""

    share: float
    samples: int

    @property
    def rel_sd(self) -> float:
        """The relative standard deviation, because a profile is a sample."""
        return 1.0 / math.sqrt(self.samples) if self.samples else math.inf


def read_allocator_cpu(path: Path, sites: Sequence[Site]) -> tuple[AllocatorCpu, ...]:
    """The allocator's CPU time at each site. Raises InputError for a file that is no CPU profile."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{quoted(str(path))}: cannot be read ({error.strerror}); name a CPU profile"
        ) from error
    profile = read_profile(data, quoted(str(path)))
    whole = profile.total("cpu")
    if profile.kind != "CPU" or whole <= 0:
        raise InputError(
            f"{quoted(str(path))}: is not a CPU profile with samples; save one with curl -s -o cpu.pb.gz"
            " …/debug/pprof/profile?seconds=30"
        )
    return tuple(_at(profile, whole, site) for site in sites)


def _at(profile: Profile, whole: float, site: Site) -> AllocatorCpu:
    functions = {one.stack[0].function for one in site.allocations if one.stack}
    inside = [_allocates(stack, functions) for stack in profile.stacks]
    time = float(profile.column("cpu")[inside].sum())
    samples = int(profile.column("samples")[inside].sum())
    return AllocatorCpu(share=time / whole, samples=samples)


def _allocates(stack: Stack, functions: set[str]) -> bool:
    """Whether one of the functions called the allocator, which did not assist the collector."""
    for place, frame in enumerate(stack):
        if not frame.is_runtime:
            above = {one.function for one in stack[:place]}
            return frame.function in functions and bool(above & _ALLOCATOR) and _ASSIST not in above
    return False
