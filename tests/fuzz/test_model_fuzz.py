"""Mutated model files: each is refused with one sentence, or gives a finite prediction in a few seconds.

pytest tests/fuzz --fuzz-models 20000
"""

import math
import random
import signal
import tomllib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from model_mutations import mutated

from gcsim.engine.run import Run
from gcsim.engine.simulate import record_cycles, simulate
from gcsim.errors import InputError
from gcsim.report.text import format_estimate
from gcsim.service.model import Model, shipped_models
from gcsim.settings import Settings
from gcsim.tuning.sweep import sweep

FILES = 150
SECONDS_EACH = 5
SETTINGS = (
    Settings(gogc=100, gomaxprocs=2),
    Settings(gogc=10, gomaxprocs=1),
    Settings(gogc=1000, gomaxprocs=64, gomemlimit_bytes=100 << 20),
    Settings(gogc=None, gomaxprocs=2, gomemlimit_bytes=256 << 20),
    Settings(gogc=None, gomaxprocs=2),
    Settings(gogc=0, gomaxprocs=4, gomemlimit_bytes=1 << 20, go="1.20"),
)


def test_a_mutated_model_is_refused_or_predicts(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """No other exception, no figure that is not finite, no warning, and no file that takes over five seconds."""
    files = request.config.getoption("--fuzz-models", default=None) or FILES
    bases = [tomllib.loads(path.read_text()) for path in shipped_models().values()]
    bases.append(moving(bases[0]))
    generator, path = random.Random(20261129), tmp_path / "mutated.toml"
    predicted, faults = 0, []
    for number in range(files):
        content = mutated(bases[number % len(bases)], generator)
        path.write_bytes(content)
        try:
            with time_limit(SECONDS_EACH), warnings.catch_warnings():
                warnings.simplefilter("error")
                predicted += predicts(path, number)
        except Exception as error:
            kept = tmp_path / f"fault-{number}.toml"
            kept.write_bytes(content)
            faults.append(f"{kept}: {error!r}")
    assert not faults, f"{len(faults)} of {files}:\n" + "\n".join(faults[:20])
    assert 0.1 * files < predicted < 0.9 * files, "the mutations are all refused, or all harmless"


def moving(document: dict[str, Any]) -> dict[str, Any]:
    """The same service with a course in time and with requests."""
    profile = {"seconds": [0.0, 5.0, 9.0], "live_factor": [1.0, 1.2, 0.9], "alloc_factor": [0.5, 2.0, 0.8]}
    requests = {"bytes_per_request": 20000.0, "workers": 8, "service_sigma": 0.5, "burst_size": 2.0}
    return {**document, "name": "moving", "profile": profile, "requests": requests}


def predicts(path: Path, number: int) -> bool:
    """Whether the file is simulated; False where it is refused in one sentence."""
    try:
        model = Model.load(path)
        chosen = SETTINGS[number % len(SETTINGS)]
        runs = simulate(model, [model.settings, chosen], duration_seconds=0.5, replicas=3, seed=number)
        if number % 10 == 0:
            grid = sweep(
                model, gogc=[50, None], gomemlimit_bytes=[None, 64 << 20], duration_seconds=0.5, replicas=2
            )
            runs += grid.finished
        if number % 7 == 0:
            recorded = record_cycles(model, chosen, duration_seconds=5.0, seed=1, most_cycles=100)
            assert (np.diff(recorded.start_ns) >= 0).all()
    except InputError as error:
        refusal = str(error)
    else:
        for run in runs:
            check(run)
        return True
    assert len(refusal.splitlines()) == 1, refusal
    assert len(refusal) < 600, refusal
    return False


def check(run: Run) -> None:
    """Every figure is finite, in order, not negative, and prints as a number."""
    for name, estimate in run.metrics.items():
        assert 0 <= estimate.low <= estimate.value <= estimate.high < math.inf, (name, estimate)
        assert not name.endswith("_fraction") or estimate.value <= 1.0 + 1e-9, (name, estimate)
        shown = format_estimate(name, estimate)
        assert not {"nan", "inf"} & set(shown.replace("(", " ").split()), (name, shown)


class TookTooLongError(Exception):
    """A file that is simulated for too long."""


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raises TookTooLongError in the block once it has taken so long."""

    def stop(_: int, __: FrameType | None) -> None:
        raise TookTooLongError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
