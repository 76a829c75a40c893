"""Reading of sweep files that ``gcsim sweep`` wrote."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gcsim.documents import number, read_document, table_of, text_of, whole_number
from gcsim.engine.plan import Plan
from gcsim.engine.run import Run
from gcsim.errors import InputError
from gcsim.goruntime.versions import rules_for
from gcsim.metrics import Estimate
from gcsim.settings import Settings
from gcsim.tuning.sweep import Sweep

MOST_SETTINGS = 100_000  # of a grid
_NEEDED = ("gc_cpu_fraction", "heap_peak_bytes", "rss_peak_bytes")  # figures and feasibility use them


def read_sweep(path: Path) -> Sweep:
    """The sweep in a file that ``gcsim sweep`` wrote. Raises InputError naming the file."""
    return read_document(
        path, sweep_from_json, form="JSON", what="a sweep of gcsim", advice="write one with gcsim sweep -o"
    )


def sweep_from_json(document: Mapping[str, Any]) -> Sweep:
    """The sweep in a JSON document of ``Sweep.to_json``; missing settings are None. Raises InputError.

    Files of earlier versions lack plan, model and memory; they get defaults.
    """
    entries = document["runs"]
    if not isinstance(entries, list) or not entries:
        raise InputError("runs must be a list of one or more runs; write the file again with gcsim sweep -o")
    runs = {(run.settings.gomemlimit_bytes, run.settings.gogc): run for run in map(_run, entries)}
    limits = tuple(dict.fromkeys(limit for limit, _ in runs))
    gogc = tuple(dict.fromkeys(percent for _, percent in runs))
    if len(limits) * len(gogc) > MOST_SETTINGS:
        raise InputError(
            f"the grid has {len(limits) * len(gogc):,} settings, but gcsim reads at most {MOST_SETTINGS:,}"
        )
    has_memory = document.get("memory_bytes") is not None
    return Sweep(
        gogc=gogc,
        gomemlimit_bytes=limits,
        runs=tuple(runs.get((limit, percent)) for limit in limits for percent in gogc),
        plan=Plan.from_json(document),
        model=str(document.get("model", "")),
        memory_bytes=whole_number(document, "memory_bytes") if has_memory else None,
    )


def _run(document: Mapping[str, Any]) -> Run:
    knobs, metrics = table_of(document, "settings"), table_of(document, "metrics")
    for name in _NEEDED:
        if name not in metrics:
            raise InputError(f"a run lacks the metric {name}")
    return Run(
        settings=Settings(
            gogc=None if knobs["gogc"] is None else whole_number(knobs, "gogc"),
            gomemlimit_bytes=None
            if knobs["gomemlimit_bytes"] is None
            else whole_number(knobs, "gomemlimit_bytes"),
            gomaxprocs=whole_number(knobs, "gomaxprocs"),
            go=rules_for(text_of(knobs, "go"), what="go").go,
        ),
        metrics={name: _estimate(table_of(metrics, name), name) for name in metrics},
    )


def _estimate(entry: Mapping[str, Any], name: str) -> Estimate:
    value, low, high = (
        math.nan if entry[end] is None else number(entry, end) for end in ("value", "low", "high")
    )
    if low > value or value > high:
        raise InputError(f"{name}: the value {value:g} is not within its interval, {low:g} to {high:g}")
    return Estimate(value, low, high)
