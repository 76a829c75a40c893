"""The options for readings of memory, which several commands share."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gcsim.cli.console import note
from gcsim.cli.options import Command, with_options
from gcsim.errors import InputError
from gcsim.units import parse_memory_size

if TYPE_CHECKING:
    from gcsim.calibration.memory.readings.source import MemoryReadings
    from gcsim.calibration.settings.log_settings import Overrides
    from gcsim.capture.elf import BinarySizes
    from gcsim.gctrace.trace import Trace
    from gcsim.service.model import Model

RssOption = Annotated[
    str | None,
    typer.Option(
        "--rss", metavar="SIZE", help="Resident memory of the process under its load, such as 58MiB."
    ),
]
WorkingSetOption = Annotated[
    str | None,
    typer.Option(
        "--working-set",
        metavar="SIZE",
        help="Working set of its container, such as 61Mi, as kubectl top prints it.",
    ),
]
MemoryFileOption = Annotated[
    list[str] | None,
    typer.Option(
        "--memory-file",
        metavar="FILE",
        help="A saved reading: /proc/PID/status, smaps or smaps_rollup, memory.current or memory.stat of its cgroup,"
        " a runtime.MemStats, /debug/vars or a page of Prometheus metrics. May be repeated.",
    ),
]
BinaryOption = Annotated[
    str | None,
    typer.Option(
        "--binary", metavar="APP", help="The program's binary; its sizes narrow the memory's interval."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenMemory:
    """The values of the options, as the user wrote them."""

    rss: str | None
    working_set: str | None
    memory_file: list[str] | None
    binary: str | None

    def readings(self) -> "MemoryReadings | None":
        """The readings that the options give; None without one. Raises InputError that names the option or file."""
        if self.rss is None and self.working_set is None and not self.memory_file and self.binary is None:
            return None
        from gcsim.calibration.memory.readings.source import MemoryReadings

        sizes = None if self.binary is None else _sizes_of(self.binary)
        return MemoryReadings.of(
            rss_bytes=None if self.rss is None else parse_memory_size(self.rss, what="--rss"),
            working_set_bytes=None
            if self.working_set is None
            else parse_memory_size(self.working_set, what="--working-set"),
            files=[Path(file) for file in dict.fromkeys(self.memory_file or [])],
            binary=sizes,
        )

    def split_limits(self) -> "tuple[GivenMemory, dict[str, int]]":
        """The options without files that hold a container's limit only, and the limits in all files by file."""
        if not self.memory_file:
            return self, {}
        from gcsim.calibration.memory.readings.files import is_limit_file, read_limit

        found = {file: read_limit(Path(file)) for file in self.memory_file}
        kept = [file for file in self.memory_file if not is_limit_file(Path(file))]
        limits = {file: limit for file, limit in found.items() if limit is not None}
        return replace(self, memory_file=kept or None), limits


_OPTIONS: dict[str, tuple[Any, Any]] = {
    "rss": (RssOption, None),
    "working_set": (WorkingSetOption, None),
    "memory_file": (MemoryFileOption, None),
    "binary": (BinaryOption, None),
}


def reads_memory() -> Command:
    """Gives a command the options for readings in place of its parameter ``given``, a ``GivenMemory``."""
    return with_options("given", _OPTIONS, lambda chosen: GivenMemory(**chosen))


def _sizes_of(binary: str) -> "BinarySizes":
    from gcsim.capture.elf import binary_sizes

    go_version_of_binary(binary)
    sizes = binary_sizes(Path(binary))
    if sizes is None:
        raise InputError(
            f"--binary: {binary} is not an ELF executable; give the program as it runs on Linux, or leave it out"
        )
    return sizes


def go_version_of_binary(binary: str) -> str:
    """The Go version of ``--binary``, such as ``go1.27.3``. Raises InputError for another file."""
    from gcsim.capture.buildinfo import go_version_of

    try:
        return go_version_of(Path(binary))
    except InputError as error:
        raise InputError(f"--binary: {error}") from error


def with_go_of_binary(stated: "Overrides", binary: str, traces: "Mapping[str, Trace]") -> "Overrides":
    """The stated settings, with the binary's Go version if neither an option nor a side file states one.

    Raises InputError if the binary was built with another Go version than the logged program.
    """
    version = go_version_of_binary(binary)
    found = re.search(r"go(1\.\d+)", version)
    if found is None:  # a development version without a number
        return stated
    known = {"--go": stated.go} | {
        log: trace.info.go for log, trace in traces.items() if trace.info is not None
    }
    for where, go in known.items():
        if go is not None and go != found[1]:
            raise InputError(
                f"--binary: {binary} was built with {version}, but {where} states Go {go}; give the binary that wrote"
                " the log"
            )
    return replace(stated, go=found[1]) if all(go is None for go in known.values()) else stated


def with_readings(model: "Model", readings: "MemoryReadings | None") -> "Model":
    """The model updated by readings; a note says that they are not used if the model has measured memory."""
    if readings is None:
        return model
    from gcsim.calibration.memory.update import has_measured_memory, with_memory_readings

    if has_measured_memory(model):
        note(f"{model.name}: the model has measured memory, so the readings are not used")
        return model
    return with_memory_readings(model, readings)


def note_measured(traces: "Mapping[str, Trace]") -> None:
    """Notes that a reading does not replace a capture's measurements."""
    for log, trace in traces.items():
        if trace.info is not None and trace.info.rss_peak_bytes:
            note(f"{log}: its side file has the measured peak, so readings of resident memory are not used")
