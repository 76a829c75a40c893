"""What one would say without gcsim. Each baseline knows the calibrated run and the settings asked, no more.

A metric that a baseline cannot tell is not in its answer.
"""

import math

from experiments.validation.observations import Observation
from gcsim.settings import Settings
from gcsim.units import MIB

_KEPT = (
    "heap_peak_mean_bytes", "heap_peak_bytes", "gc_rate_hz", "gc_cpu_fraction", "rss_peak_bytes",
    "gc_assist_cpu_fraction", "gc_idle_cpu_fraction", "stw_p50_seconds", "stw_p99_seconds",
)  # fmt: skip


def keep(calibrated: Observation, _asked: Settings) -> dict[str, float]:
    """Nothing changes: every metric as it was at GOGC=100."""
    return {name: calibrated.metrics[name] for name in _KEPT if name in calibrated.metrics} | {
        "throughput_ratio": 1.0
    }


def gc_guide(calibrated: Observation, asked: Settings) -> dict[str, float]:
    """The formulas of the Go GC guide.

    Target heap = live + (live + roots) x GOGC/100, at least 4 MiB x GOGC/100 and at most the memory limit,
    with live the mean of what was marked. Allocation per second and CPU per cycle stay as calibrated, so
    that rate = allocation / (target - live) and GC CPU is proportional to the rate. Resident memory is the
    target plus what was resident beyond the target at calibration. No rate where the limit is below live.
    """
    then, now = _target_bytes(calibrated, calibrated.settings), _target_bytes(calibrated, asked)
    metrics, live = calibrated.metrics, calibrated.metrics["heap_marked_mean_bytes"]
    answer = {"heap_peak_mean_bytes": now, "heap_peak_bytes": now}
    if "rss_peak_bytes" in metrics:
        answer["rss_peak_bytes"] = now + metrics["rss_peak_bytes"] - then
    if now > live:
        rate = calibrated.alloc_bytes_per_cycle * metrics["gc_rate_hz"] / (now - live)
        per_cycle = metrics["gc_cpu_fraction"] / metrics["gc_rate_hz"]
        answer |= {"gc_rate_hz": rate, "gc_cpu_fraction": min(rate * per_cycle, 1.0)}
    return answer


def _target_bytes(calibrated: Observation, asked: Settings) -> float:
    live = calibrated.metrics["heap_marked_mean_bytes"]
    target = math.inf
    if asked.gogc is not None:
        ratio = asked.gogc / 100.0
        target = max(live + (live + calibrated.root_bytes) * ratio, 4 * MIB * ratio)
    return target if asked.gomemlimit_bytes is None else min(target, float(asked.gomemlimit_bytes))


def odds(calibrated: Observation, asked: Settings) -> dict[str, float]:
    """GC CPU alone: with g its share, g / (1 - g) is inversely proportional to GOGC; a limit is not seen."""
    if asked.gogc is None or calibrated.settings.gogc is None:
        return {}
    share = calibrated.metrics["gc_cpu_fraction"]
    ratio = share / (1.0 - share) * calibrated.settings.gogc / asked.gogc
    return {"gc_cpu_fraction": ratio / (1.0 + ratio)}
