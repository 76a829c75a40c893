"""Requests in model files and in the event engine."""

from dataclasses import replace
from pathlib import Path

from des_fingerprint import open_service

from gcsim.engine.simulate import simulate
from gcsim.service.model import Model


def test_model_files_keep_requests(tmp_path: Path) -> None:
    """Saved and loaded, the requests are the same; a model without them has none."""
    model = open_service()
    model.save(tmp_path / "m.toml")
    assert Model.load(tmp_path / "m.toml").requests == model.requests
    replace(model, requests=None).save(tmp_path / "n.toml")
    assert Model.load(tmp_path / "n.toml").requests is None


def test_request_latency_is_a_metric_of_the_event_engine() -> None:
    """Median and 99th percentile, rising with load."""
    model = open_service()
    quiet, busy = (
        simulate(model.scaled(load=load), [model.settings], duration_seconds=5.0, replicas=2, engine="des")[0]
        for load in (0.5, 1.4)
    )
    for run in (quiet, busy):
        assert 0 < run.metrics["request_p50_seconds"].value <= run.metrics["request_p99_seconds"].value
    assert quiet.metrics["request_p99_seconds"].value < busy.metrics["request_p99_seconds"].value
