"""The disk that a program's binary is on (Linux)."""

import os
from pathlib import Path


def read_ahead_kib(file: Path) -> int | None:
    """How much the kernel reads around a page fault on a file, KiB; None where the kernel does not say it.

    Linux's default is 128. In a full container each window that comes in pushes out as much of the text that runs.
    """
    try:
        return int(read_ahead_file(file).read_text().strip())
    except (OSError, ValueError):
        return None


def read_ahead_file(file: Path) -> Path:
    """The kernel's file with the read-ahead of the disk that a file is on. Raises OSError if there is no such file."""
    device = file.stat().st_dev
    return Path(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb")
