"""SetGCPercent(75), and slices and maps that are sized up front."""

from pathlib import Path

from experiments.article.arms import Observed, capture, load, mean, orders, run_arms, save
from experiments.article.claims import Claim
from experiments.article.compared import model_of, pairs, predict, summary, table
from gcsim.units import format_number

NAME = "prealloc"
LOAD = ("-rate", "5000")
SIZED = "-prealloc"
BASE = orders("GOGC=100", *LOAD)
ARMS = (
    BASE,
    orders("GOGC=75", *LOAD, gogc=75),
    orders("sized", *LOAD, SIZED),
    orders("GOGC=75, sized", *LOAD, SIZED, gogc=75),
)
BENCHES = (
    orders("bench", "-rate", "2000", seconds=2.0),
    orders("bench, sized", "-rate", "2000", SIZED, seconds=2.0),
)


def run(out: Path) -> None:
    """Bytes per request in short runs, the calibrated run, then every arm; 105 s."""
    benches: list[Observed] = run_arms(BENCHES, repeats=1)
    capture(NAME, BASE, out)
    save(NAME, [*benches, *run_arms(ARMS)], out)


def factor() -> float:
    """Bytes per request with sized slices and maps, over those without, in the short runs."""
    runs = load(NAME)
    without, sized = (mean(runs, bench.name, "alloc_bytes_per_request") for bench in BENCHES)
    return sized / without


def claims() -> list[Claim]:
    """The verdicts by the committed runs."""
    lower, sized = _changes("GOGC=75"), _changes("sized")
    return [
        Claim(
            claim="Advice: `debug.SetGCPercent(75)` makes GC cheaper",
            verdict="refuted" if lower["gc_cpu_fraction"] > 0.0 else "reproduced",
            why=f"it buys memory with CPU: the heap peak changes by {_percent(lower, 'heap_peak_bytes')}, collections"
            f" by {_percent(lower, 'gc_rate_hz')}, GC CPU by {_percent(lower, 'gc_cpu_fraction')}",
        ),
        Claim(
            claim="Advice: preallocated slices make GC cheaper",
            verdict="reproduced" if sized["gc_cpu_fraction"] < 0.0 else "refuted",
            why=f"bytes per request × {format_number(factor(), 2)}; collections change by"
            f" {_percent(sized, 'gc_rate_hz')}, GC CPU by {_percent(sized, 'gc_cpu_fraction')}, the heap peak by"
            f" {_percent(sized, 'heap_peak_bytes')}",
        ),
    ]


def _changes(arm: str) -> dict[str, float]:
    """Relative changes of figures from the baseline to an arm."""
    runs = load(NAME)
    names = ("gc_rate_hz", "gc_cpu_fraction", "heap_peak_bytes")
    return {name: mean(runs, arm, name) / mean(runs, BASE.name, name) - 1.0 for name in names}


def _percent(changes: dict[str, float], name: str) -> str:
    return f"{100 * changes[name]:+.0f} %"


def section() -> str:
    """Collections, GC CPU and heap, observed and predicted."""
    factors = {arm.name: factor() for arm in ARMS if SIZED in arm.plan.args}
    metrics = ("gc_rate_hz", "gc_cpu_fraction", "heap_peak_bytes")
    found = pairs(metrics, load(NAME), predict(model_of(NAME), ARMS, factors), BASE.name)
    return f"{table(found)}\n\n{summary(found)}"
