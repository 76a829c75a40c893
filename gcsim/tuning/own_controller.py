"""A controller that a user wrote: a function in a Python file or module, called at each GC commit.

The function gets the commit and the memory of the container, and returns GOGC in percent (-1: off) and the memory limit
in bytes::

    def tuner(commit, memory_bytes):
        return commit.percent_for(0.6 * memory_bytes), commit.setting.memory_limit_bytes

All sizes are arrays with one element per lane: a lane is one simulated run. The file is the user's own code and runs
with the rights of the user. A fault in it becomes one sentence that names file and line.
"""

import contextlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gcsim.engine.controllers import MOST_PERCENT, Commit, GcSetting
from gcsim.errors import InputError
from gcsim.printable import quoted
from gcsim.units import MAX_INT64

if TYPE_CHECKING:
    from gcsim.arrays import Int64Array

USUAL_NAME = "tuner"
_OPTION = "--controller"
_EXAMPLE = "mytuner.py:tuner"
_BOUNDS = {"GOGC": (-1, MOST_PERCENT, "percent"), "the memory limit": (0, MAX_INT64, "bytes")}
_NO_LIMIT = 1 << 62  # bytes: a limit from here on is none; a float cannot hold MAX_INT64
# Faults of the user's code; KeyboardInterrupt and MemoryError are none
_FAULTS = (Exception, SystemExit)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnController:
    """A controller that calls the function of ``source``; another process loads it again by this name."""

    source: str  # FILE.py:FUNCTION or MODULE:FUNCTION
    memory_bytes: int

    @classmethod
    def load(cls, source: str, memory_bytes: int) -> "OwnController":
        """The controller of ``--controller``. Raises InputError if the code cannot be loaded."""
        _function(source)
        return cls(source=source, memory_bytes=memory_bytes)

    def at_commit(self, commit: Commit) -> GcSetting:
        """The function's setting. Raises InputError for a fault in the function or in its answer."""
        function, where = _function(self.source)
        with _faults_named(self.source, where.file, line=where.line):
            answer = function(_read_only(commit), self.memory_bytes)
        return _checked(answer, commit.setting, where)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Where:
    """The place of a function in the user's code."""

    file: str
    line: int
    name: str

    def fault(self, what: str) -> InputError:
        return InputError(f"{self.file}:{self.line}: {self.name} {what}")


@cache
def _function(source: str) -> tuple[Callable[..., Any], _Where]:
    """The function of a source, and its place. Raises InputError."""
    module_name, colon, name = source.rpartition(":")
    if not colon or (len(module_name) == 1 and sys.platform == "win32"):
        module_name, name = source, USUAL_NAME
    if not module_name or not name.isidentifier():
        raise InputError(
            f"{_OPTION}: {quoted(source)} names no function; write FILE:NAME, such as {_EXAMPLE}"
        )
    is_file = module_name.endswith(".py")
    module = _from_file(source, Path(module_name)) if is_file else _from_module(source, module_name)
    file = module_name if is_file else (getattr(module, "__file__", None) or module_name)
    function = getattr(module, name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        others = f"; it has {', '.join(known[:5])}" if known else ""
        raise InputError(
            f"{_OPTION}: {file} has no function {name}{others}; write FILE:NAME, such as {_EXAMPLE}"
        )
    line = getattr(getattr(function, "__code__", None), "co_firstlineno", 1)
    return function, _Where(file=file, line=line, name=name)


def _from_file(source: str, path: Path) -> ModuleType:
    """The module of a file, run as it stands; files next to it can be imported, and no byte code is written."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise InputError(
            f"{_OPTION}: {path} cannot be read ({reason}); name a Python file, such as {_EXAMPLE}"
        ) from error
    module = ModuleType(f"gcsim_controller_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    with _faults_named(source, str(path)):
        exec(compile(text, str(path), "exec"), vars(module))
    return module


def _from_module(source: str, name: str) -> ModuleType:
    """An importable module; the working folder counts, as with ``python -m``."""
    if str(Path.cwd()) not in sys.path and "" not in sys.path:
        sys.path.append(str(Path.cwd()))
    if not _is_importable(name):
        raise InputError(
            f"{_OPTION}: Python finds no module {quoted(name)}; write a file, such as {_EXAMPLE}, or a module that can"
            " be imported here"
        )
    with _faults_named(source, name):
        return importlib.import_module(name)


def _is_importable(name: str) -> bool:
    """Whether Python finds a module; a fault in a parent package shows when the module is imported."""
    if not all(part.isidentifier() for part in name.split(".")):
        return False
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError as error:
        return error.name is not None and not name.startswith(error.name)
    except _FAULTS:
        return True


@contextlib.contextmanager
def _faults_named(source: str, file: str, *, line: int | None = None) -> Iterator[None]:
    """Turns every fault of the user's code into an InputError with file and line; sends its prints to stderr."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (InputError, MemoryError):
        raise
    except _FAULTS as error:
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        what = " ".join(f"{type(error).__name__}: {text}".split())[:300]
        raise InputError(
            f"{_place(error, file, line)}: {what}; correct the code of {_OPTION} {source}"
        ) from error


def _place(error: BaseException, file: str, line: int | None) -> str:
    """``FILE:LINE`` of the innermost line of the user's file in a traceback; without one, ``line`` or the innermost."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{error.filename}:{error.lineno or 1}"
    frames = [one for one in traceback.extract_tb(error.__traceback__) if one.filename != __file__]
    own = [one for one in frames if one.filename == file]
    if not own and line is not None:
        return f"{file}:{line}"
    found = (own or frames)[-1:]
    return f"{found[0].filename}:{found[0].lineno}" if found else file


def _read_only(commit: Commit) -> Commit:
    """The commit with arrays that cannot be written: they belong to the engine."""
    setting = GcSetting(*(_locked(values) for values in commit.setting))
    sizes = ("now_seconds", "heap_marked_bytes", "heap_end_bytes", "live_bytes", "root_bytes")
    return replace(commit, setting=setting, **{name: _locked(getattr(commit, name)) for name in sizes})


def _locked(values: Any) -> Any:
    view = values.view()
    view.flags.writeable = False
    return view


def _checked(answer: object, before: GcSetting, where: _Where) -> GcSetting:
    """The answer as int64 arrays, one element per lane; single numbers count for all lanes. Raises InputError."""
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise where.fault(
            f"must return two values, GOGC in percent and the memory limit in bytes; it returned {_kind(answer)}"
        )
    percent, limit = (
        _array(value, name, len(before.gc_percent), where)
        for name, value in zip(_BOUNDS, answer, strict=True)
    )
    return GcSetting(percent, limit)


def _array(value: object, name: str, lanes: int, where: _Where) -> "Int64Array":
    import numpy as np

    least, most, unit = _BOUNDS[name]
    try:
        values = np.asarray(value)
    except (ValueError, TypeError):
        values = np.asarray(None)
    if values.dtype.kind not in "iuf":
        raise where.fault(f"returned {_kind(value)} for {name}; return numbers ({unit})")
    if values.shape not in ((), (lanes,)):
        raise where.fault(
            f"returned {name} of shape {values.shape}; return one number, or one for each lane, shape ({lanes},)"
        )
    if not np.isfinite(values).all() or (values < least).any() or (values > most).any():
        raise where.fault(f"returned {name} outside {least} to {most} {unit}")
    whole = np.where(values >= _NO_LIMIT, MAX_INT64, np.minimum(values, _NO_LIMIT).astype(np.int64))
    return np.broadcast_to(whole, (lanes,)).astype(np.int64)


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a value of type {type(value).__name__}"
