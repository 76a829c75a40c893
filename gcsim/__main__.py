"""The ``gcsim`` script and ``python -m gcsim``.

This module imports little, so that its signal handlers are installed before the libraries load.
"""

import gc
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import NoReturn

from gcsim import interrupts

# Allocations between two runs of Python's own cycle collector. The default, 700, makes it a tenth of an import.
_ALLOCATIONS_PER_COLLECTION = 50_000


def main() -> NoReturn:
    """Runs the command line of this process and exits with its status."""
    try:
        interrupts.install()
        gc.set_threshold(_ALLOCATIONS_PER_COLLECTION)
        sys.meta_path.insert(0, _PlainArtists())
        if sys.argv[1:2] != ["capture"]:  # which passes its environment on, and uses no arrays
            os.environ.setdefault(
                "OPENBLAS_NUM_THREADS", "1"
            )  # matrices are small: more threads would only wait
        _prepare_streams()
        from gcsim.cli.main import run

        status = run(sys.argv[1:])
        interrupts.ignore()  # the work is done: do not report an interrupt
    except KeyboardInterrupt:
        interrupts.stop(interrupts.INTERRUPTED)
    except interrupts.Terminated:
        interrupts.stop(interrupts.TERMINATED)
    sys.exit(status)


class _PlainArtists:
    """Lets matplotlib load without the docstrings that it writes for each of its classes: 0.1 s of CPU.

    It finds one module, and leaves all others to Python. A matplotlib that writes its docstrings elsewhere is loaded
    as it is. Only the process of a command is changed: it shows no docstrings.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module with the classes' base, whose loader leaves the docstrings out."""
        if name != "matplotlib.artist":
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_plain(module: ModuleType) -> None:
                load(module)
                if hasattr(module, "kwdoc") and hasattr(module.Artist, "_update_set_signature_and_docstring"):
                    module.Artist._update_set_signature_and_docstring = classmethod(lambda _: None)
                    vars(module)["kwdoc"] = lambda _: ""

            spec.loader.exec_module = load_plain  # type: ignore[method-assign]  # of this loader alone
        return spec


def _prepare_streams() -> None:
    """Opens closed standard streams, and makes output streams accept every character.

    A closed stream becomes /dev/null, so that a file opened later does not get its descriptor. Standard input and
    output are opened in the wrong mode, so that their use fails like that of a closed stream. Standard error is
    discarded.
    """
    for number, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, flags)
            if null != number:
                os.dup2(null, number)
                os.close(null)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # open as long as the process
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # open as long as the process
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # open as long as the process
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
