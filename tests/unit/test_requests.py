"""Requests of a model: from a driver's result, and as they arrive."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from example_service import example_service

from gcsim.calibration.estimate.requests import result_file, with_requests
from gcsim.errors import InputError
from gcsim.service.profile import Profile
from gcsim.service.requests import Requests, arrival_seconds, service_seconds
from gcsim.streams import stream

RESULT = {"rate": 1000.0, "workers": 32, "service_seconds": {"p50": 1e-4, "p90": 2e-4}}


def test_a_result_beside_the_log_gives_a_model_its_requests(tmp_path: Path) -> None:
    """Bytes a request from the model's allocation and the driver's rate; a closed loop also has rests."""
    beside = tmp_path / "orders.result.json"
    beside.write_text(json.dumps(RESULT))
    assert result_file(tmp_path / "orders.log.gz") == beside
    assert result_file(tmp_path / "other.log") is None
    (tmp_path / "job.result.json").write_text(json.dumps({"loop": "closed", "rate": 0.4, "job_seconds": 2.5}))
    assert result_file(tmp_path / "job.log") is None  # another program's result
    closed = example_service()
    looped = with_requests(closed, beside).requests
    assert looped is not None
    assert looped.think_seconds == 0.0
    beside.write_text(json.dumps(RESULT | {"latency_seconds": {"mean": 0.004}}))
    rested = with_requests(closed, beside).requests
    assert rested is not None
    assert rested.think_seconds == pytest.approx(0.028)  # 32 workers at 1000 a second
    beside.write_text(json.dumps(RESULT))
    served = with_requests(replace(closed, loop="open"), beside).requests
    assert served is not None
    assert served.bytes_per_request == closed.parameters.alloc_bytes_per_second.value / 1000.0
    assert served.workers == 32


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps(RESULT | {"rate": 0})])
def test_a_file_without_such_figures_is_an_input_error(tmp_path: Path, text: str) -> None:
    """The error names the file."""
    path = tmp_path / "x.result.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"x\.result\.json"):
        with_requests(replace(example_service(), loop="open"), path)


def test_arrivals_have_the_rate_and_burst_asked_for_and_follow_the_profile() -> None:
    """Mean rate, mean burst size, and twice as many arrivals where the profile says twice."""
    requests = Requests(bytes_per_request=1.0, workers=1, burst_size=4.0)
    draws = stream(1, "arrivals")
    steady = arrival_seconds(
        requests, draws, 200_000, rate_per_second=1000.0, profile=Profile.steady(), after_seconds=5.0
    )
    assert steady[0] >= 5.0
    assert (np.diff(steady) >= 0).all()
    assert steady.size / (steady[-1] - 5.0) == pytest.approx(1000.0, rel=0.03)
    assert steady.size / np.unique(steady).size == pytest.approx(4.0, rel=0.03)
    profile = Profile(
        seconds=np.array([0.0, 10.0, 10.001, 20.0]),
        live_factor=np.ones(4),
        alloc_factor=np.array([1.0, 1, 2, 2]),
    )
    moving = arrival_seconds(
        replace(requests, burst_size=1.0),
        draws,
        60_000,
        rate_per_second=1000.0,
        profile=profile,
        after_seconds=0.0,
    )
    first, second = ((moving < 10.0).sum(), ((moving >= 10.0) & (moving < 20.0)).sum())
    assert second / first == pytest.approx(2.0, rel=0.05)


def test_service_times_keep_their_mean() -> None:
    """Whatever the spread."""
    for sigma in (0.0, 0.5, 1.0):
        requests = Requests(bytes_per_request=1.0, workers=1, service_sigma=sigma)
        drawn = service_seconds(requests, stream(1, "service"), 400_000, mean_seconds=2e-4)
        assert drawn.mean() == pytest.approx(2e-4, rel=0.02)
