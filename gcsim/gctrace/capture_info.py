"""What a gctrace log cannot tell about the run that wrote it: the side file ``LOG.meta.json``."""

import json
import re
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from gcsim.atomic import write_text_atomically
from gcsim.errors import InputError
from gcsim.gctrace.heap_accounts import HeapAccounts
from gcsim.settings import Settings

SUFFIX = ".meta.json"
_NUMBERS = re.compile(r"\[[\d\s.,]+\]")  # a list of them, which goes on one line


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureInfo:
    """One captured run: the settings as the process saw them, and what it used."""

    gogc: int | None  # percent; None is off
    gomemlimit_bytes: int | None  # None is off
    gomaxprocs: int
    go_version: str  # "go1.27.3", from the binary's build information
    go: str  # "1.27"
    rss_peak_bytes: int  # the process's own, not its children's
    start_time: str  # ISO 8601, UTC
    wall_seconds: float
    cpu_seconds: float  # user and system
    exit_status: int  # as a shell reports it: 128 + n when killed by signal n
    command: list[str]
    foreign_cpu_fraction: float | None  # of all cores, used by other processes meanwhile; None is not known
    # both seen twice a second or less often; None is not known, as in files of before there were these two
    heap_mapped_bytes: int | None = None  # by the heap: objects, stacks, free pages and those given back
    rss_outside_heap_bytes: int | None = None  # resident beside it: metadata, binary, C memory
    heap_accounts: HeapAccounts | None = None  # the runtime's own counts; None is not read

    @property
    def settings(self) -> Settings:
        """The knobs of the run."""
        return Settings(
            gogc=self.gogc, gomemlimit_bytes=self.gomemlimit_bytes, gomaxprocs=self.gomaxprocs, go=self.go
        )

    def save(self, path: Path) -> None:
        """Write the side file, whole or not at all. Raises InputError."""
        text = json.dumps(asdict(self), indent=2)
        write_text_atomically(path, _NUMBERS.sub(lambda found: re.sub(r"\s+", " ", found[0]), text) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a side file. Raises InputError, naming it, where it is not one."""
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise InputError(f"{path}: is not JSON ({error}); capture again or remove it") from error
        return cls(**_checked(path, record))


def side_file(log: Path) -> Path:
    """Where the capture of a log keeps its CaptureInfo: beside it, its name plus ``.meta.json``."""
    return log.with_name(log.name + SUFFIX)


_TYPES: dict[str, tuple[type, ...]] = {
    "gogc": (int, type(None)), "gomemlimit_bytes": (int, type(None)), "gomaxprocs": (int,),
    "go_version": (str,), "go": (str,), "rss_peak_bytes": (int,), "start_time": (str,),
    "wall_seconds": (float, int), "cpu_seconds": (float, int), "exit_status": (int,), "command": (list,),
    "foreign_cpu_fraction": (float, int, type(None)),
    "heap_mapped_bytes": (int, type(None)), "rss_outside_heap_bytes": (int, type(None)),
    "heap_accounts": (dict, type(None)),
}  # fmt: skip


def _checked(path: Path, record: object) -> dict[str, Any]:
    """The fields of a side file; those that a later version may add are passed over."""
    if not isinstance(record, dict):
        raise InputError(f"{path}: is not a capture's side file; capture again or remove it")
    for field in fields(CaptureInfo):
        value = record.get(field.name)
        missing = field.name not in record and field.default is MISSING
        if missing or not isinstance(value, _TYPES[field.name]) or isinstance(value, bool):
            raise InputError(
                f"{path}: {field.name} is missing or malformed; capture again or remove the file"
            )
    known = {field.name: record.get(field.name) for field in fields(CaptureInfo)}
    if known["heap_accounts"] is not None:
        try:
            known["heap_accounts"] = HeapAccounts.from_json(known["heap_accounts"])
        except InputError as error:
            raise InputError(f"{path}: {error}; capture again or remove the file") from error
    return known
