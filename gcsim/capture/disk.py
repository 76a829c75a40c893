"""The disk that a program's binary is on (Linux)."""

import os
from pathlib import Path


def read_ahead_kib(file: Path) -> int | None:
    """How much the kernel reads around a page fault on a file, KiB; None where the kernel does not say it.

    Linux's default is 128. In a full container each window that comes in pushes out as much of the text that runs.
    """
    try:
        device = file.stat().st_dev
        return int(
            Path(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb").read_text().strip()
        )
    except (OSError, ValueError):
        return None
