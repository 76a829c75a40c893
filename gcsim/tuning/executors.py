"""Where independent simulations run. A sweep hands over its tasks and does not know where they are done."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


class Executor(Protocol):
    """Maps a function over independent tasks.

    ``map`` yields the results in the order of the tasks. It is lazy: a caller that stops asking stops the work that has
    not begun. The function and its tasks must be picklable, so that another process can run them. A result must not
    depend on where or when its task runs.
    """

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """The results, one for each task, in order."""
        ...


class InProcess:
    """Runs the tasks one after another in this process."""

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """The results, one for each task, in order."""
        return map(function, tasks)


IN_PROCESS = InProcess()
