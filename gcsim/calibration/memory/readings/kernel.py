"""Readings that the kernel gives: of a process in /proc, and of a cgroup."""

import re

from gcsim.calibration.memory.readings.reading import Reading
from gcsim.capture.cgroup import UNLIMITED, VERSION_1, VERSION_2, parse_memory_stat
from gcsim.capture.memory_map import MAPPING, parse_smaps
from gcsim.capture.resident import parse_status
from gcsim.errors import InputError
from gcsim.units import LEAST_MEMORY_BYTES, format_mib

_KERNEL_KEYS = ("kernel_stack", "pagetables", "percpu", "sock", "slab")  # before "kernel" (Linux 5.18)
_SUMMED = re.compile(r"^(Rss|Anonymous|Pss_Shmem):\s+(\d+) kB", re.MULTILINE)
HARD_LIMIT_NAMES = ("memory.max", "memory.limit_in_bytes")
_LIMIT_NAMES = (*HARD_LIMIT_NAMES, "memory.high", "memory.soft_limit_in_bytes")
_LIMIT_OF_STAT = re.compile(r"^hierarchical_memory_limit (\d{1,30})$", re.MULTILINE | re.ASCII)  # version 1
_PEAK_NAMES = ("memory.peak", "memory.max_usage_in_bytes")


def status_reading(text: str, origin: str) -> Reading:
    """The resident memory in a saved /proc/PID/status. Raises InputError without it."""
    found = parse_status(text)
    if found.rss_bytes is None:
        raise InputError(
            "has no VmRSS: the process had ended, or is a kernel thread; copy it while the program runs"
        )
    return Reading(
        origin=origin,
        rss_bytes=found.rss_bytes,
        rss_peak_bytes=found.rss_peak_bytes,
        anonymous_bytes=found.anonymous_bytes,
        file_bytes=found.file_bytes,
        shared_bytes=found.shared_bytes,
    )


def smaps_reading(text: str, origin: str) -> Reading:
    """The resident memory in a saved /proc/PID/smaps or smaps_rollup, with the heap's arenas from smaps."""
    total = {"Rss": 0, "Anonymous": 0, "Pss_Shmem": 0}
    for name, kib in _SUMMED.findall(text):
        total[name] += int(kib) << 10
    shared = total["Pss_Shmem"] if "Pss_Shmem:" in text else None
    is_rollup = len(MAPPING.findall(text)) == 1
    places = None if is_rollup else parse_smaps(text)
    rest = total["Rss"] - total["Anonymous"]
    return Reading(
        origin=origin,
        rss_bytes=total["Rss"],
        anonymous_bytes=total["Anonymous"] if "Anonymous:" in text else None,
        # of shared memory only the proportional part is known: if there is any, file pages are not
        file_bytes=rest if "Anonymous:" in text and not shared else None,
        shared_bytes=0 if shared == 0 else None,
        heap_mapped_bytes=None if places is None else places.heap_mapped_bytes,
        rss_outside_heap_bytes=None if places is None else places.rss_outside_heap_bytes,
    )


def memory_stat_reading(text: str, origin: str) -> Reading | None:
    """What a memory.stat of version 1 or 2 charges to the container; None for another text.

    The working set is anonymous memory, page cache less its inactive pages, and kernel memory. Version 1 does not print
    kernel memory: there the result is too low by some MiB, and a reading of memory.usage_in_bytes completes it.
    """
    stat = parse_memory_stat(text)
    files = VERSION_1 if VERSION_1.anonymous in stat else VERSION_2
    if not {files.anonymous, files.file, files.inactive_file} <= stat.keys():
        return None
    anonymous, inactive = stat[files.anonymous], stat[files.inactive_file]
    kernel = stat.get("kernel", sum(stat.get(key, 0) for key in _KERNEL_KEYS))
    return Reading(
        origin=origin,
        inactive_file_bytes=inactive,
        working_set_bytes=max(anonymous + stat[files.file] - inactive + kernel, 0),
        container_anonymous_bytes=anonymous,
    )


def usage_reading(size_bytes: int, origin: str, *, file_name: str) -> Reading:
    """A file of one number: usage of a cgroup, or its peak by the file's name. Raises InputError for a limit."""
    is_limit = file_name in _LIMIT_NAMES
    if is_limit or size_bytes >= UNLIMITED:
        raise InputError(
            "holds a limit, not a reading; give memory.current or memory.stat, and --memory SIZE"
        )
    if size_bytes < LEAST_MEMORY_BYTES:
        raise InputError(
            f"holds {format_mib(size_bytes)}, too little for any Go program; give the whole of memory.current"
        )
    if file_name in _PEAK_NAMES:
        return Reading(origin=origin, usage_peak_bytes=size_bytes)
    return Reading(origin=origin, usage_bytes=size_bytes)


def limit_in(text: str, *, file_name: str) -> int | None:
    """The hard limit that a cgroup's file states, in bytes; None without one. Raises InputError for other text."""
    in_stat = _LIMIT_OF_STAT.search(text)
    found = None if in_stat is None else int(in_stat[1])
    if file_name in HARD_LIMIT_NAMES:
        if text.strip() == "max":
            return None
        if not (text.strip().isascii() and text.strip().isdecimal()):
            raise InputError(
                "holds no limit of a cgroup; copy the whole of memory.max, or pass --memory SIZE"
            )
        found = int(text.strip()[:30])
    if found is None or found >= UNLIMITED:
        return None
    if found < LEAST_MEMORY_BYTES:
        raise InputError(
            f"states a limit of {format_mib(found)}, too little for any Go program; pass --memory SIZE"
        )
    return found
