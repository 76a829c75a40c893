"""Allocation sites from pprof profiles of allocation."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from gcsim.diagnosis.profiles.profile import Frame, Profile, Stack, read_profile, user_part
from gcsim.errors import InputError
from gcsim.printable import quoted
from gcsim.service.objects.sites import SAMPLED_BYTES, Allocations, Place, Sites

_COLUMNS = ("alloc_objects", "alloc_space", "inuse_objects", "inuse_space")
_ADVICE = "save it with curl -s -o allocs.pb.gz …/debug/pprof/allocs"

_Key = tuple[Stack, int]  # the stack and the bytes of one object
_Row = tuple[float, ...]  # a value for each of _COLUMNS


def read_sites(path: Path, before: Path | None = None) -> Sites:
    """The allocation sites of a profile, or of the time between ``before`` and the profile.

    Raises InputError for a file that is no profile of allocation, and for two that are not of one process in order.
    """
    last = _read(path)
    rows = dict(_rows(last))
    seconds, since_start = last.duration_seconds, last.duration_seconds == 0.0
    if before is not None:
        first = _read(before)
        seconds, since_start = _seconds_between(first, last, before, path), False
        rows = _difference(rows, dict(_rows(first)), before, path)
    found = tuple(
        Allocations(
            stack=tuple(map(_place, stack)),
            object_bytes=float(size),
            objects=row[0],
            live_objects=max(row[2], 0.0),
        )
        for (stack, size), row in rows.items()
        if row[0] > 0 or row[2] > 0
    )
    if not any(one.bytes > 0 for one in found):
        raise InputError(f"{quoted(str(path))}: holds no allocations; {_ADVICE} while the service works")
    return Sites(
        source=path.name,
        allocations=found,
        seconds=seconds,
        since_start=since_start,
        has_live=last.duration_seconds == 0.0 and any(one.live_objects > 0 for one in found),
        sampled_bytes=float(last.period or SAMPLED_BYTES),
    )


def _read(path: Path) -> Profile:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{quoted(str(path))}: cannot be read ({error.strerror}); name a profile of allocation"
        ) from error
    profile = read_profile(data, quoted(str(path)))
    if "alloc_space" not in profile.types or "alloc_objects" not in profile.types:
        raise InputError(f"{quoted(str(path))}: is a profile of {profile.kind}, not of allocation; {_ADVICE}")
    return profile


def _rows(profile: Profile) -> Iterator[tuple[_Key, _Row]]:
    """The summed values of each stack and size of objects."""
    found: dict[_Key, list[float]] = {}
    columns = [profile.column(name).tolist() for name in _COLUMNS]
    for stack, *values in zip(profile.stacks, *columns, strict=True):
        objects, space = (values[0], values[1]) if values[0] > 0 else (values[2], values[3])
        if objects <= 0:
            continue
        key = (user_part(stack), max(1, round(space / objects)))
        row = found.setdefault(key, [0.0] * len(_COLUMNS))
        for place, value in enumerate(values):
            row[place] += value
    return ((key, tuple(row)) for key, row in found.items())


def _difference(
    last: dict[_Key, _Row], first: dict[_Key, _Row], before: Path, path: Path
) -> dict[_Key, _Row]:
    """Allocated between the two; live objects are those of the last."""
    nothing = (0.0,) * len(_COLUMNS)
    if sum(row[1] for row in first.values()) > sum(row[1] for row in last.values()):
        raise InputError(
            f"--before {quoted(str(before))}: has more allocations than {quoted(str(path))}; name two profiles of one"
            " process, the earlier one as --before"
        )
    return {
        key: (row[0] - first.get(key, nothing)[0], row[1] - first.get(key, nothing)[1], *row[2:])
        for key, row in last.items()
    }


def _seconds_between(first: Profile, last: Profile, before: Path, path: Path) -> float:
    if not first.time_nanos or not last.time_nanos:
        return 0.0
    if first.time_nanos >= last.time_nanos:
        raise InputError(
            f"--before {quoted(str(before))}: is not earlier than {quoted(str(path))}; exchange the two profiles"
        )
    return (last.time_nanos - first.time_nanos) / 1e9


@cache
def _place(frame: Frame) -> Place:
    return Place(frame.function, frame.file, frame.line)
