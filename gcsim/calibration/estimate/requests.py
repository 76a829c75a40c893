"""A service's requests, from the figures that its load driver printed beside the log."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gcsim.calibration.evidence import Evidence
from gcsim.documents import read_document
from gcsim.engine.des.program.latency import LatencySums
from gcsim.engine.des.run.parameters import central_parameters
from gcsim.engine.des.run.runner import run_cycles
from gcsim.engine.des.run.scheduler import fit_scheduler_parameters
from gcsim.errors import InputError
from gcsim.service.model import Loop, Model
from gcsim.service.requests import Requests, requests_from_result

_SUFFIX = ".result.json"
_LONGEST_MEMORY_S = 5.0
_STALL_SHARES = (0.002, 0.3)
_SHORTEST_STALL_S = (
    2e-4  # the longest is the prior's: beyond it slices of the scheduler make the tail, or assists
)
_WAKES_S = (5e-6, 100e-6)  # logs of every request showed 60 us
_HALVINGS = 7
_LEAST_REST = 0.02  # of the time from one request of a worker to its next
_SECONDS = 15.0  # simulated in each trial
_MOST_CYCLES = 200


def result_file(log: str | Path) -> Path | None:
    """``NAME.result.json`` beside ``NAME.log`` or ``NAME.log.gz``, where there is one."""
    path = Path(log)
    stem = path.name.removesuffix(".gz").removesuffix(".log")
    beside = path.with_name(stem + _SUFFIX)
    return beside if beside.is_file() else None


def loop_of(result: Path) -> Loop | None:
    """What set the pace, where the driver says so: above 85 % load the log alone cannot tell."""
    loop = _read(result).get("loop")
    return loop if loop in ("open", "closed") else None


def with_requests(model: Model, result: Path, evidence: Evidence | None = None) -> Model:
    """The model with requests as a load driver's result tells them (``experiments/programs``).

    What the scheduler and the collector do to a request follows from the model. What the host does is set so that
    the calibrated run comes out with the median latency and the 99th percentile of service times that the driver
    measured: what an idle processor needs to wake up, and for how much of requests' time theirs was taken away.
    ``evidence`` tells for how long the machine's speed stays alike. A closed loop's workers rest between requests as
    their number, rate and latency say (Little's law); nothing is set on its latencies. Raises InputError on a file
    that is no such result.
    """
    document = _read(result)
    try:
        rate = model.parameters.alloc_bytes_per_second.value
        requests = requests_from_result(document, alloc_bytes_per_second=rate)
        if evidence is not None:
            requests = replace(requests, host_memory_seconds=speed_memory_seconds(evidence))
        if model.loop == "closed":
            return replace(model, requests=replace(requests, think_seconds=_rest_seconds(document)))
        return _with_host(replace(model, requests=requests), requests, document)
    except (OSError, ValueError, InputError) as error:
        raise _no_figures(result, error) from error


def speed_memory_seconds(evidence: Evidence) -> float:
    """Over which the mark CPU of cycles is correlated, to 1/e; 0 where one cycle says nothing of the next."""
    cost = np.log(np.maximum(evidence.mark_cpu_seconds, 1e-9))
    cost = cost - cost.mean()
    if cost.size < 8 or not cost.any():
        return 0.0
    alike = float((cost[1:] * cost[:-1]).mean() / (cost * cost).mean())
    if alike <= 0.05:
        return 0.0
    period = float(np.diff(evidence.start_seconds).mean())
    return min(-period / math.log(min(alike, 0.99)), _LONGEST_MEMORY_S)


def _read(result: Path) -> dict[str, Any]:
    return read_document(
        result, _table, form="JSON", what="a load driver's result", advice="move it away, or run again"
    )


def _table(document: object) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise InputError("no figures on requests in it; move it away, or run again")
    return document


def _no_figures(result: Path, why: object) -> InputError:
    return InputError(f"{result}: no figures on requests in it ({why}); move it away, or run again")


def _with_host(model: Model, requests: Requests, document: Mapping[str, Any]) -> Model:
    """Wake-ups that give the calibrated run its median latency, and stalls its longest services.

    The 99th percentile of latencies would blame the host for what the collector does to them. A stall's length is
    that of the exponential tail between the service times' 99th and 99.9th percentiles.
    """
    try:
        median = float(document["latency_seconds"]["p50"])
        longest = float(document["service_seconds"]["p99"])
        beyond = float(document["service_seconds"]["p999"]) - longest
    except (KeyError, TypeError):
        return model  # a driver that tells service times only
    length = min(max(beyond / math.log(10.0), _SHORTEST_STALL_S), requests.stall_seconds)
    stalls, wakes, best = _STALL_SHARES, _WAKES_S, replace(requests, stall_seconds=length)
    for _ in range(_HALVINGS):  # each of both mostly moves its own quantile
        best = replace(
            best, stall_share=math.sqrt(math.prod(stalls)), wake_seconds=math.sqrt(math.prod(wakes))
        )
        seen = _latencies(model, best)
        stalls = _halved(stalls, best.stall_share, too_low=seen.served_quantile_seconds(0.99) < longest)
        wakes = _halved(wakes, best.wake_seconds, too_low=seen.quantile_seconds(0.5) < median)
    return replace(model, requests=best)


def _halved(bounds: tuple[float, float], middle: float, *, too_low: bool) -> tuple[float, float]:
    """The half of an interval in which the outcome is as high as was measured."""
    return (middle, bounds[1]) if too_low else (bounds[0], middle)


def _rest_seconds(document: Mapping[str, Any]) -> float:
    """What a worker of a closed loop rests between two requests, on average; none where it is lost in the noise."""
    try:
        latency = float(document["latency_seconds"]["mean"])
    except (KeyError, TypeError):
        return 0.0
    period = float(document["workers"]) / float(document["rate"])
    return period - latency if period - latency > _LEAST_REST * period else 0.0


def _latencies(model: Model, requests: Requests) -> LatencySums:
    model = replace(model, requests=requests)
    latencies = run_cycles(
        model,
        model.settings,
        central_parameters(model, model.settings, fit_scheduler_parameters(model, seed=0)),
        lambda *_: None,
        replica=0,
        seed=0,
        duration_seconds=_SECONDS,
        most_cycles=_MOST_CYCLES,
    )
    assert latencies is not None  # the model has requests
    return latencies
