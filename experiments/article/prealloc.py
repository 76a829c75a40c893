"""SetGCPercent(75), and slices and maps that are sized up front."""

from pathlib import Path

from experiments.article.arms import Observed, capture, orders, run_arms, save

NAME = "prealloc"
LOAD = ("-rate", "8000")
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
    """Bytes per request in short runs, the calibrated run, then every arm; 125 s."""
    benches: list[Observed] = run_arms(BENCHES, repeats=1)
    capture(NAME, BASE, out)
    save(NAME, [*benches, *run_arms(ARMS)], out)
