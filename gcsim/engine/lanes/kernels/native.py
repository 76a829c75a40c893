"""Compiles LLVM text for this processor, and calls the machine code."""

import ctypes
import platform
import sys
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from gcsim.engine.lanes.kernels import kept_code
from gcsim.engine.lanes.kernels.entry import KINDS, Layout, entry_text

Kernel = Callable[[tuple[Any, ...], tuple[Any, ...], int], int]

TYPES_OF_ARRAYS = tuple(np.dtype({"f": "f8", "i": "i8", "u": "u8", "b": "?"}[kind]) for kind in KINDS)


_OLDEST_LLVM = (20, 0, 0)  # that was tested


@cache
def is_available() -> bool:
    """Whether kernels can be compiled and called here: llvmlite on Linux with an x86-64 processor."""
    if sys.platform != "linux" or platform.machine() != "x86_64" or find_spec("llvmlite") is None:
        return False
    array = np.arange(3.0)
    items = (array,)
    fields = id(array) + _layout().array
    data, descr, item = (
        ctypes.c_void_p.from_address(at).value for at in (fields, fields + 40, id(items) + _layout().items)
    )
    return (data, descr, item) == (array.ctypes.data, id(array.dtype), id(array))


def _layout() -> Layout:
    """The offsets in this Python's objects."""
    return Layout(array=object.__basicsize__, items=tuple.__basicsize__)


@lru_cache(maxsize=256)
def compiled(text: str) -> Kernel:
    """The kernel of an LLVM module."""
    _open()
    [address] = _loaded(text, ["kernel"])
    prototype = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.py_object, ctypes.py_object, ctypes.c_int64)
    return prototype(address)


@cache
def _open() -> None:
    """Makes the functions of ``entry`` known to kernels."""
    import llvmlite.binding as llvm

    if llvm.llvm_version_info < _OLDEST_LLVM:
        raise RuntimeError("this version of llvmlite is too old")
    names = ["gcsim_open", "gcsim_close"]
    for name, address in zip(names, _loaded(entry_text(_layout()), names), strict=True):
        llvm.add_symbol(name, address)


_engines: list[Any] = []  # which own the machine code


def forget() -> None:
    """Loads or compiles each kernel again at its next use."""
    compiled.cache_clear()


def _loaded(text: str, functions: Sequence[str]) -> list[int]:
    """The addresses of functions of an LLVM module."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(_machine_code(text)))
    engine.finalize_object()
    _engines.append(engine)
    return [int(engine.get_function_address(one)) for one in functions]


def _machine_code(text: str) -> bytes:
    """The object file of a module, from the folder of kept ones or compiled."""
    import llvmlite.binding as llvm

    code = kept_code.read(text + _target())
    if code is None:
        code = bytes(_machine().emit_object(llvm.parse_assembly(text)))
        kept_code.write(text + _target(), code)
    return code


@cache
def _target() -> str:
    """The processor and the version of LLVM, as a comment."""
    import llvmlite.binding as llvm

    return f"; {llvm.llvm_version_info} {llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"


def _machine() -> Any:
    import llvmlite.binding as llvm

    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=1, jit=True
    )
