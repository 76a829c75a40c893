"""The CPU quota of the cgroup that a process runs in, and how often the kernel throttled it (Linux)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Self

from gcsim.errors import InputError

_PROC = Path("/proc")
_MOST = 1 << 62
_MOST_CPUS = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuQuota:
    """The lowest quota on the way to the root cgroup. The counts are of the time of the capture."""

    cpus: float  # quota over period
    periods: int = 0  # with runnable threads
    throttled_periods: int = 0
    throttled_seconds: float = 0.0  # of all threads together

    @classmethod
    def from_json(cls, record: object) -> Self:
        """The values in a side file; unknown keys are ignored. Raises InputError that says what is wrong."""
        if not isinstance(record, dict):
            raise InputError("cpu_quota is not an object")
        values = {field.name: record.get(field.name, 0) for field in fields(cls)}
        for name, value in values.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _MOST:
                raise InputError(f"cpu_quota has a {name} that is not a number in range")
        if not 0 < values["cpus"] <= _MOST_CPUS or not math.isfinite(values["throttled_seconds"]):
            raise InputError("cpu_quota has no usable number of cpus")
        return cls(
            cpus=float(values["cpus"]),
            periods=int(values["periods"]),
            throttled_periods=int(values["throttled_periods"]),
            throttled_seconds=float(values["throttled_seconds"]),
        )


class CpuQuotaWatch:
    """The CPU quota of one process, polled."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._first: tuple[Path, CpuQuota] | None = None
        self.quota: CpuQuota | None = None

    def look(self) -> None:
        """Reads the quota and the counts since the first look."""
        found = _lowest_quota(self._pid)
        if found is None:
            return
        folder, now = found
        if self._first is None or self._first[0] != folder:
            self._first = found
        before = self._first[1]
        self.quota = replace(
            now,
            periods=max(now.periods - before.periods, 0),
            throttled_periods=max(now.throttled_periods - before.throttled_periods, 0),
            throttled_seconds=max(now.throttled_seconds - before.throttled_seconds, 0.0),
        )


def parse_cpu_stat(text: str) -> CpuQuota | None:
    """The counts of a cpu.stat of version 1 or 2, without the quota (``cpus`` is NaN); None for another text."""
    pairs = (line.split() for line in text.splitlines())
    numbers = {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}
    if "nr_periods" not in numbers or "nr_throttled" not in numbers:
        return None
    seconds = numbers.get("throttled_usec", 0) / 1e6 or numbers.get("throttled_time", 0) / 1e9
    return CpuQuota(
        cpus=math.nan,
        periods=numbers["nr_periods"],
        throttled_periods=numbers["nr_throttled"],
        throttled_seconds=seconds,
    )


def parse_cpu_max(text: str) -> float | None:
    """The CPUs of a cpu.max such as ``60000 100000``; None without a quota (``max 100000``) or for another text."""
    words = text.split()
    if len(words) != 2 or not all(word.isdecimal() for word in words) or int(words[1]) == 0:
        return None
    return int(words[0]) / int(words[1])


def _lowest_quota(pid: int) -> tuple[Path, CpuQuota] | None:
    """(folder, quota with the counts of its cgroup) of the lowest quota above a process; None without a quota."""
    found: list[tuple[Path, CpuQuota]] = []
    for folder in _folders(pid):
        cpus = parse_cpu_max(_text(folder / "cpu.max")) or _version_1(folder)
        if cpus is None:
            continue
        counts = parse_cpu_stat(_text(folder / "cpu.stat")) or CpuQuota(cpus=cpus)
        found.append((folder, replace(counts, cpus=cpus)))
    return min(found, key=lambda one: one[1].cpus, default=None)


def _version_1(folder: Path) -> float | None:
    quota, period = (_text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() and int(period) > 0 else None


def _folders(pid: int) -> Iterator[Path]:
    """The CPU cgroup of a process and those above it, as far as this process sees them."""
    lines = (line.split(":", 2) for line in _text(_PROC / str(pid) / "cgroup").splitlines())
    paths = {name: line[2] for line in lines if len(line) == 3 for name in line[1].split(",")}
    for mount in _text(_PROC / "self" / "mountinfo").splitlines():
        before, _, after = mount.partition(" - ")
        if len(before.split()) < 5 or len(after.split()) < 3:
            continue
        root, point = before.split()[3:5]
        kind, _, options = after.split()[:3]
        controller = "" if kind == "cgroup2" else "cpu"
        path = paths.get(controller)
        if kind not in ("cgroup", "cgroup2") or path is None or controller not in ["", *options.split(",")]:
            continue
        top = Path(point)
        folder = top / (Path(path).relative_to(root) if Path(path).is_relative_to(root) else Path())
        while ".." not in folder.parts:
            yield folder
            if folder == top or folder == folder.parent:
                break
            folder = folder.parent


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
