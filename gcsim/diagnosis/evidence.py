"""Reads the files of a diagnosis: logs and other evidence, each recognized by its content."""

import gzip
import io
import os
import re
import stat
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from gcsim.calibration.memory.readings.files import read_reading
from gcsim.calibration.memory.readings.reading import Reading
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.capture.cpu_quota import CpuQuota, parse_cpu_max, parse_cpu_stat
from gcsim.diagnosis.diagnose import diagnosis
from gcsim.diagnosis.folders import with_folders
from gcsim.diagnosis.pages import Page, page_of
from gcsim.diagnosis.profiles.bounds import MOST_BYTES, looks_like_profile
from gcsim.diagnosis.profiles.goroutines import (
    Goroutines,
    goroutines_of_profile,
    goroutines_of_text,
    is_goroutine_text,
)
from gcsim.diagnosis.profiles.profile import Profile, read_profile
from gcsim.diagnosis.records import Cause, Verdicts
from gcsim.diagnosis.rules.goroutines import goroutine_causes
from gcsim.diagnosis.rules.pages import page_causes
from gcsim.diagnosis.rules.profiles import profile_causes
from gcsim.diagnosis.subject import Subject
from gcsim.errors import InputError
from gcsim.gctrace.reader import read_gctrace
from gcsim.gctrace.source import MAX_BYTES, standard_input_bytes
from gcsim.gctrace.trace import Trace

_HEAD = 1 << 20
MOST_TEXT_BYTES = 40 << 20  # a dump of 80,000 goroutines
_CONTROL = re.compile(rb"[\x01-\x08\x0e-\x1a]")
_OTHERS = "a pprof profile, goroutine dump, MemStats, metrics page, or file of /proc or a cgroup"
_GC_LINE = re.compile(rb"gc ?#?\d+ ?@|gc\d+\(\d+\)")
_STANDARD_INPUT = "standard input"
_MEMSTATS = ('"HeapReleased"', '"HeapSys"', '"memstats"')
_PAGES = ("go_memstats_", "process_resident_memory_bytes", "# runtime.MemStats")
_KERNEL = ("VmRSS:", "\nRss:", "inactive_file ", "Name:\t")


class _Named(io.BytesIO):
    """Bytes that a pipe held, with its name for messages."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


@dataclass(slots=True)
class Gathered:
    """All evidence of one diagnosis."""

    process: int | None = None  # of logs with several
    logs: dict[str, Trace] = field(default_factory=dict)
    profiles: list[Profile] = field(default_factory=list)
    goroutines: list[Goroutines] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    cpus: float | None = None
    throttling: CpuQuota | None = None
    kinds: dict[str, str] = field(default_factory=dict)

    @property
    def causes(self) -> list[Cause]:
        """The causes in the evidence that is not a log."""
        return [
            *goroutine_causes(self.goroutines),
            *profile_causes(self.profiles),
            *page_causes(self.pages),
        ]


def diagnose_files(
    files: Sequence[str],
    *,
    stated: Overrides,
    readings: Sequence[Reading] = (),
    memory_bytes: int | None = None,
    cpus: float | None = None,
    process: int | None = None,
) -> tuple[Verdicts, dict[str, Trace]]:
    """(the diagnosis, the logs by name). Raises InputError for a file that is no evidence.

    ``process`` chooses a process of logs with several, from 1.
    """
    if list(files).count("-") > 1:
        raise InputError("standard input can be read only once; pass - once")
    found = Gathered(process=process)
    for file in dict.fromkeys(with_folders(files)):
        _add(found, file)
    subjects = [
        Subject.of(
            name,
            trace,
            stated,
            readings=[*readings, *found.readings, *(page.reading for page in found.pages)],
            memory_bytes=memory_bytes,
            cpus=found.cpus if cpus is None else cpus,
            throttling=found.throttling,
        )
        for name, trace in found.logs.items()
    ]
    result = diagnosis(subjects, found.causes)
    return replace(
        result, files=tuple({"file": name, "kind": kind} for name, kind in found.kinds.items())
    ), found.logs


def _add(found: Gathered, file: str) -> None:
    """Reads one file into the evidence. A file that nothing else matches is read as a log."""
    data = standard_input_bytes() if file == "-" else _piped(file)
    head = _head(data, file)
    name = _STANDARD_INPUT if file == "-" else file
    is_profile = looks_like_profile(head)  # names in a profile may look like the start of a gc line
    if not head or (_GC_LINE.search(head) is not None and not is_profile):
        _add_log(found, file, data)
        return
    text = head.decode("utf-8", errors="replace")
    if is_goroutine_text(text):
        found.goroutines.append(goroutines_of_text(_text(data, file), name))
        found.kinds[name] = "goroutines"
    elif is_profile:
        profile = read_profile(data or _bytes(file), name)
        found.kinds[name] = f"{profile.kind} profile"
        if profile.kind == "goroutine":
            found.goroutines.append(goroutines_of_profile(profile))
        else:
            found.profiles.append(profile)
    elif any(mark in text for mark in (*_MEMSTATS, *_PAGES)):
        _refuse_piped(name, data)
        found.pages.append(page_of(_reading(file), _text(data, file)))
        found.kinds[name] = "page"
    elif (counts := parse_cpu_stat(text)) is not None:
        found.throttling = counts
        found.kinds[name] = "cpu.stat"
    elif len(text) < 100 and (quota := parse_cpu_max(text)) is not None:
        found.cpus = quota
        found.kinds[name] = "cpu.max"
    elif any(mark in text for mark in _KERNEL) or (len(text) < 30 and text.strip().isdecimal()):
        _refuse_piped(name, data)
        found.readings.append(_reading(file))
        found.kinds[name] = "memory"
    elif _is_binary(head):
        raise InputError(f"{name}: is a binary file, and neither a gctrace log nor {_OTHERS}")
    else:
        try:
            _add_log(found, file, data)
        except InputError as error:
            raise InputError(f"{error}; neither is it {_OTHERS}") from None


def _add_log(found: Gathered, file: str, data: bytes) -> None:
    name = _STANDARD_INPUT if file == "-" else file
    source: str | IO[bytes] = _Named(data, name) if data or file == "-" else file
    found.logs[file] = read_gctrace(source, process=found.process)
    found.kinds[name] = "log"


def _is_binary(head: bytes) -> bool:
    """Whether a file is neither text, in UTF-16 either, nor packed."""
    control = len(_CONTROL.findall(head))
    return control > 0.01 * len(head) and not head.startswith((b"\x1f\x8b", b"\xfd7zXZ", b"BZh"))


def _reading(file: str) -> Reading:
    return read_reading(Path(file))


def _refuse_piped(name: str, data: bytes) -> None:
    if data:
        raise InputError(
            f"{name}: holds a page or a reading, which gcsim reads from a file only; save it and name the file"
        )


def _piped(file: str) -> bytes:
    """The bytes of a named pipe, which can be read only once; empty for any other file."""
    try:
        if not stat.S_ISFIFO(os.stat(file).st_mode):  # noqa: PTH116  # names with a null character raise here, too
            return b""
        with Path(file).open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except (OSError, ValueError):
        return b""
    if len(data) > MAX_BYTES:
        raise InputError(
            f"{file}: holds more than {MAX_BYTES >> 20} MiB, the most that is read; pass a shorter log"
        )
    return data


def _head(data: bytes, file: str) -> bytes:
    """The first bytes of a file, unpacked; empty if it cannot be read: the reader of logs then says why."""
    try:
        if data or file == "-":
            return _unpacked_head(io.BytesIO(data))
        if not stat.S_ISREG(os.stat(file).st_mode):  # noqa: PTH116  # a pipe can be read only once
            return b""
        with Path(file).open("rb") as opened:
            return _unpacked_head(opened)
    except (OSError, ValueError):
        return b""


def _unpacked_head(opened: IO[bytes]) -> bytes:
    start = opened.read(2)
    opened.seek(0)
    if start != b"\x1f\x8b":
        return opened.read(_HEAD)
    pieces: list[bytes] = []
    size = 0
    try:
        with gzip.GzipFile(fileobj=opened) as packed:
            while size < _HEAD and (piece := packed.read1(1 << 16)):
                pieces.append(piece)
                size += len(piece)
    except (EOFError, OSError, zlib.error):
        pass
    return b"".join(pieces) or start


def _bytes(file: str, most: int = MOST_BYTES) -> bytes:
    """The bytes of a file. Raises InputError for one that is larger than any profile."""
    with Path(file).open("rb") as opened:
        data = opened.read(most + 1)
    if len(data) > most:
        raise InputError(
            f"{file}: holds more than {most >> 20} MiB, the most that is read of such a file; take a shorter profile"
        )
    return data


def _text(data: bytes, file: str) -> str:
    """The text of a file, unpacked. Raises InputError for one that is too large."""
    raw = data or _bytes(file, MOST_TEXT_BYTES)
    if raw.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(io.BytesIO(raw)) as packed:
                raw = packed.read(MOST_TEXT_BYTES + 1)
        except (EOFError, OSError, zlib.error):
            raise InputError(f"{file}: its gzip data are damaged or cut short; save the file again") from None
    if len(raw) > MOST_TEXT_BYTES:
        raise InputError(
            f"{file}: holds more than {MOST_TEXT_BYTES >> 20} MiB, the most that is read of such a file; save"
            " /debug/pprof/goroutine?debug=1"
        )
    return raw.decode("utf-8", errors="replace")
