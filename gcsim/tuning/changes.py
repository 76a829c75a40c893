"""The changes of ``gcsim whatif``: which effects of each the simulation has, and which it lacks."""

from dataclasses import dataclass

from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.tuning.change_note import ChangeNote
from gcsim.tuning.program_changes import ProgramChange
from gcsim.tuning.quota import Quota
from gcsim.tuning.upgrade import upgrade_note
from gcsim.units import format_go_bytes, format_gogc, format_number, format_percent

_GO_WITH_QUOTA = 25  # Go 1.25: the runtime takes GOMAXPROCS from the CPU quota of the cgroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Changes of a service that its settings do not hold; 1 and None change nothing."""

    allocation: float = 1.0  # bytes allocated per unit of work
    live: float = 1.0  # live heap
    traffic: float = 1.0  # arrivals per second of an open loop
    cpu_quota: float | None = None  # cores that the container may use
    program: ProgramChange | None = None  # changes of allocation sites


def notes_on(model: Model, after: Settings, changes: Changes, quota: Quota | None) -> tuple[ChangeNote, ...]:
    """A note on each change from the calibrated service to ``changes`` at the settings ``after``."""
    before, notes = model.settings, []
    if changes.allocation != 1.0:
        notes.append(
            ChangeNote(
                change=f"allocation × {format_number(changes.allocation)}",
                modelled="each unit of work allocates that many times the bytes: more or fewer cycles, and more or less"
                " allocation while marking",
                not_modelled="the CPU time that allocation itself costs or saves, and the mix of sizes",
            )
        )
    if changes.live != 1.0:
        notes.append(
            ChangeNote(
                change=f"live heap × {format_number(changes.live)}",
                modelled="the heap, and CPU time of marking in proportion to it",
                not_modelled="caches of the CPU, and a live heap with another share of pointers",
            )
        )
    if changes.traffic != 1.0:
        notes.append(
            ChangeNote(
                change=f"traffic × {format_number(changes.traffic)}",
                modelled="arrivals, and the Ps that they keep busy; more arrivals than the CPU can serve wait",
                not_modelled="memory of requests in flight and of goroutines: add --scale-live if traffic sets the live"
                " heap",
            )
        )
    notes += _of_settings(model, before, after)
    if quota is not None:
        notes.append(_of_quota(quota, after))
    return tuple(notes)


def _of_settings(model: Model, before: Settings, after: Settings) -> list[ChangeNote]:
    notes = []
    if after.gogc != before.gogc:
        notes.append(_setting("GOGC", format_gogc(before.gogc), format_gogc(after.gogc)))
    if after.gomemlimit_bytes != before.gomemlimit_bytes:
        old, new = (format_go_bytes(one.gomemlimit_bytes) for one in (before, after))
        notes.append(_setting("GOMEMLIMIT", old, new))
    if after.gomaxprocs != before.gomaxprocs:
        pace = (
            "throughput changes with the Ps of a program that keeps all of them busy"
            if model.loop == "closed"
            else "arrivals stay, and may be served faster"
        )
        notes.append(
            ChangeNote(
                change=f"GOMAXPROCS {before.gomaxprocs} → {after.gomaxprocs}",
                modelled=f"background workers, and CPU time per P; {pace}",
                not_modelled="contention for locks and memory bandwidth, and the machine's own number of cores",
            )
        )
    if after.go != before.go:
        notes.append(
            ChangeNote(
                change=f"Go {before.go} → {after.go}",
                modelled=f"rules of the pacer and of the memory limit in Go {after.go}",
                not_modelled=upgrade_note(before, after) or "",
            )
        )
    return notes


def _setting(name: str, old: str, new: str) -> ChangeNote:
    return ChangeNote(
        change=f"{name} {old} → {new}",
        modelled="heap goals, cycles, marking and memory",
        not_modelled="effects of the heap's size on caches of the CPU",
    )


def _of_quota(quota: Quota, after: Settings) -> ChangeNote:
    cores, needed = format_number(quota.cores), format_number(quota.needed_cores)
    stops = "stops of up to 100 ms by the kernel, also in pauses and requests"
    if int(after.go.split(".")[1]) >= _GO_WITH_QUOTA:
        stops += (
            "; without GOMAXPROCS in the environment, the runtime lowers GOMAXPROCS to the quota, rounded up"
        )
    modelled = (
        f"nothing: the service needs {needed} cores on average, which the quota allows"
        if quota.speed == 1.0
        else f"the service needs {needed} cores, so every P runs at {format_percent(quota.speed, 2)} of its speed"
        " on average; GC CPU is a share of the time of the Ps, stops included"
    )
    return ChangeNote(change=f"CPU quota {cores} cores", modelled=modelled, not_modelled=stops)
