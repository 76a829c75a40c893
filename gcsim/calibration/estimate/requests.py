"""The requests of a service, from the result file that its load driver wrote next to the log."""

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
_FIGURES = ("workers", "service_seconds")  # of a load driver alone
_LONGEST_MEMORY_S = 5.0
_STALL_SHARES = (0.002, 0.3)
_SHORTEST_STALL_S = 2e-4  # the longest is the prior's: longer tails come from time slices or assists
_WAKES_S = (5e-6, 100e-6)  # per-request logs show 60 us
_HALVINGS = 7
_LEAST_REST = 0.02  # of the time between two requests of a worker
_SECONDS = 15.0  # simulated in each trial
_MOST_CYCLES = 200


def result_file(log: str | Path) -> Path | None:
    """The path of ``NAME.result.json`` next to ``NAME.log`` or ``NAME.log.gz``; None if there is none.

    A JSON object with none of the driver's figures is another program's result and counts as none. Raises InputError
    for a file that is not JSON.
    """
    path = Path(log)
    stem = path.name.removesuffix(".gz").removesuffix(".log")
    result = path.with_name(stem + _SUFFIX)
    return result if result.is_file() and not _is_of_another(_read(result)) else None


def loop_of(result: Path) -> Loop | None:
    """The loop that the driver states, or None. Above 85 % load the log alone does not determine it."""
    loop = _read(result).get("loop")
    return loop if loop in ("open", "closed") else None


def with_requests(model: Model, result: Path, evidence: Evidence | None = None) -> Model:
    """The model with the requests of a load driver's result file (``experiments/programs``).

    The model gives the effects of scheduler and collector on a request. Two effects of the host are fitted: the time
    that an idle processor needs to wake up, and the share of request time that stalls take. The simulated calibrated
    run then has the measured median latency and the measured 99th percentile of service times.
    ``evidence`` gives the correlation time of the machine's speed. In a closed loop, workers rest between requests by
    Little's law (number, rate and latency), and latencies are not fitted. Raises InputError if the file is not such a
    result.
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
    """The time over which the correlation of mark CPU falls to 1/e, 0 to 5 s; 0 without correlation."""
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
        result,
        _table,
        form="JSON",
        what="a load driver's result",
        advice="move it away, or run the driver again",
    )


def _is_of_another(document: Mapping[str, Any]) -> bool:
    """Whether a result has none of the figures that every load driver's result has."""
    return not any(name in document for name in _FIGURES)


def _table(document: object) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise InputError("it holds no figures on requests; move it away, or run the driver again")
    return document


def _no_figures(result: Path, why: object) -> InputError:
    return InputError(
        f"{result}: it holds no figures on requests ({why}); move it away, or run the driver again"
    )


def _with_host(model: Model, requests: Requests, document: Mapping[str, Any]) -> Model:
    """The model with fitted wake-up time (by median latency) and stall share (by the 99th percentile of service times).

    The 99th percentile of latencies is not used, because it includes effects of the collector. The length of a stall
    is that of the exponential tail between the 99th and 99.9th percentiles of service times.
    """
    try:
        median = float(document["latency_seconds"]["p50"])
        longest = float(document["service_seconds"]["p99"])
        beyond = float(document["service_seconds"]["p999"]) - longest
    except (KeyError, TypeError):
        return model  # a driver that prints service times only
    length = min(max(beyond / math.log(10.0), _SHORTEST_STALL_S), requests.stall_seconds)
    stalls, wakes, best = _STALL_SHARES, _WAKES_S, replace(requests, stall_seconds=length)
    for _ in range(_HALVINGS):  # each parameter mostly moves its own quantile
        best = replace(
            best, stall_share=math.sqrt(math.prod(stalls)), wake_seconds=math.sqrt(math.prod(wakes))
        )
        simulated = simulated_latencies(model, best)
        stalls = _halved(stalls, best.stall_share, too_low=simulated.served_quantile_seconds(0.99) < longest)
        wakes = _halved(wakes, best.wake_seconds, too_low=simulated.quantile_seconds(0.5) < median)
    return replace(model, requests=best)


def _halved(bounds: tuple[float, float], middle: float, *, too_low: bool) -> tuple[float, float]:
    """The half of an interval that holds the measured outcome."""
    return (middle, bounds[1]) if too_low else (bounds[0], middle)


def _rest_seconds(document: Mapping[str, Any]) -> float:
    """Mean rest of a closed loop's worker between two requests, seconds; 0 if it is below 2 % of the period."""
    try:
        latency = float(document["latency_seconds"]["mean"])
    except (KeyError, TypeError):
        return 0.0
    period = float(document["workers"]) / float(document["rate"])
    return period - latency if period - latency > _LEAST_REST * period else 0.0


def simulated_latencies(model: Model, requests: Requests, *, seconds: float = _SECONDS) -> LatencySums:
    """The latencies of these requests in a run at the calibrated setting, with the model's central values."""
    model = replace(model, requests=requests)
    latencies, _ = run_cycles(
        model,
        model.settings,
        central_parameters(model, model.settings, fit_scheduler_parameters(model, seed=0)),
        lambda *_: None,
        replica=0,
        seed=0,
        duration_seconds=seconds,
        most_cycles=_MOST_CYCLES,
    )
    assert latencies is not None  # the model has requests
    return latencies
