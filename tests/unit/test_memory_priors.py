"""The shipped priors of process memory are text that their experiment writes."""

import inspect

from experiments import memory_priors
from gcsim.priors import process_memory


def test_the_experiment_writes_the_text_that_ships() -> None:
    """What stands around the table is the same, so that a new measurement changes numbers only."""
    source = inspect.getsource(process_memory)
    assert source.startswith(memory_priors.HEADER + "MEMORY_PRIORS: tuple[MemoryPrior, ...] = (\n")
    assert source.endswith(")\n" + memory_priors.FOOTER)
