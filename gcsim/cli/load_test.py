"""The options of ``gcsim calibrate`` for the result of a load test."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gcsim.cli.options import Command, with_options
from gcsim.errors import InputError
from gcsim.printable import quoted
from gcsim.units import format_number, format_seconds, parse_duration

if TYPE_CHECKING:
    from gcsim.calibration.estimate.load_test import FittedRequests
    from gcsim.calibration.load_test import LoadTest

_FileOption = Annotated[
    Path | None,
    typer.Option(
        "--requests",
        metavar="FILE",
        help="Result of a load test at a fixed rate while the log was written: JSON of vegeta, k6 or oha, text or CSV"
        " of hey, text of wrk.",
    ),
]
_RateOption = Annotated[
    str | None,
    typer.Option(
        "--request-rate", metavar="RATE", help="Requests per second of the load test, such as 150/s."
    ),
]
_P50Option = Annotated[
    str | None,
    typer.Option("--request-p50", metavar="TIME", help="Median latency of the load test, such as 2ms."),
]
_P99Option = Annotated[
    str | None,
    typer.Option(
        "--request-p99", metavar="TIME", help="99th-percentile latency of the load test, such as 11ms."
    ),
]
_WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--request-workers",
        metavar="N",
        min=1,
        max=100_000,
        help="Goroutines that serve requests [default: one for each request, as in net/http].",
    ),
]


_MOST_OFF = 1.3  # ratio of a simulated and a measured quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenLoadTest:
    """The values of the options, as the user wrote them."""

    requests: Path | None
    request_rate: str | None
    request_p50: str | None
    request_p99: str | None
    request_workers: int | None

    def load_test(self) -> "LoadTest | None":
        """The load test; None without an option. Raises InputError that names the option or the file."""
        stated = (self.request_rate, self.request_p50, self.request_p99, self.request_workers)
        if self.requests is None and all(one is None for one in stated):
            return None
        from gcsim.calibration.load_test import LoadTest, read_load_test

        given = LoadTest(
            rate_per_second=None if self.request_rate is None else _parse_rate(self.request_rate),
            p50_seconds=_duration(self.request_p50, "--request-p50"),
            p99_seconds=_duration(self.request_p99, "--request-p99"),
            workers=self.request_workers,
        )
        found = given if self.requests is None else given.over(read_load_test(self.requests))
        found.check()
        return found


_OPTIONS: dict[str, tuple[Any, Any]] = {
    "requests": (_FileOption, None),
    "request_rate": (_RateOption, None),
    "request_p50": (_P50Option, None),
    "request_p99": (_P99Option, None),
    "request_workers": (_WorkersOption, None),
}


def reads_load_test() -> Command:
    """Gives a command the options for a load test in place of its parameter ``tested``, a ``GivenLoadTest``."""
    return with_options("tested", _OPTIONS, lambda chosen: GivenLoadTest(**chosen))


def fit_sentences(fitted: "FittedRequests", test: "LoadTest") -> str:
    """The simulated load test next to the measured one."""
    assert test.p50_seconds is not None
    assert test.p99_seconds is not None
    assert test.rate_per_second is not None
    found = fitted.requests
    text = (
        f"requests: {format_number(test.rate_per_second)} a second; simulated p50 {format_seconds(fitted.p50_seconds)},"
        f" p99 {format_seconds(fitted.p99_seconds)}; load test p50 {format_seconds(test.p50_seconds)},"
        f" p99 {format_seconds(test.p99_seconds)}."
    )
    if found.wait_seconds > 0:
        text += f" Of the median, {format_seconds(found.wait_seconds)} is time without CPU, which no setting changes."
    off = max(_ratio(fitted.p50_seconds, test.p50_seconds), _ratio(fitted.p99_seconds, test.p99_seconds))
    if off > _MOST_OFF:
        text += (
            f" No request model of gcsim gives this load test: one figure is {format_number(off, 2)} times off, so do"
            " not rely on --max-request-p99."
        )
    return text


def _ratio(one: float, other: float) -> float:
    return max(one / other, other / one)


def _duration(text: str | None, option: str) -> float | None:
    return None if text is None else parse_duration(text, what=option)


def _parse_rate(text: str) -> float:
    try:
        rate = float(text.strip().removesuffix("/s"))
    except ValueError:
        rate = 0.0
    if not 0.0 < rate < float("inf"):
        raise InputError(f"--request-rate: {quoted(text)} is no rate above 0; write for example 150/s")
    return rate
