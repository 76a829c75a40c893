"""A memory cgroup for a test, where the machine lets the test make one."""

import contextlib
from collections.abc import Iterator

import pytest

from experiments import cgroup
from experiments.cgroup import MemoryCgroup
from gcsim.errors import InputError


@contextlib.contextmanager
def memory_cgroup(*, limit_bytes: int) -> Iterator[MemoryCgroup]:
    """A new memory cgroup with a limit, removed afterwards; the test is skipped where it cannot be made."""
    with contextlib.ExitStack() as stack:
        try:
            own = stack.enter_context(cgroup.memory_cgroup(limit_bytes))
        except InputError as error:
            pytest.skip(str(error))
        yield own
