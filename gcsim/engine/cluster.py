"""Tasks on a Dask cluster, behind the interface of every executor.

The scheduler, its queue, retries and connections are those of ``distributed``. This module hands tasks over, a limited
number ahead, and yields the results in order. A lost worker costs only its tasks: Dask runs them again.
"""

import logging
import pickle
import re
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from gcsim.engine.environment import Versions, versions_here
from gcsim.engine.executors import OtherProcesses, Result, Task
from gcsim.errors import InputError
from gcsim.printable import quoted

if TYPE_CHECKING:
    from distributed import Client, Future

_CONNECT_SECONDS, _CLOSE_SECONDS = 3, 10
_TASKS_AHEAD = 4  # of each thread of the workers: handed over before their results are asked for
_LEAST_AHEAD = 16
_ADDRESS = re.compile(
    r"(?:(?:tcp|tls|ws|wss)://)?[^\s/:]+:[0-9]{1,5}|(?:tcp|tls)://\[[0-9A-Fa-f:.]+\]:[0-9]{1,5}"
)
_SECONDS_BETWEEN_COUNTS = 5.0  # of the workers' threads, which may change during a sweep


class Cluster(OtherProcesses):
    """Runs tasks on the workers of a Dask scheduler; the ``with`` block connects to it.

    The function of ``map`` and the model in it go to the scheduler once. Workers receive them from the scheduler or
    from each other, also those that join later. Raises InputError if the scheduler cannot be reached, if it is lost, or
    if versions differ.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._threads, self._counted_seconds = 0, float("-inf")
        self.notes: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        self._client = _connected(self._address)
        try:
            with self._faults():
                self._check()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """The results, one for each task, in order; a few tasks of each worker's thread are handed over ahead."""
        import cloudpickle  # of Dask; also pickles functions of a script

        held = _Held(pickled=cloudpickle.dumps(function), versions=versions_here())
        left, waiting = iter(tasks), deque["Future"]()
        with self._faults():
            # a task, not scattered data: Dask makes it again if all workers that hold it are lost
            loaded = self._client.submit(_Loaded, held, pure=False)
        try:
            while True:
                self._top_up(waiting, left, loaded)
                if not waiting:
                    return
                with self._faults():
                    results = self._client.gather(self._ready(waiting))
                for one in results:
                    if isinstance(one, _Failed):
                        raise one.error
                    yield one
        finally:
            with suppress(Exception):
                self._client.cancel([loaded, *waiting], force=True)

    def _top_up(self, waiting: "deque[Future]", left: Iterator[Any], loaded: "Future") -> None:
        """Hands tasks over, several in one message."""
        with self._faults():
            ahead = max(_TASKS_AHEAD * self._thread_count(), _LEAST_AHEAD)
        if len(waiting) > ahead // 2:
            return
        for _ in range(2):  # in halves, so that the first results come early
            some = list(islice(left, (ahead - len(waiting) + 1) // 2 or 1))
            if some:
                with self._faults():
                    waiting.extend(self._client.map(_call, some, loaded=loaded, pure=False))

    def _ready(self, waiting: "deque[Future]") -> "list[Future]":
        """Waits for the first future; removes and returns it and the finished ones that follow it."""
        from distributed import wait

        with self._client.as_current():
            wait(waiting[0])
        ready = [waiting.popleft()]
        while waiting and waiting[0].done():
            ready.append(waiting.popleft())
        return ready

    def _thread_count(self) -> int:
        if time.monotonic() - self._counted_seconds > _SECONDS_BETWEEN_COUNTS:
            self._threads = sum(self._client.nthreads().values())
            self._counted_seconds = time.monotonic()
        return self._threads

    def _check(self) -> None:
        """Raises InputError if a version differs from this process's; notes what else may matter."""
        own, processor = versions_here(), _processor_here()
        here: Mapping[str, object] = self._client.run(_found_here, on_error="return")
        scheduler: object = self._client.run_on_scheduler(_found_here)
        for who, found in {
            "the scheduler": scheduler,
            **{f"worker {one}": here[one] for one in here},
        }.items():
            if isinstance(found, Exception):
                raise InputError(f"--scheduler {self._address}: {who} cannot load gcsim ({found}); {_REMEDY}")
            assert isinstance(found, tuple)
            if difference := _difference(found[0], own):
                raise InputError(f"--scheduler {self._address}: {who} has {difference}; {_REMEDY}")
        if not here:
            self.notes += (f"{self._address}: the scheduler has no workers yet; gcsim waits for them",)
        if any(found[1] != processor for found in here.values() if isinstance(found, tuple)):
            self.notes += (
                f"{self._address}: the processors of the cluster differ, so NumPy computes exp and log in other ways; "
                "the last digits of results may depend on the worker",
            )

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Turns errors of the cluster into InputError."""
        from distributed import CancelledError, KilledWorker

        try:
            yield
        except KilledWorker as error:
            raise InputError(
                f"--scheduler {self._address}: a task ended several workers, perhaps because their memory was full; "
                "give the workers more memory or fewer threads"
            ) from error
        except (CancelledError, OSError, EOFError) as error:
            raise InputError(
                f"--scheduler {self._address}: the connection to the scheduler is lost; start it again"
            ) from error
        except (ImportError, AttributeError) as error:  # of a worker that joined without this gcsim
            raise InputError(
                f"--scheduler {self._address}: the scheduler or a worker cannot load gcsim ({error}); {_REMEDY}"
            ) from error

    def _close(self) -> None:
        with suppress(Exception):
            self._client.close(timeout=_CLOSE_SECONDS)


_REMEDY = "install the same versions of gcsim, Python, NumPy and SciPy on the scheduler and all workers"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """The function of one ``map``, and the versions of the process that asks."""

    pickled: bytes
    versions: Versions


class _Loaded:
    """The function of one ``map`` on a worker, which refuses to call it with other versions."""

    def __init__(self, held: _Held) -> None:
        self._held = held
        self._function: Callable[[Any], Any] = pickle.loads(held.pickled)

    def __reduce__(self) -> tuple[type["_Loaded"], tuple[_Held]]:
        return _Loaded, (self._held,)

    def __call__(self, task: object) -> object:
        own = versions_here()
        if own != self._held.versions:
            raise InputError(
                f"--scheduler: a worker has {own}, but {self._held.versions} is needed; {_REMEDY}"
            )
        return self._function(task)


@dataclass(frozen=True, slots=True)
class _Failed:
    """The error of a task, as a value: what Dask itself raises is an error of the cluster."""

    error: Exception


def _call(task: object, *, loaded: _Loaded) -> object:
    try:
        return loaded(task)
    except Exception as error:
        return _Failed(error)


def _difference(theirs: Versions, own: Versions) -> str:
    """The first version that differs, for a sentence; empty if none does."""
    differing = (name for name, version in own.items() if theirs.get(name) != version)
    name = next(differing, None)
    return "" if name is None else f"{name} {theirs.get(name)}, but the command has {own[name]}"


def _processor_here() -> object:
    """The instructions with which NumPy computes exp and log here: their last bit depends on them."""
    from numpy.lib.introspect import opt_func_info

    return opt_func_info(func_name="^(exp|log)$", signature="float64")


def _found_here() -> tuple[Versions, object]:
    return versions_here(), _processor_here()


def be_silent() -> None:
    """Hides Dask's own messages in this process: a command reports the errors of a cluster in one sentence."""
    with suppress(ImportError):
        import distributed  # noqa: F401  # it sets the levels of its loggers
    for name in [*logging.root.manager.loggerDict]:
        if name.split(".")[0] in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module="distributed")


def _connected(address: str) -> "Client":
    """A client of the scheduler. Raises InputError if the extra is missing or the scheduler cannot be reached."""
    if not _ADDRESS.fullmatch(address):
        raise InputError(
            f"--scheduler {quoted(address)}: not an address; write tcp://HOST:PORT of a Dask scheduler"
        )
    try:
        import distributed
    except ImportError as error:
        raise InputError(
            f"--scheduler {address}: Dask is not installed; install it with pip install 'gcsim[dask]'"
        ) from error
    security = distributed.Security().get_connection_args("client")
    if address.startswith(("tls:", "wss:")) and security.get("ssl_context") is None:
        raise InputError(
            f"--scheduler {address}: Dask's configuration names no certificates; set distributed.comm.tls.ca-file "
            "and distributed.comm.tls.client there"
        )
    try:
        return distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False, name="gcsim")
    except (OSError, ValueError) as error:
        raise InputError(
            f"--scheduler {quoted(address)}: no Dask scheduler answers there; write tcp://HOST:PORT of a running one"
        ) from error
