"""The requests of a service from the median and the 99th percentile of a load test.

    CPU time of a request, mean = CPU time of the program outside GC / requests
    latency                     = simulated time on Ps and in their queues + time without a P

The CPU time and the time without a P are lognormal with one common spread. The median without a P and the spread are
fitted, so that the simulated load test has the measured median and 99th percentile. If even without such a time the
simulated median is above the measured one, a request does not wait for all CPU time that it causes: the work is then
simulated as 2, 4 ... 16 equal pieces, and the latency is that of one piece.

Error: a load test does not show which part of a latency is CPU time of this process and which is not. All CPU time
outside GC counts as the requests' own, and the time without a P does not change with GOGC. Arrivals are evenly
spaced, as load testers send them at a fixed rate.
"""

import math
from dataclasses import dataclass, replace

from gcsim.arrays import Int64Array
from gcsim.calibration.estimate.requests import simulated_latencies
from gcsim.calibration.load_test import LoadTest
from gcsim.engine.des.program.latency import quantile_seconds
from gcsim.engine.des.program.waits import Waits
from gcsim.errors import InputError
from gcsim.service.model import Model
from gcsim.service.requests import Requests

_PIECES = (1, 2, 4, 8, 16)
_SIGMAS = (0.05, 2.5)
_HALVINGS, _WAIT_HALVINGS = 7, 20
_TOO_HIGH = 1.1  # of the simulated median over the measured one: more pieces
_A_GOROUTINE_FOR_EACH = 1000  # workers: as many as requests, as in net/http
_REQUESTS, _SECONDS = 20_000.0, (15.0, 120.0)  # simulated in each trial
_LEAST_WAIT = 1e-3  # of the measured median


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedRequests:
    """The requests, and the simulated load test with them."""

    requests: Requests
    p50_seconds: float
    p99_seconds: float


def with_load_test(
    model: Model, test: LoadTest, *, host_memory_seconds: float = 0.0
) -> tuple[Model, FittedRequests]:
    """The model with requests that give the load test's latencies at the calibrated setting, and their fit.

    ``host_memory_seconds`` is the correlation time of the machine's speed.
    Raises InputError for a closed loop or a job, and for a load test that lacks a figure.
    """
    test.check()
    if model.growth.form == "job":
        raise InputError(
            "--requests: the log is of a job, and a job has no requests; leave the load test out"
        )
    if model.loop == "closed":
        raise InputError(
            "--requests: the log shows a program at full speed, whose clients wait for its answers; test at a fixed"
            " rate that it can serve, or pass --open-loop if the test had one"
        )
    best: FittedRequests | None = None
    for pieces in _PIECES:
        found = _fitted(model, test, pieces, host_memory_seconds)
        if best is None or found.p50_seconds < best.p50_seconds:
            best = found
        assert test.p50_seconds is not None
        if found.p50_seconds <= _TOO_HIGH * test.p50_seconds:
            break
    assert best is not None
    return replace(model, requests=best.requests), best


def _fitted(model: Model, test: LoadTest, pieces: int, memory_seconds: float) -> FittedRequests:
    """The fit with a number of pieces: halving of the spread, with the wait that gives the median."""
    low, high = _SIGMAS
    found = None
    for _ in range(_HALVINGS):
        sigma = math.sqrt(low * high)
        found = _trial(model, test, pieces, sigma, memory_seconds)
        assert test.p99_seconds is not None
        low, high = (sigma, high) if found.p99_seconds < test.p99_seconds else (low, sigma)
    assert found is not None
    return found


def _trial(model: Model, test: LoadTest, pieces: int, sigma: float, memory_seconds: float) -> FittedRequests:
    assert test.rate_per_second is not None
    assert test.p50_seconds is not None
    requests = Requests(
        bytes_per_request=model.parameters.alloc_bytes_per_second.value / (test.rate_per_second * pieces),
        workers=test.workers or _A_GOROUTINE_FOR_EACH,
        service_sigma=sigma,
        host_memory_seconds=memory_seconds,
        gap_variation=0.0,
    )
    seconds = min(max(_REQUESTS / test.rate_per_second, _SECONDS[0]), _SECONDS[1])
    counts = simulated_latencies(model, requests, seconds=seconds).counts()
    waits = _waits(counts, sigma, median_seconds=test.p50_seconds)
    return FittedRequests(
        requests=requests
        if waits is None
        else replace(requests, wait_seconds=waits.median_seconds, wait_sigma=sigma),
        p50_seconds=quantile_seconds(counts, 0.5, waits),
        p99_seconds=quantile_seconds(counts, 0.99, waits),
    )


def _waits(counts: Int64Array, sigma: float, *, median_seconds: float) -> Waits | None:
    """The waits with which a histogram of latencies has this median; None if it is as high without any."""
    low, high = _LEAST_WAIT * median_seconds, median_seconds
    if quantile_seconds(counts, 0.5, Waits(low, sigma)) >= median_seconds:
        return None
    for _ in range(_WAIT_HALVINGS):
        middle = math.sqrt(low * high)
        if quantile_seconds(counts, 0.5, Waits(middle, sigma)) < median_seconds:
            low = middle
        else:
            high = middle
    return Waits(math.sqrt(low * high), sigma)
