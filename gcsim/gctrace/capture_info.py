"""What a gctrace log cannot tell about the run that wrote it: the side file ``LOG.meta.json``."""

import json
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from gcsim.atomic import write_text_atomically
from gcsim.errors import InputError
from gcsim.settings import Settings

SUFFIX = ".meta.json"


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

    @property
    def settings(self) -> Settings:
        """The knobs of the run."""
        return Settings(
            gogc=self.gogc, gomemlimit_bytes=self.gomemlimit_bytes, gomaxprocs=self.gomaxprocs, go=self.go
        )

    def save(self, path: Path) -> None:
        """Write the side file, whole or not at all. Raises InputError."""
        write_text_atomically(path, json.dumps(asdict(self), indent=2) + "\n")

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
    return {field.name: record.get(field.name) for field in fields(CaptureInfo)}
