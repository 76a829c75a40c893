"""Ratios of real runs to their run at GOGC=100, compared with the ratios and intervals that gcsim predicts.

python -m experiments.ratios    print a table by metric, for held-out and development programs
"""

import math
from collections import defaultdict
from statistics import median

from experiments.capture import RunPlan
from experiments.validation.matrix import CAPTURES, LOAD, LONG_CAPTURES, plans
from experiments.validation.observations import Observation, observe_group
from gcsim.api import calibrate
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.engine.plan import Plan
from gcsim.engine.simulate import simulate_replicas
from gcsim.engine.summary.intervals import load_kind, ratio_interval
from gcsim.errors import InputError

METRICS = ("gc_rate_hz", "heap_peak_bytes", "gc_cpu_fraction", "stw_p50_seconds")
GO, PROCS, REPLICAS = "1.27", 2, 16

Found = dict[
    tuple[str, str], list[tuple[float, bool]]
]  # by metric and kind of program: error, whether inside


def ratios_of(group: list[RunPlan], found: Found) -> None:
    """Adds every run of one program that is not at GOGC=100 without a limit; none if calibration refuses it."""
    seen, _, _ = observe_group(group, CAPTURES, LONG_CAPTURES)
    home = next((one for one in seen.values() if _is_home(one.plan) and one.plan.repeat == 1), None)
    if home is None:
        return
    stated = Overrides(loop="closed" if home.closed_loop else "open")
    try:
        model = calibrate(home.trace, name=home.plan.label, overrides=stated, fit_check=False).model
    except InputError:
        return
    if model.growth.form == "job":
        return
    plan = Plan(duration_seconds=max(home.window_seconds, 5.0), replicas=REPLICAS)
    kind = "development" if LOAD[home.plan.label].design else "held out"
    before = simulate_replicas(model, model.settings, plan)
    for one in seen.values():
        if _is_home(one.plan):
            continue
        after = simulate_replicas(model, one.settings, plan)
        for metric in METRICS:
            observed = _observed(one, home, metric)
            ratio = ratio_interval(
                metric,
                before.values[metric],
                after.values[metric],
                load=load_kind(model),
                extrapolation=after.extrapolation,
            )
            if observed is not None and ratio is not None:
                error = abs(math.log(observed / ratio.value))
                found[metric, kind].append((error, ratio.contains(observed)))


def _is_home(plan: RunPlan) -> bool:
    return plan.gogc == 100 and plan.gomemlimit_bytes is None


def _observed(one: Observation, home: Observation, metric: str) -> float | None:
    then, now = home.metrics.get(metric, math.nan), one.metrics.get(metric, math.nan)
    return now / then if then > 0 and now > 0 else None


def main() -> None:
    """Print the table."""
    groups: dict[tuple[str, str, int], list[RunPlan]] = defaultdict(list)
    for plan in plans():
        groups[plan.label, plan.go_version, plan.gomaxprocs].append(plan)
    found: Found = defaultdict(list)
    for (_, go, procs), group in groups.items():
        if go.startswith(GO) and procs == PROCS:
            ratios_of(group, found)
    for (metric, kind), values in sorted(found.items()):
        inside = sum(contained for _, contained in values) / len(values)
        error = median(error for error, _ in values)
        print(f"{metric:20} {kind:12} {len(values):4} runs, error {error:.3f}, inside {inside:.3f}")


if __name__ == "__main__":
    main()
