"""The load test of the order service before and after tuning."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from experiments.article.arms import (
    Arm,
    Observed,
    capture,
    load,
    log_of,
    mean,
    orders,
    run_arms,
    save,
    values_of,
)
from experiments.article.claims import Claim
from experiments.article.compared import Pair, model_of, observed, pairs, predict, summary, table, times
from experiments.article.limit import LIMIT_MIB
from experiments.capture import load_run
from gcsim.engine.run import Run
from gcsim.metrics import Estimate

NAME, OPEN = "load_test", "load_test_open"
SHARE = 0.7  # of the throughput with the defaults: the load of the runs that measure latency
_SECONDS = 7.0
STEPS = {
    "defaults": orders("defaults", seconds=_SECONDS),
    "GOGC=50": orders("GOGC=50", gogc=50, seconds=_SECONDS),
    "and limit": orders("and limit", gogc=50, limit_mib=LIMIT_MIB, seconds=_SECONDS),
    "and sized": orders("and sized", "-prealloc", gogc=50, limit_mib=LIMIT_MIB, seconds=_SECONDS),
    "and pool": orders("and pool", "-prealloc", "-pool", gogc=50, limit_mib=LIMIT_MIB, seconds=_SECONDS),
}
BENCHES = (
    orders("bench, defaults", "-rate", "2000", seconds=2.0),
    orders("bench, and sized", "-rate", "2000", "-prealloc", seconds=2.0),
    orders("bench, and pool", "-rate", "2000", "-prealloc", "-pool", seconds=2.0),
)


def run(out: Path) -> None:
    """Bytes per request, two calibrated runs with the defaults, then every step in both loops; 190 s."""
    benches: list[Observed] = run_arms(BENCHES, repeats=1)
    closed = capture(NAME, STEPS["defaults"], out)
    rate = round(SHARE * values_of(closed)["requests_hz"] / 100.0) * 100
    capture(OPEN, _at(STEPS["defaults"], rate), out)
    arms = [arm for step in STEPS.values() for arm in (step, _at(step, rate))]
    save(NAME, [*benches, *run_arms(arms)], out)


def _at(arm: Arm, rate: int) -> Arm:
    """The arm with arrivals."""
    return Arm(name=f"open, {arm.name}", plan=replace(arm.plan, args=("-rate", str(rate), *arm.plan.args)))


def factors() -> dict[str, float]:
    """Bytes per request of each step over those with the defaults, in the short runs."""
    runs = load(NAME)
    base, sized, pool = (mean(runs, bench.name, "alloc_bytes_per_request") for bench in BENCHES)
    return {"and sized": sized / base, "and pool": pool / base}


def claims() -> list[Claim]:
    """The verdicts by the committed runs: ratios of the last step and the defaults."""
    rate, peak = _ratio("requests_hz"), _ratio("rss_peak_bytes")
    tail = _ratio("request_p99_seconds", "open, ")
    lower = _ratio("requests_hz", last="GOGC=50")
    return [
        Claim(
            claim="Tuning the order service: p99 420 → 112 ms (0.27 ×)",
            verdict="reproduced in part" if tail < 1.0 else "refuted",
            why=f"p99 {times(tail)} at {100 * SHARE:.0f} % of the throughput with the defaults",
        ),
        Claim(
            claim="… peak memory 3.2 → 1.9 GB (0.59 ×)",
            verdict="reproduced" if abs(peak / 0.59 - 1.0) < 0.15 else "reproduced in part",
            why=f"peak RSS {times(peak)}",
        ),
        Claim(
            claim="… throughput 1,850 → 4,630 a second (2.5 ×)",
            verdict="refuted" if rate < 1.5 else "reproduced in part",
            why=f"throughput {times(rate)}; GOGC=50 alone gives {times(lower)}, so that code changes and not the two"
            " variables raise it",
        ),
    ]


def _ratio(metric: str, prefix: str = "", last: str = "and pool") -> float:
    runs = load(NAME)
    return mean(runs, f"{prefix}{last}", metric) / mean(runs, f"{prefix}defaults", metric)


def section() -> str:
    """The closed loop and the open one, observed and predicted."""
    runs, own = load(NAME), factors()
    closed = predict(model_of(NAME), STEPS.values(), own)
    metrics = ("rss_peak_bytes", "gc_rate_hz", "gc_cpu_fraction")
    found = [*_throughput(runs, closed), *pairs(metrics, runs, closed, "defaults")]
    service = model_of(OPEN)
    arms = [_at(step, 1) for step in STEPS.values()]
    loaded = predict(service, arms, {f"open, {name}": one for name, one in own.items()}, engine="des")
    tails = pairs(("request_p50_seconds", "request_p99_seconds"), runs, loaded, "open, defaults")
    return "\n\n".join((table(found), summary(found), table(tails), summary(tails)))


def _throughput(runs: Sequence[Observed], predicted: Mapping[str, Run]) -> list[Pair]:
    """Requests per second; the calibrated run's rate times the ratios of the simulation."""
    rate = float(
        load_run(log_of(NAME).with_name(log_of(NAME).name.replace(".log.gz", ".result.json"))).result["rate"]
    )
    found = []
    for arm, run in predicted.items():
        ratio = run.metrics["throughput_ratio"]
        scaled = Estimate(rate * ratio.value, rate * ratio.low, rate * ratio.high)
        found.append(
            Pair(
                arm=arm,
                metric="requests_hz",
                observed=observed(runs, arm, "requests_hz"),
                predicted=scaled,
                calibrated=arm == "defaults",
            )
        )
    return found
