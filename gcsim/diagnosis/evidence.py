"""Reads the files of a diagnosis: logs and other evidence, each recognized by its content."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from gcsim.calibration.memory.readings.files import read_reading
from gcsim.calibration.memory.readings.reading import Reading
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.capture.cpu_quota import CpuQuota, parse_cpu_max, parse_cpu_stat
from gcsim.diagnosis.diagnose import diagnosis
from gcsim.diagnosis.files import bytes_of, head_of, is_binary, pieces_of, piped_bytes, text_of
from gcsim.diagnosis.folders import logs_of_metrics, with_folders
from gcsim.diagnosis.pages import Page, page_of
from gcsim.diagnosis.profiles.bounds import looks_like_profile
from gcsim.diagnosis.profiles.escapes import EscapeReport, is_escape_text, read_escapes
from gcsim.diagnosis.profiles.execution_trace import (
    ExecutionTrace,
    is_parsed_trace,
    looks_like_trace,
    read_execution_trace,
)
from gcsim.diagnosis.profiles.goroutines import (
    Goroutines,
    goroutines_of_dump,
    goroutines_of_profile,
    goroutines_of_text,
    is_counted_text,
    is_goroutine_text,
)
from gcsim.diagnosis.profiles.profile import Profile, read_profile
from gcsim.diagnosis.profiles.runtime_logs import (
    PackageInit,
    SchedTrace,
    has_init_lines,
    has_sched_lines,
    read_inits,
    read_sched_trace,
)
from gcsim.diagnosis.records import Cause, Verdicts
from gcsim.diagnosis.rules.execution import execution_causes
from gcsim.diagnosis.rules.goroutines import goroutine_causes
from gcsim.diagnosis.rules.pages import page_causes
from gcsim.diagnosis.rules.profiles import profile_causes
from gcsim.diagnosis.rules.schedule import init_causes, schedule_causes
from gcsim.diagnosis.subject import Subject
from gcsim.errors import InputError
from gcsim.gctrace.reader import read_gctrace
from gcsim.gctrace.source import standard_input_bytes
from gcsim.gctrace.trace import Trace
from gcsim.scrapes.json_pages import has_runtime_metrics

_OTHERS = (
    "a pprof profile, execution trace, goroutine dump, MemStats, metrics page, or file of /proc or a cgroup"
)
_GC_LINE = re.compile(rb"gc ?#?\d+ ?@|gc\d+\(\d+\)")
_STANDARD_INPUT = "standard input"
_MEMSTATS = ('"HeapReleased"', '"HeapSys"', '"memstats"')
_ALL_MEMORY = '"/memory/classes/total:bytes"'
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
    escapes: list[EscapeReport] = field(default_factory=list)
    executions: list[ExecutionTrace] = field(default_factory=list)
    schedules: list[SchedTrace] = field(default_factory=list)
    inits: dict[str, tuple[PackageInit, ...]] = field(default_factory=dict)
    cpus: float | None = None
    throttling: CpuQuota | None = None
    kinds: dict[str, str] = field(default_factory=dict)

    @property
    def causes(self) -> list[Cause]:
        """The causes in the evidence that is not a log."""
        return [
            *goroutine_causes(self.goroutines),
            *profile_causes(self.profiles, self.escapes),
            *(cause for trace in self.executions for cause in execution_causes(trace)),
            *page_causes(self.pages),
            *(cause for trace in self.schedules for cause in schedule_causes(trace, self.cpus)),
            *(cause for name, inits in self.inits.items() for cause in init_causes(inits, name)),
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
    series = dict(logs_of_metrics(files, stated, process))
    for file in dict.fromkeys(with_folders(files)):
        if file not in series:
            _add(found, file)
    found.cpus = found.cpus if cpus is None else cpus
    for name, trace in series.items():
        found.logs[name], found.kinds[name] = trace, "metrics"
    subjects = [
        Subject.of(
            name,
            trace,
            stated,
            readings=[*readings, *found.readings, *(page.reading for page in found.pages)],
            memory_bytes=memory_bytes,
            cpus=found.cpus,
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
    data = standard_input_bytes() if file == "-" else piped_bytes(file)
    head = head_of(data, file)
    name = _STANDARD_INPUT if file == "-" else file
    is_profile = looks_like_profile(head)  # names in a profile may look like the start of a gc line
    if not head or (_GC_LINE.search(head) is not None and not is_profile):
        _add_log(found, file, data)
        _add_runtime_lines(found, head.decode("utf-8", errors="replace"), data, file)
        return
    text = head.decode("utf-8", errors="replace")
    if looks_like_trace(head) or is_parsed_trace(text):
        _refuse_piped(name, data)
        found.executions.append(read_execution_trace(Path(file)))
        found.kinds[name] = "execution trace"
    elif is_escape_text(text):
        found.escapes.append(read_escapes(text_of(data, file), name))
        found.kinds[name] = "escape analysis"
    elif has_sched_lines(text) or has_init_lines(text):
        _add_runtime_lines(found, text, data, file)
    elif is_goroutine_text(text):
        found.goroutines.append(
            goroutines_of_text(text_of(data, file), name)
            if is_counted_text(text)
            else goroutines_of_dump(pieces_of(data, file), name)
        )
        found.kinds[name] = "goroutines"
    elif is_profile:
        profile = read_profile(data or bytes_of(file), name)
        found.kinds[name] = f"{profile.kind} profile"
        if profile.kind == "goroutine":
            found.goroutines.append(goroutines_of_profile(profile))
        else:
            found.profiles.append(profile)
    elif has_runtime_metrics(text) or any(mark in text for mark in (*_MEMSTATS, *_PAGES)):
        _refuse_piped(name, data)
        found.pages.append(page_of(_page_reading(file, text), text_of(data, file)))
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
    elif is_binary(head):
        raise InputError(f"{name}: is a binary file, and neither a gctrace log nor {_OTHERS}")
    else:
        try:
            _add_log(found, file, data)
        except InputError as error:
            raise InputError(f"{error}; neither is it {_OTHERS}") from None


def _add_runtime_lines(found: Gathered, head: str, data: bytes, file: str) -> None:
    """Reads the lines of schedtrace and inittrace, if the start of the file has some."""
    kinds = [
        kind for kind, has in (("schedtrace", has_sched_lines), ("inittrace", has_init_lines)) if has(head)
    ]
    if not kinds:
        return
    name = _STANDARD_INPUT if file == "-" else file
    try:
        text = text_of(data, file)
    except InputError:
        if file in found.logs:  # too large for these lines; its gc lines are read
            return
        raise
    if "schedtrace" in kinds:
        found.schedules.append(read_sched_trace(text, name))
    if "inittrace" in kinds:
        found.inits[name] = read_inits(text, name)
    found.kinds.setdefault(name, " and ".join(kinds))


def _add_log(found: Gathered, file: str, data: bytes) -> None:
    name = _STANDARD_INPUT if file == "-" else file
    source: str | IO[bytes] = _Named(data, name) if data or file == "-" else file
    found.logs[file] = read_gctrace(source, process=found.process)
    found.kinds[name] = "log"


def _reading(file: str) -> Reading:
    return read_reading(Path(file))


def _page_reading(file: str, head: str) -> Reading:
    """The reading of a page; without sizes for a part of runtime/metrics that lacks them."""
    is_part = (
        has_runtime_metrics(head) and _ALL_MEMORY not in head and not any(one in head for one in _MEMSTATS)
    )
    return Reading(origin=file) if is_part else _reading(file)


def _refuse_piped(name: str, data: bytes) -> None:
    if data:
        raise InputError(
            f"{name}: holds a page or a reading, which gcsim reads from a file only; save it and name the file"
        )
