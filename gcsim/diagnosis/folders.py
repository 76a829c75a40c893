"""Metrics over time: the files of a folder that ``gcsim capture --url`` wrote, range queries, lines of JSON."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from gcsim.calibration.settings.log_settings import Overrides
from gcsim.calibration.source import read_source
from gcsim.capture.web.manifest import Manifest, SavedPage, has_manifest
from gcsim.errors import InputError
from gcsim.gctrace.trace import Trace
from gcsim.scrapes.files import is_time_series

_SAMPLED = ("/debug/vars", "/metrics", "/debug/pprof/heap?debug=1")  # the first that a folder has is used


def with_folders(files: Sequence[str]) -> Iterator[str]:
    """The files, with each folder replaced by its evidence in order of time. Raises InputError for another folder."""
    for file in files:
        if file != "-" and "\0" not in file and Path(file).is_dir():
            yield from (str(path) for path in _evidence_in(Path(file)))
        else:
            yield file


def _evidence_in(folder: Path) -> Iterator[Path]:
    """The profiles of a folder, and the first and the last sample of its metrics."""
    if not has_manifest(folder):
        raise InputError(
            f"{folder}: is a folder without manifest.json; name its files, or a folder of gcsim capture --url"
        )
    saved = sorted(Manifest.of(folder).files, key=lambda one: one.at_seconds)
    yield from (folder / one.file for one in saved if one.page not in _SAMPLED)
    for page in _SAMPLED:
        samples: list[SavedPage] = [one for one in saved if one.page == page]
        if samples:
            yield from (folder / one.file for one in dict.fromkeys((samples[0], samples[-1])))
            return


def logs_of_metrics(
    files: Sequence[str], stated: Overrides, process: int | None
) -> Iterator[tuple[str, Trace]]:
    """(source, the trace that its metrics imply) for each folder with enough of them, and for each file over time.

    Raises InputError for such a file with too few collections.
    """
    for file in dict.fromkeys(files):
        if file == "-" or "\0" in file:
            continue
        if is_time_series(Path(file)):
            yield file, read_source(file, stated=stated, process=process)
        elif Path(file).is_dir():
            try:
                yield file, read_source(file, stated=stated)
            except InputError:
                continue  # few collections, or none: the pages still count
