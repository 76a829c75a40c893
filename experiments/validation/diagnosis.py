"""What a miss is made of: the same arithmetic on what was predicted and what was observed.

    heap peak    = goal x (peak / goal)
    cycle rate   = bytes allocated per second / bytes allocated per cycle
    GC CPU       = cycle rate x CPU per cycle
    resident     = highest heap x (resident / highest heap)

Each factor's error is predicted over observed; the factor that is furthest off is named first.
"""

import math
from collections.abc import Iterable, Mapping

from experiments.validation.study import Row
from experiments.validation.summary import TARGETS, error

Values = Mapping[str, float]


def by_run(rows: Iterable[Row]) -> list[dict[str, Row]]:
    """Each run's rows by metric."""
    found: dict[object, dict[str, Row]] = {}
    for row in rows:
        found.setdefault(row.run, {})[row.metric] = row
    return list(found.values())


def worst(rows: Iterable[Row], count: int) -> list[tuple[Row, str]]:
    """The runs whose error is the largest multiple of its metric's 90th-percentile target, and why."""
    judged = []
    for run in by_run(rows):
        row = max((row for name, row in run.items() if name in TARGETS), key=_badness)
        judged.append((row, cause(row.metric, run)))
    return sorted(judged, key=lambda pair: -_badness(pair[0]))[:count]


def _badness(row: Row) -> float:
    found = error(row)
    return -1.0 if math.isnan(found) else found / TARGETS[row.metric][1]


def cause(metric: str, run: Mapping[str, Row]) -> str:
    """The factors of a metric with their errors, the largest first."""
    predicted = {name: row.predicted for name, row in run.items()}
    observed = {name: row.observed for name, row in run.items()}
    ours, real = _factors(metric, predicted), _factors(metric, observed)
    off = {name: _log_ratio(ours[name], real[name]) for name in ours}
    ordered = sorted((name for name in off if not math.isnan(off[name])), key=lambda name: -abs(off[name]))
    return ", ".join(f"{name} {math.expm1(off[name]):+.0%}" for name in ordered if abs(off[name]) > 0.02)


def _factors(metric: str, values: Values) -> dict[str, float]:
    rate, peak = values["gc_rate_hz"], values["heap_peak_mean_bytes"]
    if metric == "heap_peak_mean_bytes":
        goal = values.get("heap_goal_mean_bytes", math.nan)
        return {"goal": goal, "peak over goal": peak / goal, "live heap": values["heap_live_mean_bytes"]}
    if metric == "gc_rate_hz":
        per_cycle = peak - values["heap_marked_mean_bytes"]
        return {"allocated per second": rate * per_cycle, "allocated per cycle": per_cycle}
    if metric == "gc_cpu_fraction":
        return {
            "cycle rate": rate,
            "GC CPU per cycle": values[metric] / rate,
            "idle marking per cycle": values["gc_idle_cpu_fraction"] / rate,
        }
    highest = values["heap_peak_bytes"]
    return {"highest heap": highest, "resident over highest heap": values["rss_peak_bytes"] / highest}


def _log_ratio(ours: float, real: float) -> float:
    return math.log(ours / real) if ours > 0 and real > 0 else math.nan
