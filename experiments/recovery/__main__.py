"""Recover known services from their simulated logs, without Go: write docs/explanation/calibration.md and its figure.

python -m experiments.recovery [--services N] [--seed S] [--print]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.recovery.figure import write_ranks
from experiments.recovery.page import calibration_page
from experiments.recovery.ranks import by_parameter, recover, uniformity
from gcsim.atomic import write_text_atomically

DOCS = Path(__file__).parent.parent.parent / "docs"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.recovery", description=__doc__)
    parser.add_argument("--services", type=int, default=400, help="how many to draw")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--print", action="store_true", help="print the page and write nothing")
    options = parser.parse_args(arguments)
    recovery = recover(options.services, options.seed)
    found = [uniformity(rows) for rows in by_parameter(recovery).values()]
    page = calibration_page(recovery, found)
    if options.print:
        print(page)
        return 0
    write_text_atomically(DOCS / "explanation" / "calibration.md", page)
    write_ranks(
        found,
        DOCS / "images" / "recovery.png",
        f"{recovery.services} services; grey: 95 % of uniform samples",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
