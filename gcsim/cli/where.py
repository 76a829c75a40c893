"""The executor of a command: processes of this machine, or a Dask cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gcsim.cli.console import note
from gcsim.cli.options import Simulation
from gcsim.engine.executors import OtherProcesses, workers

if TYPE_CHECKING:
    from gcsim.engine.executors import Executor


@contextmanager
def executor_of(how: Simulation) -> "Iterator[Executor]":
    """A context with the executor that the options ask for; notes peculiarities of a cluster on standard error."""
    if how.scheduler is not None:
        from gcsim.engine.cluster import be_silent

        be_silent()
    with workers(how.jobs, how.scheduler) as executor:
        if isinstance(executor, OtherProcesses):
            for line in executor.notes:
                note(f"gcsim: {line}")
        yield executor
