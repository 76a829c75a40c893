"""A high priority of measured programs, so that other processes of the machine do not delay them (Linux, as root)."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

NICE = -15
_GROUP = Path("/proc/self/autogroup")  # the scheduler's group of a session, with a priority of its own


@contextlib.contextmanager
def high_priority() -> Iterator[None]:
    """Programs that are started inside have the priority; without the right to set it, nothing changes."""
    before, group = os.getpriority(os.PRIO_PROCESS, 0), _group_nice()
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
        if group is not None:
            _GROUP.write_text(str(NICE))
    except OSError:
        yield
        return
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)
        if group is not None:
            _GROUP.write_text(str(group))


def _group_nice() -> int | None:
    """The priority of the session's group; None where the kernel has no such groups."""
    try:
        return int(_GROUP.read_text().split()[-1])
    except (OSError, ValueError, IndexError):
        return None
