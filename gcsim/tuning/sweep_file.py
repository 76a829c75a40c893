"""Reading ``sweep.json`` back, to draw or compare without simulating again."""

import json
from pathlib import Path
from typing import Any

from gcsim.engine.run import Run
from gcsim.errors import InputError
from gcsim.metrics import Estimate
from gcsim.settings import Settings
from gcsim.tuning.sweep import Sweep


def read_sweep(path: Path) -> Sweep:
    """The sweep of a file that ``gcsim sweep`` wrote. Raises InputError naming the file."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); run gcsim sweep -o first") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); run gcsim sweep again") from error
    try:
        return sweep_from_json(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: not a sweep of gcsim ({error!r}); run gcsim sweep again") from error


def sweep_from_json(document: dict[str, Any]) -> Sweep:
    """The inverse of ``Sweep.to_json``; settings that are missing from the grid stay empty."""
    runs = {(run.settings.gomemlimit_bytes, run.settings.gogc): run for run in map(_run, document["runs"])}
    if not runs:
        raise ValueError("no runs")
    limits = tuple(dict.fromkeys(limit for limit, _ in runs))
    gogc = tuple(dict.fromkeys(percent for _, percent in runs))
    return Sweep(
        gogc=gogc,
        gomemlimit_bytes=limits,
        runs=tuple(runs.get((limit, percent)) for limit in limits for percent in gogc),
    )


def _run(document: dict[str, Any]) -> Run:
    metrics = {
        name: Estimate(
            *(float("nan") if found[end] is None else float(found[end]) for end in ("value", "low", "high"))
        )
        for name, found in document["metrics"].items()
    }
    return Run(settings=Settings(**document["settings"]), metrics=metrics)
