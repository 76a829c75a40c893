"""The load test of the order service before and after tuning."""

from dataclasses import replace
from pathlib import Path

from experiments.article.arms import Arm, Observed, capture, orders, run_arms, save, values_of
from experiments.article.limit import LIMIT_MIB

NAME, OPEN = "load_test", "load_test_open"
SHARE = 0.7  # of the throughput with the defaults: the load of the runs that measure latency
_SECONDS = 9.0
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
    """Bytes per request, two calibrated runs with the defaults, then every step in both loops; 240 s."""
    benches: list[Observed] = run_arms(BENCHES, repeats=1)
    closed = capture(NAME, STEPS["defaults"], out)
    rate = round(SHARE * values_of(closed)["requests_hz"] / 100.0) * 100
    capture(OPEN, _at(STEPS["defaults"], rate), out)
    arms = [arm for step in STEPS.values() for arm in (step, _at(step, rate))]
    save(NAME, [*benches, *run_arms(arms)], out)


def _at(arm: Arm, rate: int) -> Arm:
    """The arm with arrivals."""
    return Arm(name=f"open, {arm.name}", plan=replace(arm.plan, args=("-rate", str(rate), *arm.plan.args)))
