"""The memory of the cgroup that a process runs in, version 1 or 2 (Linux)."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple, Self

from gcsim.capture.process_tree import stat_of
from gcsim.errors import InputError

POLL_SECONDS, POLL_COST = (
    0.05,
    200.0,
)  # between polls: at least this time, or this many times the time of a poll
# between looks at which cgroup the process is in, with which limit and which other processes: 1 ms each
SEARCH_SECONDS = 0.5
UNLIMITED = 1 << 62  # version 1 writes "no limit" as the largest whole number of pages
_MOST_BYTES = 1 << 62
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupMemory:
    """What the kernel charged to a program's memory cgroup, in bytes; None for each that is not known.

    The peaks are the highest polled values. They are known only if the cgroup held no process but those of the program.
    """

    limit_bytes: int | None = None  # the lowest of the cgroup and those above it
    usage_peak_bytes: int | None = None  # with file pages that the kernel can reclaim
    working_set_peak_bytes: int | None = None  # usage less inactive file pages, as kubectl top prints it
    anonymous_peak_bytes: int | None = None
    file_peak_bytes: int | None = None  # page cache, with tmpfs and shared memory

    @classmethod
    def from_json(cls, record: object) -> Self:
        """The values in a side file; unknown keys are ignored. Raises InputError that says what is wrong."""
        if not isinstance(record, dict):
            raise InputError("cgroup is not an object")
        values = {field.name: record.get(field.name) for field in fields(cls)}
        for name, value in values.items():
            if value is not None and (type(value) is not int or not 0 <= value <= _MOST_BYTES):
                raise InputError(f"cgroup has a {name} that is not a size in bytes")
        return cls(**values)


class CgroupFiles(NamedTuple):
    """Where one version keeps its numbers: file names, and keys of memory.stat that include cgroups below."""

    limit: str
    usage: str
    inactive_file: str
    anonymous: str
    file: str


VERSION_1 = CgroupFiles(
    "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "total_rss", "total_cache"
)
VERSION_2 = CgroupFiles("memory.max", "memory.current", "inactive_file", "anon", "file")


class Cgroup(NamedTuple):
    """A memory cgroup: its folder, and the folder of the topmost one that can be seen."""

    folder: Path
    top: Path
    files: CgroupFiles

    @property
    def limit_bytes(self) -> int | None:
        """The lowest limit of the cgroup and of those above it; None without a limit."""
        found: list[int] = []
        for folder in (self.folder, *self.folder.parents):
            limit = _number(folder / self.files.limit)
            if limit is not None and limit < UNLIMITED:
                found.append(limit)
            if folder == self.top:
                break
        return min(found, default=None)

    def processes(self) -> set[int]:
        """The pids in the cgroup and in those below it; 0 stands for one that this process may not see."""
        lists = [self.folder / "cgroup.procs", *self.folder.glob("**/*/cgroup.procs")]
        return {int(pid) for one in lists for pid in _text(one).split()}

    def now(self) -> CgroupMemory:
        """What is charged now; the peaks hold the current values."""
        usage = _number(self.folder / self.files.usage)
        stat = parse_memory_stat(_text(self.folder / "memory.stat"))
        inactive = stat.get(self.files.inactive_file)
        return CgroupMemory(
            usage_peak_bytes=usage,
            working_set_peak_bytes=None if usage is None or inactive is None else max(usage - inactive, 0),
            anonymous_peak_bytes=stat.get(self.files.anonymous),
            file_peak_bytes=stat.get(self.files.file),
        )


class CgroupWatch:
    """The memory cgroup of one process, polled."""

    def __init__(self, pid: int, relatives: Callable[[], Collection[int]]) -> None:
        """``relatives`` gives the pids of the captured program and of all that it has started."""
        self._pid = pid
        self._relatives = relatives
        self._cgroup: Cgroup | None = None
        self._known: set[int] = {pid}
        self._is_shared = False
        self._peaks = CgroupMemory()
        self._next_search = 0.0
        self.next_look = 0.0

    @property
    def memory(self) -> CgroupMemory | None:
        """The limit, and the peaks if the cgroup held the program alone; None outside a cgroup."""
        if self._cgroup is None:
            return None
        return CgroupMemory(limit_bytes=self._peaks.limit_bytes) if self._is_shared else self._peaks

    def look(self, now: float) -> None:
        """Polls what is due; to be called at ``next_look``."""
        if now >= self._next_search:
            self._search()
            self._next_search = now + SEARCH_SECONDS
        if self._cgroup is None or self._is_shared:
            self.next_look = self._next_search
            return
        begun = time.monotonic()
        self._peaks = _highest(self._peaks, self._cgroup.now())
        self.next_look = now + max(POLL_SECONDS, POLL_COST * (time.monotonic() - begun))

    def _search(self) -> None:
        """Finds the process's cgroup; in another cgroup than before, the peaks start anew."""
        found = cgroup_of(self._pid)
        if found is None:  # the process has ended, or there is no cgroup
            return
        if found != self._cgroup:
            self._cgroup, self._peaks, self._is_shared = found, CgroupMemory(), False
        self._peaks = replace(self._peaks, limit_bytes=found.limit_bytes)
        self._is_shared = self._is_shared or self._has_strangers(found)

    def _has_strangers(self, cgroup: Cgroup) -> bool:
        """Whether the cgroup holds a process that is not the program's; a known pid is not looked up again."""
        unknown = cgroup.processes() - self._known
        if unknown:
            self._known |= set(self._relatives()) & unknown
            # a process that ended since then is no evidence of another program
            unknown = {pid for pid in unknown - self._known if pid == 0 or stat_of(pid) is not None}
        return bool(unknown)


def cgroup_of(pid: int) -> Cgroup | None:
    """The memory cgroup of a process; None for the root cgroup, which has no limit, and where none can be read.

    A container may see only the part of the hierarchy that is mounted in it (proc(5), ``mountinfo``, field 4).
    """
    paths = dict(_hierarchies(_text(_PROC / str(pid) / "cgroup")))
    for mount in _text(_PROC / "self" / "mountinfo").splitlines():
        before, _, after = mount.partition(" - ")
        if len(before.split()) < 5 or len(after.split()) < 3:
            continue
        root, point = before.split()[3:5]
        kind, _, options = after.split()[:3]
        files = VERSION_2 if kind == "cgroup2" else VERSION_1
        controller = "" if kind == "cgroup2" else "memory"
        if kind not in ("cgroup", "cgroup2") or controller not in ["", *options.split(",")]:
            continue
        path = paths.get(controller)
        if path is None or ".." in Path(path).parts:  # outside this namespace
            continue
        top = Path(point)
        below = Path(path).relative_to(root) if Path(path).is_relative_to(root) else Path()
        folder = top / below
        # the files of the root cgroup: version 2 has no memory.current there, version 1 has release_agent there only
        if (folder / files.usage).is_file() and not (folder / "release_agent").exists():
            return Cgroup(folder, top, files)
    return None


def parse_memory_stat(text: str) -> dict[str, int]:
    """The numbers of a memory.stat by key; lines of another form are left out."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _hierarchies(text: str) -> list[tuple[str, str]]:
    """(controller, path) of each line of /proc/PID/cgroup; the controller of version 2 is empty."""
    lines = (line.split(":", 2) for line in text.splitlines())
    return [(name, line[2]) for line in lines if len(line) == 3 for name in line[1].split(",")]


def _highest(one: CgroupMemory, other: CgroupMemory) -> CgroupMemory:
    """The larger known value of each field."""
    values: dict[str, int | None] = {}
    for field in fields(CgroupMemory):
        known = [size for record in (one, other) if (size := getattr(record, field.name)) is not None]
        values[field.name] = max(known, default=None)
    return CgroupMemory(**values)


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdecimal() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
