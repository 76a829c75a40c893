"""The claim that GOGC=50 cuts collections by 60 %."""

from pathlib import Path

from experiments.article.arms import capture, load, mean, orders, run_arms, save
from experiments.article.claims import Claim
from experiments.article.compared import model_of, pairs, predict, summary, table

NAME = "gogc50"
LOAD = ("-rate", "5000")
BASE = orders("GOGC=100", *LOAD)
ARMS = (BASE, orders("GOGC=50", *LOAD, gogc=50))


def run(out: Path) -> None:
    """The calibrated run, then every setting; 55 s."""
    capture(NAME, BASE, out)
    save(NAME, run_arms(ARMS), out)


def claims() -> list[Claim]:
    """The verdict by the committed runs."""
    before, after = (mean(load(NAME), arm, "gc_rate_hz") for arm in ("GOGC=100", "GOGC=50"))
    change = after / before - 1.0
    return [
        Claim(
            claim="GOGC=50 cuts collections by 60 %",
            verdict="refuted" if change > 0.0 else "reproduced",
            why=f"collections change by {100 * change:+.0f} %: the program allocates half as much between two of them",
        )
    ]


def section() -> str:
    """Collections, GC CPU and heap, observed and predicted."""
    metrics = ("gc_rate_hz", "gc_cpu_fraction", "heap_peak_bytes")
    found = pairs(metrics, load(NAME), predict(model_of(NAME), ARMS), BASE.name)
    return f"{table(found)}\n\n{summary(found)}"
