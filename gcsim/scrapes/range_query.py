"""Reads the answers of Prometheus to range queries (``/api/v1/query_range``), also of Thanos and Mimir."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from gcsim.errors import InputError
from gcsim.scrapes.exposition import number_of
from gcsim.scrapes.sample import KEPT, PAUSES, Sample

_OF_THE_METRIC = {"__name__", "le", "quantile", "version"}
_MOST_POINTS = 1_000_000
_ADVICE = 'query the series themselves, such as {__name__=~"go_.*|process_.*",instance="app:6060"}'

Process = tuple[tuple[str, str], ...]  # labels


def is_range_query(document: Any) -> bool:
    """Whether a JSON document is an answer with a matrix."""
    data = document.get("data") if isinstance(document, Mapping) else None
    return isinstance(data, Mapping) and data.get("resultType") in ("matrix", "vector") and "result" in data


def processes_of(document: Any, source: str) -> dict[Process, list[tuple[Mapping[str, str], list[Any]]]]:
    """The (labels, points) of the useful series of each process. Raises InputError for an answer without a process."""
    if document.get("status") not in (None, "success"):
        reason = str(document.get("error", "no reason given"))[:200]
        raise InputError(f"{source}: the query failed ({reason}); {_ADVICE}")
    found: dict[Process, list[tuple[Mapping[str, str], list[Any]]]] = {}
    for labels, values in _series(document["data"], source):
        name = labels.get("__name__", "")
        if name in KEPT or name == "go_info" or name.removesuffix("_bucket") in PAUSES:
            process = tuple(
                sorted((key, value) for key, value in labels.items() if key not in _OF_THE_METRIC)
            )
            found.setdefault(process, []).append((labels, values))
    return found


def samples_of(series: list[tuple[Mapping[str, str], list[Any]]], source: str) -> list[Sample]:
    """The samples of one process in order of time. Raises InputError for too many points."""
    points = sum(len(values) for _, values in series)
    if points > _MOST_POINTS:
        raise InputError(
            f"{source}: holds {points:,} points of one process, more than {_MOST_POINTS:,}; query a shorter range or a"
            " longer step"
        )
    found: dict[float, Sample] = {}
    for labels, values in series:
        name = labels.get("__name__", "")
        for at, value in _points(values):
            sample = found.get(at)
            if sample is None:
                sample = found[at] = Sample(source=source, seconds=at)
            _put(sample, name, labels, value)
    return [found[at] for at in sorted(found)]


def _put(sample: Sample, name: str, labels: Mapping[str, str], value: float) -> None:
    if name == "go_info":
        sample.put_version(labels.get("version", ""))
    elif name.endswith("_bucket"):
        upper = number_of(labels.get("le", ""))
        if upper is not None:
            sample.pauses[upper] = value
    elif "quantile" not in labels:
        sample.put(name, value)


def _series(data: Mapping[str, Any], source: str) -> Iterator[tuple[Mapping[str, str], list[Any]]]:
    result = data["result"]
    if not isinstance(result, list):
        raise InputError(f"{source}: has no list of series; {_ADVICE}")
    for one in result:
        if not isinstance(one, Mapping) or not isinstance(one.get("metric"), Mapping):
            raise InputError(f"{source}: has a series without its labels; {_ADVICE}")
        labels = {str(key)[:100]: str(value)[:300] for key, value in one["metric"].items()}
        values = one.get("values", [one["value"]] if "value" in one else [])
        if isinstance(values, list):
            yield labels, values


def _points(values: list[Any]) -> Iterator[tuple[float, float]]:
    for point in values:
        if isinstance(point, list) and len(point) == 2 and isinstance(point[0], (int, float)):
            value = number_of(point[1]) if isinstance(point[1], str) else None
            if value is not None and math.isfinite(point[0]):
                yield round(float(point[0]), 3), value
