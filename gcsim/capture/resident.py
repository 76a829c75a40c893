"""The resident memory of a process by kind, from ``/proc/PID/status`` (Linux)."""

import os
import re
from pathlib import Path
from typing import NamedTuple

_FIELD = re.compile(r"^(VmHWM|VmRSS|RssAnon|RssFile|RssShmem):\s*(\d+) kB$", re.MULTILINE)


class ResidentMemory(NamedTuple):
    """Resident memory in bytes; None for a line that the kernel does not write (the last three came with Linux 4.5)."""

    rss_peak_bytes: int | None = None  # VmHWM: the kernel's own high-water mark
    rss_bytes: int | None = None
    anonymous_bytes: int | None = None
    file_bytes: int | None = None  # file-mapped: text, read-only data, mapped data files
    shared_bytes: int | None = None  # tmpfs and shared anonymous memory

    def highest(self, other: "ResidentMemory") -> "ResidentMemory":
        """The larger known value of each field."""
        return ResidentMemory(
            *(
                max((size for size in pair if size is not None), default=None)
                for pair in zip(self, other, strict=True)
            )
        )


def parse_status(text: str) -> ResidentMemory:
    """The resident memory in the text of ``/proc/PID/status``."""
    size = {name: int(kib) << 10 for name, kib in _FIELD.findall(text)}
    return ResidentMemory(*(size.get(name) for name in ("VmHWM", "VmRSS", "RssAnon", "RssFile", "RssShmem")))


def resident_memory(pid: int) -> ResidentMemory:
    """The resident memory of a running process; all None without /proc, or if it has ended."""
    try:
        return parse_status(Path(f"/proc/{pid}/status").read_text(errors="replace"))
    except OSError:
        return ResidentMemory()


def own_rss_peak() -> int:
    """VmHWM of this process, bytes; 0 without /proc."""
    return resident_memory(os.getpid()).rss_peak_bytes or 0
