"""Requests: their arrivals, their cost and the goroutines that serve them.

    CPU time of a request = bytes_per_request / alloc_bytes_per_cpu_second
    arrival rate          = alloc_bytes_per_second / bytes_per_request

A change of the load, and the uncertainty of both rates, therefore act on requests and on the heap alike.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.documents import number, whole_number
from gcsim.errors import InputError
from gcsim.service.profile import Profile
from gcsim.units import format_bound, format_range

_Z90 = 1.2815515655446004  # standard normal quantile of 0.9
_MAX_SIGMA = 3.0
_MOST_SECONDS = 3600.0
_RANGES = {
    "bytes_per_request": (1.0, float((1 << 48) - 1)),
    "workers": (1, 100_000),
    "service_sigma": (0.0, _MAX_SIGMA),
    "burst_size": (1.0, 10_000.0),
    "think_seconds": (0.0, _MOST_SECONDS),
    "host_memory_seconds": (0.0, _MOST_SECONDS),
    "stall_share": (0.0, 0.9),
    "stall_seconds": (0.0, _MOST_SECONDS),
    "wake_seconds": (0.0, _MOST_SECONDS),
    "wait_seconds": (0.0, _MOST_SECONDS),
    "wait_sigma": (0.0, _MAX_SIGMA),
    "gap_variation": (0.0, 1.0),
}
# fields that model files without a load test do not have, with their usual values
_OF_LOAD_TESTS = {"wait_seconds": 0.0, "wait_sigma": 0.0, "gap_variation": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """The requests of a service. In a closed loop each worker sends its next request itself."""

    bytes_per_request: float  # mean allocation
    workers: int  # goroutines that serve requests
    service_sigma: float = 0.5  # standard deviation of the log of a request's lognormal CPU time
    burst_size: float = 1.0  # mean number of simultaneous arrivals, geometric; 1 is a Poisson stream
    think_seconds: float = 0.0  # closed loop: mean rest of a worker between two requests
    host_memory_seconds: float = (
        0.0  # correlation time of the machine's speed, which varies by CycleVariability.mark_cpu_factor
    )
    stall_share: float = 0.0  # share of requests' time on a P that the host takes away
    stall_seconds: float = 0.0013  # mean duration of such a stall, exponential
    wake_seconds: float = 0.0  # from an arrival with an idle P to its start: poller, wake-up, hand-over
    wait_seconds: float = 0.0  # median time without a P: network, client, disk, backends; lognormal
    wait_sigma: float = 0.0  # standard deviation of its log
    gap_variation: float = 1.0  # of the gaps between bursts, deviation over mean: 1 is Poisson, 0 even

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(
                    f"requests: {name} must be from {format_range(low, high)}, got {format_bound(value)}"
                )

    @classmethod
    def from_document(cls, entry: Mapping[str, Any]) -> Self:
        """The requests in a model file's table. Raises InputError."""
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(entry) - known)
        if unknown:
            raise InputError(f"requests: unknown entry {unknown[0]!r}; known: {', '.join(sorted(known))}")
        values: dict[str, Any] = {name: number(entry, name) for name in entry}
        return cls(**(values | {"workers": whole_number(entry, "workers")}))

    def to_document(self) -> dict[str, float | int]:
        """The table of the model file."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in found.items() if value != _OF_LOAD_TESTS.get(name)}


def requests_from_result(result: Mapping[str, Any], *, alloc_bytes_per_second: float) -> Requests:
    """The requests from the figures that a load driver printed at the end of the calibrated run.

    ``result`` holds ``rate`` (requests per second), ``workers`` and ``service_seconds`` with ``p50`` and ``p90``, as
    ``experiments/programs`` print them. Service times include pauses and assists, which affect only the highest
    quantiles. Raises InputError.
    """
    try:
        rate, workers = float(result["rate"]), int(result["workers"])
        median, p90 = float(result["service_seconds"]["p50"]), float(result["service_seconds"]["p90"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"the result file lacks a figure on requests ({error})") from error
    if rate <= 0 or median <= 0:
        raise InputError("the result file counts no requests")
    return Requests(
        bytes_per_request=alloc_bytes_per_second / rate,
        workers=workers,
        service_sigma=min(max(math.log(max(p90 / median, 1.0)) / _Z90, 0.0), _MAX_SIGMA),
    )


def service_seconds(
    requests: Requests, generator: np.random.Generator, count: int, *, mean_seconds: float
) -> FloatArray:
    """Random service times on a P at full speed, shape (count,), seconds: lognormal plus exponential stalls."""
    sigma, stalled = requests.service_sigma, requests.stall_share * mean_seconds
    logarithms = sigma * generator.standard_normal(count) - 0.5 * sigma * sigma
    times: FloatArray = (mean_seconds - stalled) * np.exp(logarithms)
    if stalled > 0 and requests.stall_seconds > 0:
        stalls = generator.poisson(stalled / requests.stall_seconds, size=count)
        times += requests.stall_seconds * generator.standard_gamma(stalls)
    return times


def arrival_seconds(
    requests: Requests,
    generator: np.random.Generator,
    count: int,
    *,
    rate_per_second: float,
    profile: Profile,
    after_seconds: float,
) -> FloatArray:
    """The times of the next ``count`` arrivals after ``after_seconds``, ascending, shape (count,).

    Bursts of geometric size arrive as a stream whose rate follows the profile's allocation factor. The factor
    is constant between bursts, at its value at the burst before. Gaps are gamma distributed: exponential in a Poisson
    stream, equal in an even one.
    """
    bursts = generator.geometric(1.0 / requests.burst_size, size=count)
    bursts = bursts[: int(np.searchsorted(np.cumsum(bursts), count)) + 1]
    gaps = _gaps(requests, generator, bursts.size, requests.burst_size / rate_per_second)
    times = after_seconds + np.cumsum(gaps)
    if not profile.is_steady:
        times = _warped(times, profile, after_seconds)
    return np.repeat(times, bursts)[:count]


def _gaps(requests: Requests, generator: np.random.Generator, count: int, mean_seconds: float) -> FloatArray:
    """Gaps between bursts, shape (count,), seconds."""
    variance = requests.gap_variation**2
    if variance == 1.0:
        return generator.exponential(mean_seconds, size=count)
    if variance == 0.0:
        return np.full(count, mean_seconds)
    gaps: FloatArray = mean_seconds * variance * generator.standard_gamma(1.0 / variance, size=count)
    return gaps


def _warped(times: FloatArray, profile: Profile, after_seconds: float) -> FloatArray:
    """The times of a stream with mean rate 1, transformed so that its rate follows the profile."""
    span = float(times[-1] - after_seconds)
    grid = after_seconds + np.linspace(0.0, 4.0 * span + profile.period_seconds, 4096)
    factor = np.maximum(profile.alloc_at(grid), 1e-6)
    passed = np.concatenate([[0.0], np.cumsum(0.5 * (factor[1:] + factor[:-1]) * np.diff(grid))])
    return np.interp(times - after_seconds, passed, grid)
