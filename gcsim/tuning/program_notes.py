"""Notes on changes of allocation sites."""

from collections.abc import Sequence

from gcsim.tuning.change_note import ChangeNote
from gcsim.tuning.program_changes import SiteEffect
from gcsim.units import format_mib, format_number, format_percent, format_seconds


def notes_on_sites(effects: Sequence[SiteEffect]) -> tuple[ChangeNote, ...]:
    """A note on each change of a site."""
    return tuple(_NOTES[one.change.kind](one) for one in effects)


def _pool(effect: SiteEffect) -> ChangeNote:
    assert effect.pool is not None
    assert effect.use is not None
    hits = format_percent(effect.pool.hit_share, 4)
    retained = format_mib(effect.pool.retained_objects * effect.object_bytes)
    hold = effect.use.in_flight / effect.use.gets_per_second
    return ChangeNote(
        change=f"sync.Pool at {effect.change.site.place}",
        modelled=f"{_share(effect)}; {hits} of {format_number(effect.use.gets_per_second)} Gets per second hit, each"
        f" object is in use for {format_seconds(hold)}; the pool keeps"
        f" {format_number(effect.pool.retained_objects)} unused objects, {retained}",
        not_modelled="CPU time of the allocator and of Get and Put, resets, objects that are put back late or never,"
        " and rare large objects that the pool keeps",
    )


def _preallocated(effect: SiteEffect) -> ChangeNote:
    assert effect.growth is not None
    arrays = ", ".join(format_mib(size) for size in effect.growth.array_bytes[-3:])
    more = "…, " if len(effect.growth.array_bytes) > 3 else ""
    final = effect.change.capacity_bytes or effect.growth.final_bytes
    return ChangeNote(
        change=f"capacity up front at {effect.change.site.place}",
        modelled=f"{_share(effect)}; append made arrays of {more}{arrays}, one array of {format_mib(final)} on average"
        " replaces them",
        not_modelled="CPU time of the allocator and of copies between arrays; the length of a slice inside the last"
        " step of its capacity is in the interval, unless SITE=SIZE states it",
    )


def _stack(effect: SiteEffect) -> ChangeNote:
    return ChangeNote(
        change=f"no escape at {effect.change.site.place}",
        modelled=f"{_share(effect)}; stacks that the collector scans grow by {format_mib(effect.stack_bytes)}",
        not_modelled="CPU time of the allocator, growth of the stacks of goroutines that did not need it before, and"
        " whether the compiler can keep the object on the stack: check with go build -gcflags=-m",
    )


def _share(effect: SiteEffect) -> str:
    saved = format_percent(effect.saved_share)
    live = "" if effect.live_bytes >= 0 else f", and {format_mib(-effect.live_bytes)} of live heap,"
    return (
        f"the site allocates {format_percent(effect.bytes_share)} of all bytes; {saved} of all bytes{live} go"
    )


_NOTES = {"pool": _pool, "preallocate": _preallocated, "stack": _stack}
