"""The claim that GOGC=50 cuts collections by 60 %."""

from pathlib import Path

from experiments.article.arms import capture, orders, run_arms, save

NAME = "gogc50"
LOAD = ("-rate", "8000")
BASE = orders("GOGC=100", *LOAD)
ARMS = (BASE, orders("GOGC=50", *LOAD, gogc=50), orders("GOGC=200", *LOAD, gogc=200))


def run(out: Path) -> None:
    """The calibrated run, then every setting; 100 s."""
    capture(NAME, BASE, out)
    save(NAME, run_arms(ARMS), out)
