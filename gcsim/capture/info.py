"""The side file ``LOG.meta.json``: facts about a run that its gctrace log does not contain."""

import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from gcsim.atomic import write_text_atomically
from gcsim.capture.cgroup import CgroupMemory
from gcsim.capture.cpu_quota import CpuQuota
from gcsim.capture.elf import BinarySizes
from gcsim.capture.log_mark import LogMark
from gcsim.capture.runtime_counters import HeapAccounts
from gcsim.capture.side_values import KNOBS, side_values
from gcsim.documents import read_document
from gcsim.errors import InputError
from gcsim.settings import Settings

SUFFIX = ".meta.json"
_NUMBERS = re.compile(r"\[[\d\s.,]+\]")  # a list of numbers, which is written on one line


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureInfo:
    """One run: the settings that the process read and its resource usage. None means unknown.

    For ``gogc`` and ``gomemlimit_bytes`` None means off. If a side file does not state one of them, it has Go's default
    here, and ``assumed`` names it.
    """

    gogc: int | None = 100  # percent
    gomemlimit_bytes: int | None = None
    gomaxprocs: int | None = None
    go_version: str | None = None  # "go1.27.3", from the binary's build information
    go: str | None = None  # "1.27"
    rss_peak_bytes: int | None = None  # the process's own, not its children's
    start_time: str | None = None  # ISO 8601, UTC
    wall_seconds: float | None = None
    cpu_seconds: float | None = None  # user and system
    exit_status: int | None = None  # as a shell reports it: 128 + n when killed by signal n
    was_stopped: bool | None = None  # by --duration or by a signal; else the program ended by itself
    command: list[str] | None = None
    foreign_cpu_fraction: float | None = None  # of all cores, used by other processes during the run
    heap_mapped_bytes: int | None = None  # by the heap: objects, stacks, free pages and released pages
    rss_outside_heap_bytes: int | None = None  # resident outside it: metadata, binary, C memory
    anonymous_peak_bytes: int | None = None  # resident, as polled; the next two also
    file_peak_bytes: int | None = None  # file-mapped: text, read-only data, mapped data files
    shared_peak_bytes: int | None = None  # tmpfs and shared anonymous memory
    cgroup: CgroupMemory | None = None  # None outside a memory cgroup, and in the root cgroup
    cpu_quota: CpuQuota | None = None  # None without a quota
    binary: BinarySizes | None = None
    read_ahead_kib: int | None = None  # of the binary's disk, per page fault
    heap_accounts: HeapAccounts | None = None  # samples of the runtime's own counts
    log: LogMark | None = None  # the log that the side file belongs to
    assumed: tuple[str, ...] = ()  # the unknown ones of "gogc" and "gomemlimit_bytes"

    @property
    def settings(self) -> Settings:
        """The settings of the run. Raises InputError if GOMAXPROCS or the Go version is unknown."""
        if self.gomaxprocs is None or self.go is None:
            raise InputError("the side file states no gomaxprocs or no go; add them or capture again")
        return self.settings_over(Settings())

    def settings_over(self, assumed: Settings) -> Settings:
        """The settings of the run; unknown ones come from ``assumed``."""
        return Settings(
            gogc=assumed.gogc if "gogc" in self.assumed else self.gogc,
            gomemlimit_bytes=(
                assumed.gomemlimit_bytes if "gomemlimit_bytes" in self.assumed else self.gomemlimit_bytes
            ),
            gomaxprocs=assumed.gomaxprocs if self.gomaxprocs is None else self.gomaxprocs,
            go=assumed.go if self.go is None else self.go,
        )

    def save(self, path: Path) -> None:
        """Writes the side file whole or not at all. Raises InputError if it cannot be written."""
        record = {name: value for name, value in asdict(self).items() if name not in self.assumed}
        del record["assumed"]
        text = json.dumps(record, indent=2)
        write_text_atomically(path, _NUMBERS.sub(lambda found: re.sub(r"\s+", " ", found[0]), text) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a side file. Raises InputError that names the file if it is not a side file."""
        return cls.load_with_note(path)[0]

    @classmethod
    def load_with_note(cls, path: Path) -> tuple[Self, str]:
        """(side file, a sentence about missing or malformed keys, empty if there are none)."""
        keys = tuple(field.name for field in fields(cls) if field.name != "assumed")
        values, note = side_values(_object(path), keys)
        unknown = tuple(name for name in KNOBS if name not in values)
        return cls(**values, assumed=unknown), f"{path.name} {note}" if note else ""


def side_file(log: Path) -> Path:
    """The path of a log's side file: the log's path plus ``.meta.json``."""
    return log.with_name(log.name + SUFFIX)


def read_side_file(log: Path) -> tuple[CaptureInfo | None, str]:
    """(side file of a log or None if none belongs to it, a note or an empty text).

    A side file that was written for another log is ignored, with a note. Raises InputError if the file is not JSON.
    """
    path = side_file(log)
    if not path.is_file():
        return None, ""
    info, note = CaptureInfo.load_with_note(path)
    if info.log is not None and not info.log.fits(log):
        return None, (
            f"{path.name} was written for another log and is ignored; capture again,"
            ' or take out its key "log" if its settings are those of this log'
        )
    return info, note


def _object(path: Path) -> dict[str, object]:
    """The keys and unchecked values of a side file; the caller checks each value separately."""
    return read_document(
        path,
        _record,
        form="JSON",
        what="a side file",
        advice="capture again or remove it",
        check_numbers=False,
    )


def _record(document: object) -> dict[str, object]:
    if not isinstance(document, dict):
        raise InputError("is not a side file, which is one JSON object; capture again or remove it")
    return document
