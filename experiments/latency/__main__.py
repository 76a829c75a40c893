"""Real and predicted request latency.

python -m experiments.latency capture [--runs N]   # N missing runs at most; all where not said
python -m experiments.latency report               # predicts, and writes docs/latency.md
"""

import argparse
import sys
from collections.abc import Sequence

from experiments.capture import capture_run, is_captured, summary
from experiments.latency import matrix

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
    parser.add_argument("what", choices=("capture", "report"))
    parser.add_argument("--runs", type=int, default=-1, help="make no more than so many runs")
    options = parser.parse_args(arguments)
    if options.what == "capture":
        capture(options.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
