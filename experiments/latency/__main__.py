"""Real and predicted request latency.

python -m experiments.latency capture [--runs N] [--wait S]   # N missing runs at most; all where not said
python -m experiments.latency predict              # by the event engine, into predictions.json; minutes
python -m experiments.latency report               # docs/explanation/latency.md of both
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from experiments.capture import (
    CapturedRun,
    RunPlan,
    capture_run,
    disturbance,
    is_captured,
    summary,
    unsteadiness,
)
from experiments.cpu_speed import SpeedProbe
from experiments.latency import matrix
from experiments.latency.page import latency_page
from experiments.latency.predict import predict_all
from gcsim.atomic import write_text_atomically

_LOOK_SECONDS = 2.0
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "latency.md"


def capture(runs: int, wait_seconds: float) -> None:
    """Makes missing runs, one after the other: ``runs`` at most, or all where negative.

    Each begins when the machine has run for two seconds at the speed that its group asks for, or evenly where it
    is the group's first; ends where the machine does not come to that within ``wait_seconds``.
    """
    for _, (plan, off) in zip(itertools.count() if runs < 0 else range(runs), _missing(), strict=False):
        until = time.monotonic() + wait_seconds
        while (seen := _speed_now()) and off(seen) > 1.0:
            if time.monotonic() > until:
                print(f"the machine is not even, or not at the speed to compare with: {seen}")
                return
        print(summary(capture_run(plan, matrix.CAPTURES, attempts=1)), flush=True)


def _speed_now() -> dict[str, float]:
    with SpeedProbe() as probe:
        time.sleep(_LOOK_SECONDS)
    return probe.summary


def _missing() -> Iterator[tuple[RunPlan, Callable[[dict[str, float]], float]]]:
    """What is still to be made, in order: each run until an attempt was undisturbed, or there were enough.

    With how far the machine's speed is off what the run asks for.
    """
    for load, repeat in matrix.groups():
        for plan in _until(matrix.capacity_plan(load, repeat), disturbance):
            yield plan, unsteadiness
        for gogc in matrix.GOGC:
            plan = matrix.open_plan(load, gogc, repeat)
            for attempt in _until(plan, partial(matrix.disturbed, load=load, repeat=repeat)):
                yield attempt, partial(matrix.off_speed, load=load, repeat=repeat)


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
    parser.add_argument("--wait", type=float, default=600.0, help="seconds to wait for an even machine")
    options = parser.parse_args(arguments)
    if options.what == "capture":
        capture(options.runs, options.wait)
    elif options.what == "predict":
        predict_all()
    else:
        write_text_atomically(PAGE, latency_page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
