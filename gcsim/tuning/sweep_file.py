"""Reading ``sweep.json`` back, to draw or compare without simulating again."""

import json
from pathlib import Path
from typing import Any

from gcsim.engine.run import Run
from gcsim.errors import InputError
from gcsim.metrics import Estimate
from gcsim.settings import Settings
from gcsim.tuning.plan import Plan
from gcsim.tuning.sweep import Sweep
from gcsim.units import MAX_INT64

_DRAWN = ("gc_cpu_fraction", "rss_peak_bytes")  # every run of a sweep has them


def read_sweep(path: Path) -> Sweep:
    """The sweep of a file that ``gcsim sweep`` wrote. Raises InputError naming the file."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); run gcsim sweep -o first") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}); run gcsim sweep again") from error
    try:
        return sweep_from_json(document)
    except InputError as error:
        raise InputError(f"{path}: not a sweep of gcsim ({error}); run gcsim sweep again") from error
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise InputError(f"{path}: not a sweep of gcsim ({error!r}); run gcsim sweep again") from error


def sweep_from_json(document: dict[str, Any]) -> Sweep:
    """The inverse of ``Sweep.to_json``; settings that are missing from the grid stay empty.

    Files of earlier versions name no plan, model or memory: those get defaults.
    """
    runs = {(run.settings.gomemlimit_bytes, run.settings.gogc): run for run in map(_run, document["runs"])}
    if not runs:
        raise ValueError("no runs")
    limits = tuple(dict.fromkeys(limit for limit, _ in runs))
    gogc = tuple(dict.fromkeys(percent for _, percent in runs))
    memory_bytes = document.get("memory_bytes")
    return Sweep(
        gogc=gogc,
        gomemlimit_bytes=limits,
        runs=tuple(runs.get((limit, percent)) for limit in limits for percent in gogc),
        plan=_plan(document),
        model=str(document.get("model", "")),
        memory_bytes=None if memory_bytes is None else _whole(memory_bytes),
    )


def _plan(document: dict[str, Any]) -> Plan:
    usual = Plan()
    return Plan(
        duration_seconds=float(document.get("duration_seconds", usual.duration_seconds)),
        replicas=_whole(document.get("replicas", usual.replicas)),
        seed=_whole(document.get("seed", usual.seed)),
        engine="des" if document.get("engine") == "des" else "lanes",
    )


def _run(document: dict[str, Any]) -> Run:
    metrics = {str(name): _estimate(found) for name, found in document["metrics"].items()}
    for name in _DRAWN:
        if name not in metrics:
            raise ValueError(f"a run has no {name}")
    return Run(settings=_settings(document["settings"]), metrics=metrics)


def _estimate(found: dict[str, Any]) -> Estimate:
    return Estimate(
        *(float("nan") if found[end] is None else float(found[end]) for end in ("value", "low", "high"))
    )


def _settings(found: dict[str, Any]) -> Settings:
    gogc, limit = found["gogc"], found["gomemlimit_bytes"]
    return Settings(
        gogc=None if gogc is None else _whole(gogc),
        gomemlimit_bytes=None if limit is None else _whole(limit),
        gomaxprocs=_whole(found["gomaxprocs"]),
        go=str(found["go"]),
    )


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_INT64:
        raise ValueError(f"{value!r:.40} is not a whole number")
    return value
