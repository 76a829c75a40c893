"""Reads pages in JSON: expvar, runtime.MemStats and runtime/metrics; and MemStats as the heap profile prints it."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from gcsim.errors import InputError
from gcsim.scrapes.sample import KEPT, MEMSTATS, PAUSES, Sample, metric_of

_TEXT_FIELD = re.compile(r"^# (\w{1,40}) = ([0-9.e+-]{1,30})$", re.MULTILINE | re.ASCII)
_STACK_FIELD = re.compile(r"^# Stack = (\d{1,18}) / \d{1,18}$", re.MULTILINE | re.ASCII)
_RUNTIME_NAME = re.compile(r"/[a-z0-9/-]{1,100}:[a-zA-Z0-9/*-]{1,40}")
_RUNTIME_HEAD = re.compile(r'"/(?:cgo|cpu|gc|memory|sched)/[a-z0-9/-]{1,100}:[a-zA-Z0-9/*-]{1,40}"')
_MOST_BUCKETS = 10_000
_TIMES = ("time", "timestamp", "ts", "Time", "@timestamp")
_LATEST = 1e11  # seconds since 1970; a larger number has another unit


def memstats_in_text(text: str, source: str) -> Sample:
    """The sample in the text form of a heap profile, which ends with runtime.MemStats."""
    sample = Sample(source=source)
    found = {name: float(value) for name, value in _TEXT_FIELD.findall(text) if _is_number(value)}
    _put_memstats(sample, found)
    stacks = _STACK_FIELD.search(text)
    if stacks is not None:
        sample.put("go_memstats_stack_inuse_bytes", float(stacks[1]))
    return sample


def read_json_page(document: Any, source: str) -> Sample | None:
    """The sample in a JSON document; None for a document of another kind."""
    sample = Sample(source=source)
    for name, value in runtime_metrics_in(document).items():
        _put_runtime(sample, metric_of(name), value)
    if not isinstance(document, Mapping):
        return sample if sample.values else None
    inner = document.get("memstats", document)
    if isinstance(inner, Mapping):
        _put_memstats(sample, inner)
    goroutines = next(
        (document[name] for name in ("NumGoroutine", "goroutines", "Goroutines") if name in document), None
    )
    if _is_plain_number(goroutines):
        sample.put("go_goroutines", float(goroutines))  # type: ignore[arg-type]  # checked above
    version = next(
        (document[name] for name in ("GoVersion", "go_version", "version") if name in document), ""
    )
    if isinstance(version, str):
        sample.put_version(version)
    return sample if sample.values else None


def has_runtime_metrics(text: str) -> bool:
    """Whether the start of a JSON text names metrics of runtime/metrics."""
    return text.lstrip()[:1] in ("{", "[") and _RUNTIME_HEAD.search(text) is not None


def runtime_metrics_in(document: Any) -> dict[str, Any]:
    """The metrics of runtime/metrics by name: of an object, of one inside it, or of a list of names with values."""
    if isinstance(document, Mapping):
        found = {name: one for name, one in document.items() if _RUNTIME_NAME.fullmatch(str(name))}
        inner = (one for one in document.values() if isinstance(one, (Mapping, list)))
        return found or next(filter(None, map(_inner_metrics, inner)), {})
    return _inner_metrics(document)


def _inner_metrics(document: Any) -> dict[str, Any]:
    if isinstance(document, Mapping):
        return {name: one for name, one in document.items() if _RUNTIME_NAME.fullmatch(str(name))}
    found = {}
    for entry in document if isinstance(document, list) else ():
        lower = {str(key).lower(): one for key, one in entry.items()} if isinstance(entry, Mapping) else {}
        name = lower.get("name")
        if isinstance(name, str) and "value" in lower and _RUNTIME_NAME.fullmatch(name):
            found[name] = lower["value"]
    return found


def is_lines(text: str) -> bool:
    """Whether the start of a text is JSON objects with runtime/metrics, one in each line."""
    first, _, rest = text.lstrip().partition("\n")
    return first.rstrip().endswith("}") and rest.lstrip().startswith("{") and has_runtime_metrics(first)


def samples_in_lines(text: str, source: str) -> Iterator[Sample]:
    """The sample in each line. Raises InputError for a line that is not JSON, or has no time."""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        document = parsed(line, f"{source}:{number}")
        sample = read_json_page(document, source)
        if sample is None:
            continue
        sample.seconds = _time_in(document)
        if math.isnan(sample.seconds):
            raise InputError(
                f"{source}:{number}: has no time; print it as time, in seconds since 1970 or as RFC 3339"
            )
        yield sample


def _time_in(document: Mapping[str, Any]) -> float:
    """The time of a line in seconds since 1970; NaN without one."""
    value = next((document[name] for name in _TIMES if name in document), None)
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value).timestamp()
        except ValueError:
            return math.nan
    if not _is_plain_number(value):
        return math.nan
    seconds = float(value)  # type: ignore[arg-type]  # checked above
    while seconds > _LATEST:  # ms, us or ns
        seconds /= 1e3
    return seconds


def parsed(text: str, source: str) -> Any:
    """The JSON document in a text. Raises InputError."""
    try:
        return json.loads(text)
    except RecursionError:
        raise InputError(f"{source}: is nested too deeply; save the page of the service again") from None
    except ValueError as error:
        reason = str(error)[:100]
        raise InputError(f"{source}: is not JSON, or not all of it ({reason}); save the page again") from None


def _put_memstats(sample: Sample, stats: Mapping[str, Any]) -> None:
    for field, (name, factor) in MEMSTATS.items():
        value = stats.get(field)
        if _is_plain_number(value):
            sample.put(name, float(value) * factor)  # type: ignore[arg-type]  # checked above


def _put_runtime(sample: Sample, name: str, value: Any) -> None:
    """Keeps a metric of runtime/metrics: a number, or a histogram with Counts and Buckets."""
    if _is_plain_number(value):
        sample.put(name if name in KEPT else f"{name}_total", float(value))
    elif name in PAUSES and isinstance(value, Mapping):
        lower = {str(key).lower(): one for key, one in value.items()}
        counts, buckets = lower.get("counts"), lower.get("buckets")
        if not isinstance(counts, list) or not isinstance(buckets, list) or len(buckets) != len(counts) + 1:
            return
        total = 0.0
        for count, upper in zip(counts[:_MOST_BUCKETS], buckets[1:], strict=False):
            total += float(count) if _is_plain_number(count) else 0.0
            sample.pauses[float(upper) if _is_plain_number(upper) else float("inf")] = total


def _is_plain_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
