"""The event engine's latencies at each load and setting, from each log of a run at GOGC=100, kept in a file."""

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from experiments.latency import matrix
from gcsim.api import calibrate
from gcsim.atomic import write_text_atomically
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.engine.simulate import simulate
from gcsim.service.model import Model
from gcsim.settings import Settings

PREDICTIONS = Path(__file__).parent / "predictions.json"
METRICS = ("request_p50_seconds", "request_p99_seconds")
_REPLICAS = 12  # tails vary more between replicas than anything else does; four were too few


class Prediction(NamedTuple):
    """From one log, for one setting; seconds."""

    load: float
    repeat: int  # of the calibrated run
    gogc: int
    p50: tuple[float, float, float]  # value, low, high
    p99: tuple[float, float, float]


def calibrated(load: float, repeat: int) -> Model:
    """The service at a load as one run at GOGC=100 shows it."""
    log = matrix.best_run(load, matrix.CALIBRATED, repeat).log
    stated = Overrides(loop="open")
    return calibrate(log, name=f"orders at {load:.0%}", overrides=stated, fit_check=False).model


def predict(load: float, repeat: int) -> Iterator[Prediction]:
    """Every setting, the calibrated one too."""
    model = calibrated(load, repeat)
    base = model.settings
    settings = [Settings(gogc=gogc, gomaxprocs=base.gomaxprocs, go=base.go) for gogc in matrix.GOGC]
    runs = simulate(model, settings, duration_seconds=matrix.SECONDS, replicas=_REPLICAS, engine="des")
    for gogc, run in zip(matrix.GOGC, runs, strict=True):
        p50, p99 = (run.metrics[name] for name in METRICS)
        yield Prediction(load, repeat, gogc, (p50.value, p50.low, p50.high), (p99.value, p99.low, p99.high))


def predict_all() -> None:
    """Writes every prediction; some minutes."""
    logs = [(load, repeat) for load in matrix.LOADS for repeat in matrix.undisturbed(load, matrix.CALIBRATED)]
    with ProcessPoolExecutor() as pool:
        rows = [prediction._asdict() for found in pool.map(_from_log, logs) for prediction in found]
    write_text_atomically(PREDICTIONS, json.dumps(rows, indent=0) + "\n")


def _from_log(log: tuple[float, int]) -> list[Prediction]:
    return list(predict(*log))


def load_predictions() -> list[Prediction]:
    """What ``predict_all`` wrote."""
    return [Prediction(**row) for row in json.loads(PREDICTIONS.read_text())]
