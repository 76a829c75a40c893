"""Reads metrics from files and folders, each recognized by its content."""

import gzip
import io
import math
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from gcsim.capture.web.manifest import Manifest, has_manifest
from gcsim.errors import InputError
from gcsim.scrapes.exposition import is_exposition, read_exposition
from gcsim.scrapes.json_pages import (
    has_runtime_metrics,
    is_lines,
    memstats_in_text,
    parsed,
    read_json_page,
    samples_in_lines,
)
from gcsim.scrapes.range_query import Process, is_range_query, processes_of, samples_of
from gcsim.scrapes.sample import Sample
from gcsim.scrapes.series import Series, series_of
from gcsim.units import MIB

T = TypeVar("T")

MOST_BYTES = 48 * MIB  # of one file, unpacked
MOST_SAMPLES = 2000  # of one folder; more are thinned evenly
_MOST_NAMED = 4
_HEAD = 256 << 10
_EPOCH = re.compile(
    r"(?<!\d)(1[5-9]\d{8})(\d{3})?(?!\d)"
)  # in a file's name: seconds or ms from 2017 to 2033
_MATRIX = re.compile(r'"resultType"\s{0,9}:\s{0,9}"(?:matrix|vector)"')  # Loki's answers have "streams"
_JSON_PAGES = ('"memstats"', '"NextGC"')
_GC_LINE = re.compile(r"gc \d{1,9} @\d")
_PAGES = ("/metrics", "/debug/vars", "/debug/pprof/heap?debug=1")
_ENDINGS = (".txt", ".prom", ".json", ".metrics", ".om", "")


def is_metrics(path: Path) -> bool:
    """Whether a folder holds metrics, or a file is a page of metrics or an answer of a range query."""
    try:
        if path.is_dir():
            return has_manifest(path) or any(is_metrics(one) for one in _page_files(path)[:20])
        if not path.is_file():
            return False
        head = _read(path, _HEAD, is_head=True).lstrip()
    except (InputError, OSError, ValueError):
        return False
    if _GC_LINE.search(head) is not None:
        return False  # a log
    if head.startswith(("{", "[")):
        return _is_json_head(head)
    return is_exposition(head) or (
        head.startswith("heap profile:") and "# runtime.MemStats" in _read(path, MOST_BYTES)
    )


def is_page(path: Path) -> bool:
    """Whether metrics are one page, of one moment, rather than a folder or an answer of a range query."""
    if path.is_dir():
        return False
    head = _read(path, _HEAD, is_head=True).lstrip()
    return not (head.startswith("{") and _MATRIX.search(head) is not None)


def is_time_series(path: Path) -> bool:
    """Whether a file is an answer of a range query, or lines of JSON with runtime/metrics."""
    try:
        if not path.is_file():
            return False
        head = _read(path, _HEAD, is_head=True).lstrip()
    except (InputError, OSError, ValueError):
        return False
    return head.startswith("{") and (_MATRIX.search(head) is not None or is_lines(head))


def read_series(paths: Sequence[Path], *, process: int | None = None) -> Series:
    """The metrics in a folder, in an answer of a range query, or in several pages of one process.

    ``process`` chooses one of several processes of a range query, from 1. Raises InputError.
    """
    source = str(paths[0])
    if len(paths) == 1 and paths[0].is_dir():
        folder = paths[0]
        samples = list(_of_capture(folder) if has_manifest(folder) else _of_pages(_page_files(folder)))
        if not samples:
            raise InputError(
                f"{folder}: holds no metrics of a Go process; name one of gcsim capture --url or of saved pages"
            )
        return series_of(samples, source)
    if len(paths) == 1 and not is_page(paths[0]):
        return _of_range_query(paths[0], process)
    if process is not None:
        raise InputError(
            f"{source}: pages are of one process each; pass --process with an answer of a range query"
        )
    return series_of(list(_of_pages(paths)), source)


def processes_in(path: Path) -> list[tuple[str, int]]:
    """(labels, samples) of each process in an answer of a range query; empty for other metrics."""
    if path.is_dir() or is_page(path):
        return []
    found = _processes(path)
    return [(_named(process), max(len(values) for _, values in series)) for process, series in found.items()]


def _of_capture(folder: Path) -> Iterator[Sample]:
    """The samples of a folder of ``gcsim capture --url``; pages of one moment are joined."""
    manifest = Manifest.of(folder)
    started = _epoch_of(manifest.started)
    moments: dict[str, list[tuple[float, Path]]] = {}
    for one in sorted(manifest.files, key=lambda one: _PAGES.index(one.page) if one.page in _PAGES else 9):
        if one.page in _PAGES:
            number = re.search(r"(\d+)\.\w+$", one.file)
            key = number[1] if number is not None else one.file
            moments.setdefault(key, []).append((started + one.at_seconds, folder / one.file))
    for pages in _thinned(list(moments.values())):
        joined: Sample | None = None
        for at, path in pages:
            sample = _page(_read(path, MOST_BYTES), str(path))
            if sample is None:
                continue
            sample.seconds = at
            if joined is None:
                joined = sample
            else:
                joined.complete(sample)
        if joined is not None:
            yield joined


def _of_pages(paths: Sequence[Path]) -> Iterator[Sample]:
    """The samples of loose pages; their times are in the pages, in their names, or those of the files."""
    for path in _thinned(paths):
        text = _read(path, MOST_BYTES)
        if is_lines(text[:_HEAD]):
            yield from _thinned(list(samples_in_lines(text, str(path))))
            continue
        sample = _page(text, str(path))
        if sample is None:
            continue
        if math.isnan(sample.seconds):
            named = _EPOCH.search(path.name)
            sample.seconds = path.stat().st_mtime if named is None else float(f"{named[1]}.{named[2] or 0}")
        yield sample


def _page(text: str, source: str) -> Sample | None:
    if text.lstrip().startswith(("{", "[")):
        return read_json_page(parsed(text, source), source)
    if text.startswith("heap profile:"):
        return memstats_in_text(text, source)
    return read_exposition(text, source) if is_exposition(text) else None


def _of_range_query(path: Path, process: int | None) -> Series:
    found = _processes(path)
    names = [_named(one) for one in found]
    if process is None and len(found) > 1:
        listed = "; ".join(f"{i}: {name}" for i, name in enumerate(names[:_MOST_NAMED], start=1))
        more = "" if len(names) <= _MOST_NAMED else f"; and {len(names) - _MOST_NAMED} more"
        raise InputError(
            f"{path}: holds {len(names)} processes ({listed}{more}); pass --process N, or query one instance"
        )
    chosen = 1 if process is None else process
    if not 1 <= chosen <= len(found):
        raise InputError(f"{path}: holds {len(found)} processes, so there is no process {chosen}")
    samples = samples_of(list(found.values())[chosen - 1], str(path))
    return series_of(_thinned(samples), str(path))


def _processes(path: Path) -> dict[Process, list[tuple[Mapping[str, str], list[Any]]]]:
    document = parsed(_read(path, MOST_BYTES), str(path))
    if not is_range_query(document):
        raise InputError(f"{path}: is no answer of a range query; save the answer of /api/v1/query_range")
    found = processes_of(document, str(path))
    if not found:
        raise InputError(
            f'{path}: holds no go_* series; query the series themselves, such as {{__name__=~"go_.*|process_.*"}}, not'
            " rates of them"
        )
    return dict(sorted(found.items()))


def _named(process: Process) -> str:
    return ", ".join(f"{key}={value}" for key, value in process)[:200] or "without labels"


def _thinned(items: Sequence[T]) -> Sequence[T]:
    step = -(-len(items) // MOST_SAMPLES)
    return items if step <= 1 else items[::step]


def _page_files(folder: Path) -> list[Path]:
    """The files of a folder that may be pages, by name."""
    try:
        found = sorted(one for one in folder.iterdir() if one.is_file() and not one.name.startswith("."))
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be read ({error.strerror}); name a folder of saved pages"
        ) from error
    return [one for one in found if one.name.removesuffix(".gz").endswith(_ENDINGS)]


def _epoch_of(text: str) -> float:
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0  # differences are enough


def _is_json_head(head: str) -> bool:
    is_page = any(mark in head for mark in _JSON_PAGES) or has_runtime_metrics(head)
    return is_page or _MATRIX.search(head) is not None


def _read(path: Path, most: int, *, is_head: bool = False) -> str:
    """The text of a file, unpacked. Raises InputError for one that is too large or damaged."""
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a file of metrics") from error
    if raw.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(io.BytesIO(raw)) as packed:
                raw = packed.read(most + 1)
        except (EOFError, OSError, zlib.error):
            if not is_head:
                raise InputError(
                    f"{path}: its gzip data are damaged or cut short; save the page again"
                ) from None
    if len(raw) > most and not is_head:
        raise InputError(
            f"{path}: holds more than {most // MIB} MiB, the most that is read of metrics; keep go_* and process_*, or"
            " query a shorter range"
        )
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace")
    return raw.decode("utf-8-sig", errors="replace")
