"""Real and predicted request latency.

python -m experiments.latency capture [--runs N]   # N missing runs at most; all where not said
python -m experiments.latency predict              # by the event engine, into predictions.json; minutes
python -m experiments.latency report               # docs/latency.md of both
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.capture import capture_run, is_captured, summary
from experiments.latency import matrix
from experiments.latency.page import latency_page
from experiments.latency.predict import predict_all
from gcsim.atomic import write_text_atomically

PAGE = Path(__file__).parents[2] / "docs" / "latency.md"
_ATTEMPTS = 2


def capture(runs: int) -> None:
    """Makes missing runs, one after the other."""
    made = 0
    for plan in matrix.plans():
        if made == runs:
            return
        if not is_captured(plan, matrix.CAPTURES):
            print(summary(capture_run(plan, matrix.CAPTURES, attempts=_ATTEMPTS)), flush=True)
            made += 1


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
