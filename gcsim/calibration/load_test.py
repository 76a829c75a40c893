"""The result of a load test: requests per second, and the median and 99th percentile of their latencies.

It comes from a file that a load tester writes, or from figures that the user states. Known files:

    vegeta    vegeta report -type=json
    k6        k6 run --summary-export=FILE --summary-trend-stats="med,p(99)", or the data of handleSummary
    oha       oha --output-format json
    hey       hey -o csv, or its usual text
    wrk       wrk --latency and wrk2 --latency: their text
    CSV       a column latency_seconds, latency_ms or response-time, with a row for each request
"""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.documents import number
from gcsim.errors import InputError
from gcsim.units import format_seconds

MOST_BYTES = 256 << 20
_MOST_RATE, _MOST_SECONDS = 1e7, 3600.0
_LEAST_ROWS = 100  # of a CSV file: fewer have no 99th percentile
_ADVICE = "pass --request-rate, --request-p50 and --request-p99 instead"
_TEXT_QUANTILE = re.compile(
    r"^\s*(\d+(?:\.\d+)?)%\s+(?:in\s+)?(\d+(?:\.\d+)?)\s*(secs|ms|us|µs|s|m)\b", re.MULTILINE
)
_TEXT_RATE = re.compile(r"Requests/sec:\s*(\d+(?:\.\d+)?)")
_UNITS = {"secs": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "m": 60.0}
_COLUMNS = {
    "latency_seconds": 1.0,
    "latency_ms": 1e-3,
    "response-time": 1.0,
}  # of a CSV file, with their units
_STARTS = ("offset", "start_seconds")  # of each request, seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTest:
    """A load test at the settings and the load of the log. None: not known yet."""

    rate_per_second: float | None = None
    p50_seconds: float | None = None
    p99_seconds: float | None = None
    workers: int | None = None  # goroutines that serve; None: one for each request

    def over(self, other: "LoadTest") -> "LoadTest":
        """These figures, with those of ``other`` where these are not known."""
        return LoadTest(
            rate_per_second=other.rate_per_second if self.rate_per_second is None else self.rate_per_second,
            p50_seconds=other.p50_seconds if self.p50_seconds is None else self.p50_seconds,
            p99_seconds=other.p99_seconds if self.p99_seconds is None else self.p99_seconds,
            workers=other.workers if self.workers is None else self.workers,
        )

    def check(self) -> None:
        """Raises InputError that names the option which is missing or out of range."""
        for option, value, most in (
            ("--request-rate", self.rate_per_second, _MOST_RATE),
            ("--request-p50", self.p50_seconds, _MOST_SECONDS),
            ("--request-p99", self.p99_seconds, _MOST_SECONDS),
        ):
            if value is None:
                raise InputError(f"{option}: the load test does not state it; add the option")
            if not 0.0 < value <= most:
                raise InputError(
                    f"{option}: {value:g} is out of range; it must be more than 0 and at most {most:g}"
                )
        assert self.p50_seconds is not None
        assert self.p99_seconds is not None
        if self.p99_seconds < self.p50_seconds:
            raise InputError(
                f"--request-p99: {format_seconds(self.p99_seconds)} is less than the median,"
                f" {format_seconds(self.p50_seconds)}; give both of one load test"
            )


def read_load_test(path: Path) -> LoadTest:
    """The load test in a file. Raises InputError that names the file."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path}: cannot be read ({reason}); check the path") from error
    if len(content) > MOST_BYTES:
        raise InputError(f"{path}: is larger than {MOST_BYTES >> 20} MiB; give the summary of the load test")
    try:
        return _read(content.decode("utf-8"))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path}: is no result of a known load tester ({type(error).__name__}); {_ADVICE}"
        ) from error


def _read(text: str) -> LoadTest:
    if text.lstrip().startswith("{"):
        return _from_json(json.loads(text))
    if any(column in text.partition("\n")[0] for column in _COLUMNS):
        return _from_csv(text)
    found = {float(level): float(value) * _UNITS[unit] for level, value, unit in _TEXT_QUANTILE.findall(text)}
    rate = _TEXT_RATE.search(text)
    if not found:
        raise InputError(f"shows no latencies of a known load tester; {_ADVICE}")
    if 50.0 not in found or 99.0 not in found:
        raise InputError("shows no 50 % or no 99 % of the latencies; add --latency to wrk, or " + _ADVICE)
    return LoadTest(
        rate_per_second=float(rate[1]) if rate else None, p50_seconds=found[50.0], p99_seconds=found[99.0]
    )


def _from_json(document: Mapping[str, Any]) -> LoadTest:
    if "latencies" in document:  # vegeta; ns
        of = document["latencies"]
        return _load_test(number(document, "rate"), number(of, "50th"), number(of, "99th"), 1e-9)
    if "metrics" in document:  # k6; ms
        return _from_k6(document["metrics"])
    if "latencyPercentiles" in document:  # oha; seconds
        of = document["latencyPercentiles"]
        return _load_test(
            number(document["summary"], "requestsPerSec"), number(of, "p50"), number(of, "p99"), 1.0
        )
    if "latency_seconds" in document:  # the load drivers of gcsim's experiments
        of = document["latency_seconds"]
        return _load_test(number(document, "rate"), number(of, "p50"), number(of, "p99"), 1.0)
    raise InputError(f"is JSON, but of no known load tester; {_ADVICE}")


def _from_k6(metrics: Mapping[str, Any]) -> LoadTest:
    times, count = metrics["http_req_duration"], metrics["http_reqs"]
    times, count = times.get("values", times), count.get("values", count)
    if "p(99)" not in times:
        raise InputError('has no p(99); run k6 with --summary-trend-stats="med,p(99)", or ' + _ADVICE)
    return _load_test(number(count, "rate"), number(times, "med"), number(times, "p(99)"), 1e-3)


def _load_test(rate: float, p50: float, p99: float, unit_seconds: float) -> LoadTest:
    return LoadTest(rate_per_second=rate, p50_seconds=p50 * unit_seconds, p99_seconds=p99 * unit_seconds)


def _from_csv(text: str) -> LoadTest:
    rows = list(csv.DictReader(io.StringIO(text)))
    name = next(name for name in _COLUMNS if rows and name in rows[0])
    latencies = _column(rows, name) * _COLUMNS[name]
    if latencies.size < _LEAST_ROWS:
        raise InputError(
            f"has {latencies.size} requests, and a 99th percentile needs {_LEAST_ROWS}; test for a longer time"
        )
    found = _load_test(0.0, float(np.quantile(latencies, 0.5)), float(np.quantile(latencies, 0.99)), 1.0)
    start = next((one for one in _STARTS if one in rows[0]), None)
    if start is None:
        return replace(found, rate_per_second=None)
    lasted = float(np.ptp(_column(rows, start)))
    return replace(found, rate_per_second=(latencies.size - 1) / lasted if lasted > 0 else None)


def _column(rows: Sequence[Mapping[str, str]], name: str) -> FloatArray:
    try:
        return np.array([float(row[name]) for row in rows])
    except (TypeError, ValueError):
        place = next(i for i, row in enumerate(rows, start=2) if not _is_number(row[name]))
        raise InputError(f"line {place}: {name} is no number; take the line out") from None


def _is_number(text: str | None) -> bool:
    try:
        return text is not None and float(text) >= 0.0
    except ValueError:
        return False
