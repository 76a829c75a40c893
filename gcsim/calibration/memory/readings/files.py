"""Reads a file with a reading of memory; its content shows its kind."""

import json
from pathlib import Path

from gcsim.calibration.memory.readings.go_stats import go_memory_of, prometheus_reading, record_of_text
from gcsim.calibration.memory.readings.kernel import (
    memory_stat_reading,
    smaps_reading,
    status_reading,
    usage_reading,
)
from gcsim.calibration.memory.readings.reading import Reading
from gcsim.capture.memory_map import MAPPING
from gcsim.errors import InputError

MOST_BYTES = 64 << 20  # smaps of a process with 50,000 mappings
KINDS = (
    "/proc/PID/status, smaps_rollup or smaps, memory.current, memory.peak or memory.stat of a cgroup (version 1 or 2),"
    " a runtime.MemStats as JSON, /debug/vars, /debug/pprof/heap?debug=1, or a Prometheus page with go_memstats_"
)


def read_reading(path: Path) -> Reading:
    """The reading in a file. Raises InputError, naming the file, if it has none."""
    text = _text(path)
    try:
        found = _reading(text, path)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return found


def _reading(text: str, path: Path) -> Reading:
    stripped, origin = text.strip(), str(path)
    if not stripped:
        raise InputError("is empty; copy the file while the process runs")
    if stripped.startswith("{"):
        return Reading(origin=origin, go=go_memory_of(_object(stripped)))
    if stripped == "max":
        raise InputError('holds a limit ("max"), not a reading; give memory.current or memory.stat')
    if stripped.isascii() and stripped.isdecimal():
        return usage_reading(int(stripped[:30]), origin, file_name=path.name)
    if "VmRSS:" in text or text.startswith("Name:"):
        return status_reading(text, origin)
    if MAPPING.search(text) is not None and "\nRss:" in text:
        return smaps_reading(text, origin)
    if "# runtime.MemStats" in text:
        return Reading(origin=origin, go=go_memory_of(record_of_text(text)))
    if "\ngo_memstats_" in f"\n{text}" or "\nprocess_resident_memory_bytes" in f"\n{text}":
        return prometheus_reading(text, origin)
    found = memory_stat_reading(text, origin)
    if found is None:
        raise InputError(f"holds no reading of memory that gcsim knows; give one of {KINDS}")
    return found


def _object(text: str) -> dict[str, object]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            "is not JSON, or not all of it; save the whole page, such as curl -s …/debug/vars"
        ) from error
    if not isinstance(document, dict):
        raise InputError("is JSON, but not one object; give a runtime.MemStats or a page of /debug/vars")
    return document


def _text(path: Path) -> str:
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
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not text, so no reading of memory; give one of {KINDS}") from error
