"""A memory cgroup for a test, where the machine lets the test make one."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

VERSION_1 = Path("/sys/fs/cgroup/memory")
VERSION_2 = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class MemoryCgroup:
    """One empty cgroup."""

    folder: Path

    @property
    def processes(self) -> Path:
        """The file that a pid is written to."""
        return self.folder / "cgroup.procs"


@contextlib.contextmanager
def memory_cgroup(*, limit_bytes: int) -> Iterator[MemoryCgroup]:
    """A new memory cgroup with a limit, removed afterwards; the test is skipped where it cannot be made."""
    is_second = (VERSION_2 / "cgroup.controllers").exists()
    folder = (VERSION_2 if is_second else VERSION_1) / f"gcsim-test-{os.getpid()}-{time.monotonic_ns()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no memory cgroup can be made here: {error}")
    try:
        limit = folder / ("memory.max" if is_second else "memory.limit_in_bytes")
        if not limit.exists():
            pytest.skip("the memory controller is not enabled for cgroups below the root")
        limit.write_text(str(limit_bytes))
        yield MemoryCgroup(folder)
    finally:
        for _ in range(100):  # the kernel removes a cgroup once its last process is gone
            with contextlib.suppress(OSError):
                folder.rmdir()
            if not folder.exists():
                break
            time.sleep(0.05)
