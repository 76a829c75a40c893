"""Joins records into which a container runtime has cut a long line; docker and CRI cut at 16 KiB.

The text of a continuing record moves to the end of the record before it. Its own line stays as an empty line, so that
line numbers are those of the file. Marks of an unfinished record are: a ``log`` without ``\\n`` at its end in docker's
JSON, the flag ``P`` in CRI, and a field of the record in other JSON.
"""

import re
from collections.abc import Iterable

from gcsim.gctrace.processes import prefix_tag

_CRI = re.compile(rb"(.*?\b(?:stdout|stderr)) ([PF])(?::\S*)? (.*)", re.DOTALL)
_SAMPLE = 1 << 20  # the first lines show whether a log has a wrapper
_UNQUOTED = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*')
_VALUE = rb'"\s*:\s*"([^"\\\n]*(?:\\.[^"\\\n]*)*)"'
_DOCKER = re.compile(rb'"log' + _VALUE)
_TEXT = re.compile(rb'"(?:log|message|MESSAGE|msg)' + _VALUE)
_STREAM = re.compile(rb'"(?:stream|source|container_id|CONTAINER_ID|partial_id)' + _VALUE)
_UNFINISHED = re.compile(
    rb'"(?:partial_message|CONTAINER_PARTIAL_MESSAGE)"\s*:\s*"?true|"(?:logtag|_p)"\s*:\s*"P"', re.IGNORECASE
)
_LAST = re.compile(rb'"(?:partial_last|CONTAINER_PARTIAL_LAST)"\s*:\s*"?true', re.IGNORECASE)


def join_partial_records(data: bytes) -> bytes:
    """The log with the whole text of every cut record at the record's first line."""
    beginning = data[:_SAMPLE]
    if any(b" %b " % name in beginning and b" %b P" % name in data for name in (b"stderr", b"stdout")):
        lines = data.split(b"\n")
        return _joined(lines, (_cri_record(line) for line in lines))
    if b'"' not in beginning:
        return data
    if b'"log"' in data and _has_unfinished_docker_record(data):
        lines = data.split(b"\n")
        return _joined(lines, (_docker_record(line) for line in lines))
    if (b'"P"' in data or b"artial_" in data or b"PARTIAL" in data) and _UNFINISHED.search(data):
        lines = data.split(b"\n")
        return _joined(lines, (_flagged_record(line) for line in lines))
    return data


# A record: (stream, begin of its text in the line, end of its text, whether the next record continues it)
_Record = tuple[bytes, int, int, bool]


def _cri_record(line: bytes) -> _Record | None:
    match = _CRI.match(line)
    if match is None:
        return None
    end = len(line.rstrip(b"\r"))
    if b'"' in match[1]:  # a shipper's JSON around CRI's line
        end = match.start(3) + len(_UNQUOTED.match(match[3])[0])  # type: ignore[index]  # it matches any text
    return prefix_tag(match[1]), match.start(3), end, match[2] == b"P"


def _docker_record(line: bytes) -> _Record | None:
    match = _DOCKER.search(line)
    if match is None:
        return None
    return _stream(line), match.start(1), match.end(1), not match[1].endswith(b"\\n")


def _flagged_record(line: bytes) -> _Record | None:
    match = _TEXT.search(line)
    if match is None:
        return None
    unfinished = _UNFINISHED.search(line) is not None and _LAST.search(line) is None
    return _stream(line), match.start(1), match.end(1), unfinished


def _stream(line: bytes) -> bytes:
    return b" ".join(match[1] for match in _STREAM.finditer(line))


def _has_unfinished_docker_record(data: bytes) -> bool:
    """Whether some records of ``log`` end in a line break and some do not; log shippers may drop all breaks."""
    finished = unfinished = False
    for match in _DOCKER.finditer(data):
        finished, unfinished = (True, unfinished) if match[1].endswith(b"\\n") else (finished, True)
        if finished and unfinished:
            return True
    return False


def _joined(lines: list[bytes], records: Iterable[_Record | None]) -> bytes:
    """The lines with each continuation at the end of its record's first text."""
    begun: dict[bytes, int] = {}  # by stream, the line of an unfinished record
    parts: dict[int, list[bytes]] = {}  # of that line: up to its text's end, its continuations, its rest
    rest: dict[int, bytes] = {}
    for i, record in enumerate(records):
        if record is None:
            continue
        stream, start, end, unfinished = record
        first = begun.get(stream)
        if first is not None:
            parts[first].append(lines[i][start:end])
            lines[i] = b""
        if unfinished and first is None:
            begun[stream] = i
            parts[i], rest[i] = [lines[i][:end]], lines[i][end:]
        elif not unfinished:
            begun.pop(stream, None)
    for i, pieces in parts.items():
        lines[i] = b"".join((*pieces, rest[i]))
    return b"\n".join(lines)
