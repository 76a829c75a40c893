"""The Go programs among a process and its descendants, from /proc (Linux)."""

import mmap
import os
import time
from pathlib import Path
from typing import NamedTuple

from gcsim.capture.buildinfo import find_go_version
from gcsim.capture.run_settings import GoProgram

_PROC = Path("/proc")
_VERSIONS: dict[tuple[int, int], str | None] = {}  # Go version by device and inode of a binary
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class ProcessStat(NamedTuple):
    """Fields of /proc/PID/stat."""

    parent: int
    group: int
    cpu_seconds: float  # its own, without children
    start_ticks: int  # since boot; with the pid it identifies a process
    is_zombie: bool


def stat_of(pid: int) -> ProcessStat | None:
    """The stat fields of a process; None after its end, or without /proc."""
    try:
        text = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    fields = text[text.rfind(b")") + 2 :].split()  # the name before it may contain any character
    return ProcessStat(
        parent=int(fields[1]),
        group=int(fields[2]),
        cpu_seconds=(int(fields[11]) + int(fields[12])) / _CLOCK_TICKS,
        start_ticks=int(fields[19]),
        is_zombie=fields[0] in b"ZX",
    )


def age_seconds(pid: int) -> float:
    """Time since a process was started, s; 0 after its end."""
    stat = stat_of(pid)
    if stat is None or not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    return max(time.clock_gettime(time.CLOCK_BOOTTIME) - stat.start_ticks / _CLOCK_TICKS, 0.0)


def program_of(pid: int) -> str:
    """The path of the executable that a process runs; empty if it cannot be read.

    The kernel marks the path if a new build has replaced or removed the file. The mark is removed here, because the
    process still runs the same program.
    """
    try:
        return str((_PROC / str(pid) / "exe").readlink()).removesuffix(" (deleted)")
    except OSError:
        return ""


def go_program_of(pid: int) -> GoProgram | None:
    """The Go program that a process runs, with its environment; None for another program.

    The result is also None while the kernel starts the process: the environment is empty until ``create_elf_tables``,
    which comes after the program is set.
    """
    try:
        # open the file once: between two opens, "exec" may replace the program
        with (_PROC / str(pid) / "exe").open("rb") as binary:
            status = os.fstat(binary.fileno())
            key = (status.st_dev, status.st_ino)
            if key not in _VERSIONS:
                with mmap.mmap(binary.fileno(), 0, access=mmap.ACCESS_READ) as image:
                    _VERSIONS[key] = find_go_version(image) or None  # empty for Go 1.17 or older
        version = _VERSIONS[key]
        if version is None:
            return None
        environ = (_PROC / str(pid) / "environ").read_bytes()
        if not environ:
            return None
    except (OSError, ValueError):  # ValueError: an empty file cannot be mapped
        return None
    pairs = (item.partition("=") for item in os.fsdecode(environ).split("\0") if "=" in item)
    env = {name: value for name, _, value in pairs}
    return GoProgram(path=Path(program_of(pid)), go_version=version, env=env)


def descendants_of(root: int, *, own_group: bool) -> list[int]:
    """The pids of a process's descendants; with ``own_group`` also of all processes in its process group."""
    stats = {pid: found for pid in _pids() if (found := stat_of(pid)) is not None and not found.is_zombie}
    family = {root}
    grown = True
    while grown:
        below = {pid for pid, found in stats.items() if found.parent in family}
        if own_group:
            below |= {pid for pid, found in stats.items() if found.group == root}
        grown = not below <= family
        family |= below
    return sorted(family - {root})


def _pids() -> list[int]:
    try:
        return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal()]
    except OSError:
        return []
