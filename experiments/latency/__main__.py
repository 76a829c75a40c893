"""Real and predicted request latency.

python -m experiments.latency capture [--runs N]   # N missing runs at most; all where not said
python -m experiments.latency predict              # by the event engine, into predictions.json; minutes
python -m experiments.latency report               # docs/latency.md of both
"""

import argparse
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from experiments.capture import CapturedRun, RunPlan, capture_run, disturbance, is_captured, summary
from experiments.latency import matrix
from experiments.latency.page import latency_page
from experiments.latency.predict import predict_all
from gcsim.atomic import write_text_atomically

PAGE = Path(__file__).parents[2] / "docs" / "latency.md"


def capture(runs: int) -> None:
    """Makes missing runs, one after the other: ``runs`` at most, or all where negative."""
    for _, plan in zip(itertools.count() if runs < 0 else range(runs), _missing(), strict=False):
        print(summary(capture_run(plan, matrix.CAPTURES, attempts=1)), flush=True)


def _missing() -> Iterator[RunPlan]:
    """What is still to be made, in order: each run until an attempt was undisturbed, or there were enough."""
    for load, repeat in matrix.groups():
        yield from _until(matrix.capacity_plan(load, repeat), disturbance)
        for gogc in matrix.GOGC:
            yield from _until(
                matrix.open_plan(load, gogc, repeat), partial(matrix.disturbed, load=load, repeat=repeat)
            )


def _until(plan: RunPlan, disturbed: Callable[[CapturedRun], float]) -> Iterator[RunPlan]:
    for attempt in matrix.attempts(plan):
        if any(disturbed(run) <= 1.0 for run in matrix.made(plan)):
            return
        if not is_captured(attempt, matrix.CAPTURES):
            yield attempt


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.latency")
    parser.add_argument("what", choices=("capture", "predict", "report"))
    parser.add_argument("--runs", type=int, default=-1, help="make no more than so many runs")
    options = parser.parse_args(arguments)
    if options.what == "capture":
        capture(options.runs)
    elif options.what == "predict":
        predict_all()
    else:
        write_text_atomically(PAGE, latency_page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
