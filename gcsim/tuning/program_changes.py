"""Changes of a program's allocation sites: which allocation goes, and which memory stays."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gcsim.engine.run import Run
from gcsim.errors import InputError
from gcsim.goruntime.versions import rules_for
from gcsim.printable import quoted
from gcsim.service.model import Model
from gcsim.service.objects.sites import Site, Sites
from gcsim.settings import Settings
from gcsim.submodels.append_growth import AppendGrowth
from gcsim.submodels.pool_use import PoolResult, PoolUse
from gcsim.units import KIB, format_mib

SiteChangeKind = Literal["pool", "preallocate", "stack"]
OPTIONS: dict[SiteChangeKind, str] = {"pool": "--pool", "preallocate": "--preallocate", "stack": "--stack"}

_MOST_STACK_BYTES = 64 * KIB  # ir.MaxImplicitStackVarSize: new, &T{} and make above it stay on the heap
_SIZE_OF_USE = 0.25  # of the usual size: smaller objects at a site belong to the same use
_SIGNIFICANT = 3.0  # standard deviations of the sampled live bytes
_LEAST_ALLOCATION = 0.001  # of the service's allocation that must stay


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteChange:
    """A change of one site."""

    kind: SiteChangeKind
    name: str  # as the user wrote it
    site: Site
    hold_seconds: float | None = None  # pool: between Get and Put; None: unknown
    capacity_bytes: float | None = None  # preallocate: of the array; None: the size that each slice needs


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramChange:
    """The changes of sites of one profile."""

    sites: Sites
    changes: tuple[SiteChange, ...]

    def check(self) -> None:
        """Raises InputError if two changes are of the same allocations, or a change is impossible."""
        known: dict[int, SiteChange] = {}
        for change in self.changes:
            for one in change.site.allocations:
                other = known.setdefault(id(one), change)
                if other is not change:
                    raise InputError(
                        f"{OPTIONS[change.kind]} {quoted(change.name)}: {OPTIONS[other.kind]} {quoted(other.name)} has"
                        " the same allocations; give each site one change"
                    )
            if change.site.bytes <= 0:
                raise InputError(
                    f"{OPTIONS[change.kind]} {quoted(change.name)}: the profile {quoted(self.sites.source)} has no"
                    " allocation there; name a site that gcsim sites lists"
                )
            largest = max(one.object_bytes for one in change.site.allocations if one.bytes > 0)
            if change.kind == "stack" and largest > _MOST_STACK_BYTES:
                raise InputError(
                    f"--stack {quoted(change.name)}: objects of {format_mib(largest)} do not go to the stack, whose"
                    " largest is 64 KiB; use --pool"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteEffect:
    """The effects of one change on the service. Shares are of all its allocation."""

    change: SiteChange
    bytes_share: float  # allocated at the site before
    saved_share: float
    saved_objects: float  # of the objects at the site, a share
    saved_sd: float  # standard deviation of saved_share
    live_bytes: float  # added to the live heap; negative: taken away
    stack_bytes: float  # added to stacks
    pool: PoolResult | None = None
    use: PoolUse | None = None
    object_bytes: float = 0.0  # of one object in the pool
    growth: AppendGrowth | None = None

    def to_json(self) -> dict[str, object]:
        """The JSON document of the effects."""
        place = self.change.site.place
        pool: dict[str, object] = {}
        if self.pool is not None and self.use is not None:
            pool = {
                "gets_per_second": self.use.gets_per_second,
                "objects_in_flight": self.use.in_flight,
                "hit_share": self.pool.hit_share,
                "retained_objects": self.pool.retained_objects,
                "retained_bytes": self.pool.retained_objects * self.object_bytes,
            }
        return {
            "change": self.change.kind,
            "function": place.function,
            "place": place.file_line,
            "share_of_allocation": self.bytes_share,
            "saved_share_of_allocation": self.saved_share,
            "saved_share_of_objects": self.saved_objects,
            "live_bytes": self.live_bytes,
            "stack_bytes": self.stack_bytes,
            **({"pool": pool} if pool else {}),
        }


def effects_of(
    program: ProgramChange, model: Model, settings: Settings, home: Run, period_seconds: float, seed: int
) -> tuple[SiteEffect, ...]:
    """The effects of every change, with pools at a time between collections. ``home`` is the run before the change."""
    return tuple(
        _effect(change, program.sites, model, settings, home, period_seconds, seed)
        for change in program.changes
    )


def changed_model(model: Model, effects: Sequence[SiteEffect]) -> Model:
    """The service after the effects. Raises InputError if almost no allocation is left."""
    saved = math.fsum(one.saved_share for one in effects)
    left = 1.0 - saved
    if left < _LEAST_ALLOCATION:
        raise InputError(
            f"{model.name}: the changes take away {100 * saved:.4g} % of the allocation of the profile; gcsim needs"
            " some allocation that stays"
        )
    live = model.parameters.live_bytes.value
    scaled = model.scaled(
        allocation=left,
        live=max(1.0, live + math.fsum(one.live_bytes for one in effects)) / live,
    )
    error = math.sqrt(math.fsum(one.saved_sd**2 for one in effects)) / left
    return scaled.with_changed_sites(
        stack_bytes=math.fsum(one.stack_bytes for one in effects), allocation_rel_sd=error
    )


def live_garbage_bytes(home: Run) -> float:
    """Bytes that a profile counts as live, because the program allocated them while a collection marked."""
    metrics = home.metrics
    return max(0.0, metrics["heap_marked_mean_bytes"].value - metrics["heap_live_mean_bytes"].value)


def live_bytes_of(site: Site, sites: Sites, home: Run) -> float:
    """The live bytes of a site without those allocated during marking; 0 unless they exceed the error of sampling."""
    if not sites.has_live or site.live_samples <= 0:
        return 0.0
    live = site.live_bytes - live_garbage_bytes(home) * site.bytes / sites.bytes
    error = site.live_bytes / math.sqrt(site.live_samples)
    return live if live > _SIGNIFICANT * error else 0.0


def _effect(
    change: SiteChange,
    sites: Sites,
    model: Model,
    settings: Settings,
    home: Run,
    period_seconds: float,
    seed: int,
) -> SiteEffect:
    site = change.site
    share = site.bytes / sites.bytes
    error = share * site.rel_sd
    live = live_bytes_of(site, sites, home)
    growth = AppendGrowth.of(site, rules=rules_for(model.settings.go)) if change.kind != "stack" else None
    if change.kind == "preallocate":
        return _preallocated(change, growth, share, sites.bytes)
    per_second = model.parameters.alloc_bytes_per_second.value / sites.bytes  # profiles per second
    if change.kind == "stack":
        objects = _in_flight(live / (site.bytes / site.objects), model, settings)
        return SiteEffect(
            change=change,
            bytes_share=share,
            saved_share=share,
            saved_objects=1.0,
            saved_sd=error,
            live_bytes=-live,
            stack_bytes=objects * site.bytes / site.objects,
        )
    uses, object_bytes = _uses(site, growth)
    gets = uses * per_second
    held = None if change.hold_seconds is None else gets * change.hold_seconds
    in_flight = _in_flight(live / object_bytes, model, settings) if held is None else held
    bounded = held is None and in_flight <= settings.gomaxprocs
    use = PoolUse(
        gets_per_second=gets,
        in_flight=in_flight,
        gomaxprocs=settings.gomaxprocs,
        goroutines=settings.gomaxprocs if bounded else None,
    )
    found = use.at(period_seconds, rules=rules_for(settings.go), seed=seed)
    return SiteEffect(
        change=change,
        bytes_share=share,
        saved_share=share * found.hit_share,
        saved_objects=found.hit_share,
        saved_sd=error,
        live_bytes=found.retained_objects * object_bytes,
        stack_bytes=0.0,
        pool=found,
        use=use,
        object_bytes=object_bytes,
    )


def _preallocated(
    change: SiteChange, growth: AppendGrowth | None, share: float, all_bytes: float
) -> SiteEffect:
    site = change.site
    if growth is None:
        sizes = sorted({round(one.object_bytes) for one in site.allocations if one.bytes > 0.01 * site.bytes})
        shown = ", ".join(format_mib(size) for size in sizes[:5])
        raise InputError(
            f"--preallocate {quoted(change.name)}: the sizes there ({shown}) are not those of slices that append grows,"
            " so gcsim does not know the saving; name the line of the append, or use --scale-alloc"
        )
    final, error = growth.final_bytes, growth.final_rel_sd
    if change.capacity_bytes is not None:
        final, error = change.capacity_bytes, 0.0
    grown = growth.bytes / all_bytes
    kept = growth.slices * final / all_bytes
    made = math.fsum(growth.arrays)
    return SiteEffect(
        change=change,
        bytes_share=share,
        saved_share=grown - kept,
        saved_objects=max(0.0, 1.0 - growth.slices / made),
        saved_sd=math.hypot((grown - kept) * site.rel_sd, kept * error),
        live_bytes=0.0,
        stack_bytes=0.0,
        growth=growth,
    )


def _uses(site: Site, growth: AppendGrowth | None) -> tuple[float, float]:
    """(uses of the site while the profile was taken, bytes of the object that a pool keeps)."""
    if growth is not None:
        return growth.slices, growth.largest_bytes
    usual = math.fsum(one.bytes * one.object_bytes for one in site.allocations) / site.bytes
    uses = math.fsum(one.objects for one in site.allocations if one.object_bytes >= _SIZE_OF_USE * usual)
    return uses, site.bytes / uses


def _in_flight(live_objects: float, model: Model, settings: Settings) -> float:
    """Objects in use at once: those that the profile shows, at least one for each P that the program keeps busy."""
    busy = min(model.parameters.mutator_procs.value, float(settings.gomaxprocs))
    return max(live_objects, busy)
