"""Reads a file with a reading of memory; its content shows its kind."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gcsim.calibration.memory.readings.go_stats import go_memory_of, prometheus_reading, record_of_text
from gcsim.calibration.memory.readings.kernel import (
    HARD_LIMIT_NAMES,
    limit_in,
    memory_stat_reading,
    smaps_reading,
    status_reading,
    usage_reading,
)
from gcsim.calibration.memory.readings.reading import Reading
from gcsim.capture.memory_map import MAPPING
from gcsim.errors import InputError

MOST_BYTES = 64 << 20  # smaps of a process with 50,000 mappings


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFile:
    """A file that the user gives: its path, its content, and its text if it is text."""

    path: Path
    content: bytes
    text: str | None

    def has(self, *parts: str) -> bool:
        """Whether the text has one of the parts."""
        return self.text is not None and any(part in self.text for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One kind of file: its name for messages, its test, and its reader, which raises InputError."""

    name: str
    matches: Callable[[SavedFile], bool]
    read: Callable[[SavedFile], Reading]


def read_reading(path: Path) -> Reading:
    """The reading in a file. Raises InputError, naming the file, if it has none."""
    file = _saved(path)
    try:
        return _format_of(file).read(file)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def is_limit_file(path: Path) -> bool:
    """Whether the file's name is that of a cgroup's memory limit, so that it holds no reading."""
    return path.name in HARD_LIMIT_NAMES


def read_limit(path: Path) -> int | None:
    """The memory limit of the container in a file of its cgroup; None if the file states none.

    ``memory.max``, ``memory.limit_in_bytes`` and the ``memory.stat`` of version 1 state one. Raises InputError for a
    limit that is no size.
    """
    text = _text_of(_saved(path))
    try:
        return limit_in(text, file_name=path.name)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _format_of(file: SavedFile) -> Format:
    """The first format that the file matches. Raises InputError."""
    if file.text is not None and not file.text.strip():
        raise InputError("is empty; copy the file while the process runs")
    if file.text is not None and file.text.strip() == "max":
        raise InputError('holds a limit ("max"), not a reading; give memory.current or memory.stat')
    for each in FORMATS:
        if each.matches(file):
            return each
    if file.text is None:
        raise InputError(f"is not text, so no reading of memory; give one of {KINDS}")
    raise InputError(f"holds no reading of memory that gcsim knows; give one of {KINDS}")


def _text_of(file: SavedFile) -> str:
    return file.text or ""


#: The kinds of files, in the order in which they are tried. A new kind is a new reader and a row.
FORMATS = (
    Format(
        name="a runtime.MemStats or runtime/metrics as JSON, /debug/vars",
        matches=lambda file: _text_of(file).strip().startswith(("{", "[")),
        read=lambda file: Reading(origin=str(file.path), go=go_memory_of(_document(_text_of(file).strip()))),
    ),
    Format(
        name="memory.current or memory.peak of a cgroup",
        matches=lambda file: _text_of(file).strip().isascii() and _text_of(file).strip().isdecimal(),
        read=lambda file: usage_reading(
            int(_text_of(file).strip()[:30]), str(file.path), file_name=file.path.name
        ),
    ),
    Format(
        name="/proc/PID/status",
        matches=lambda file: file.has("VmRSS:") or _text_of(file).startswith("Name:"),
        read=lambda file: status_reading(_text_of(file), str(file.path)),
    ),
    Format(
        name="smaps_rollup or smaps",
        matches=lambda file: MAPPING.search(_text_of(file)) is not None and file.has("\nRss:"),
        read=lambda file: smaps_reading(_text_of(file), str(file.path)),
    ),
    Format(
        name="/debug/pprof/heap?debug=1",
        matches=lambda file: file.has("# runtime.MemStats"),
        read=lambda file: Reading(origin=str(file.path), go=go_memory_of(record_of_text(_text_of(file)))),
    ),
    Format(
        name="a Prometheus page with go_memstats_",
        matches=lambda file: any(
            f"\n{name}" in f"\n{_text_of(file)}" for name in ("go_memstats_", "process_resident_memory_bytes")
        ),
        read=lambda file: prometheus_reading(_text_of(file), str(file.path)),
    ),
    Format(
        name="memory.stat of a cgroup (version 1 or 2)",
        matches=lambda file: memory_stat_reading(_text_of(file), str(file.path)) is not None,
        read=lambda file: _known(memory_stat_reading(_text_of(file), str(file.path))),
    ),
)
KINDS = ", ".join(each.name for each in FORMATS[:-1]) + f", or {FORMATS[-1].name}"


def _known(reading: Reading | None) -> Reading:
    assert reading is not None  # its format has matched
    return reading


def _document(text: str) -> Mapping[str, object] | list[object]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            "is not JSON, or not all of it; save the whole page, such as curl -s …/debug/vars"
        ) from error
    if not isinstance(document, (dict, list)):
        raise InputError("is JSON, but not one object; give a runtime.MemStats or a page of /debug/vars")
    return document


def _saved(path: Path) -> SavedFile:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{path}: cannot be read ({reason}); give a file with a reading of memory"
        ) from error
    if len(content) > MOST_BYTES:
        raise InputError(
            f"{path}: is larger than {MOST_BYTES >> 20} MiB, so no reading of memory; give one of {KINDS}"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = None
    return SavedFile(path=path, content=content, text=text)
