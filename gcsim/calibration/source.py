"""The trace of a source: a log, a folder or file of metrics, or several pages of metrics."""

from collections.abc import Sequence
from pathlib import Path

from gcsim.calibration.settings.log_settings import Overrides
from gcsim.errors import InputError
from gcsim.gctrace.reader import read_gctrace
from gcsim.gctrace.trace import Trace

_STANDARD_INPUT = "-"


def read_source(source: str, *, stated: Overrides | None = None, process: int | None = None) -> Trace:
    """The trace of a log, or the one that metrics imply. Raises InputError.

    ``process`` chooses one of several processes, from 1: in order of appearance in a log, and in order of labels in the
    answer of a range query. Without it a log gives the process with the most cycles.
    """
    return next(iter(read_sources([source], stated=stated, process=process).values()))


def read_sources(
    sources: Sequence[str], *, stated: Overrides | None = None, process: int | None = None
) -> dict[str, Trace]:
    """The trace of each source by its name. Pages of metrics are one source together, with the name of the first."""
    if list(sources).count(_STANDARD_INPUT) > 1:
        raise InputError("standard input can be read only once; pass - once")
    found: dict[str, Trace] = {}
    pages: list[Path] = []
    for source in dict.fromkeys(sources):
        if not _is_metrics(source):
            found[source] = read_gctrace(source, process=process)
            continue
        from gcsim.scrapes.files import is_page

        if is_page(Path(source)):
            pages.append(Path(source))
        else:
            found[source] = _of_metrics([Path(source)], stated, process)
    if pages:
        found[str(pages[0])] = _of_metrics(pages, stated, process)
    return found


def _is_metrics(source: str) -> bool:
    if source == _STANDARD_INPUT or "\0" in source:
        return False
    from gcsim.scrapes.files import is_metrics

    return is_metrics(Path(source))


def _of_metrics(paths: Sequence[Path], stated: Overrides | None, process: int | None) -> Trace:
    from gcsim.calibration.metrics.trace import trace_of_metrics
    from gcsim.scrapes.files import read_series

    return trace_of_metrics(read_series(paths, process=process), stated)
