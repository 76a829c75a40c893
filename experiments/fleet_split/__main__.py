"""Three real services in one memory budget, predicted and observed.

    python -m experiments.fleet_split capture   # the logs that the models come from; a minute, on a quiet machine
    python -m experiments.fleet_split divide    # divisions.json, before the runs
    python -m experiments.fleet_split run       # runs.json: every service in its part; four minutes, on a quiet machine
    python -m experiments.fleet_split page      # the table in docs/how-to/divide-a-node.md

``run`` needs Linux and root.
"""

import argparse
import sys
from collections.abc import Sequence

from experiments.capture import capture_run, summary
from experiments.fleet_split.divisions import CAPTURES, SERVICES, plan_of, write_divisions
from experiments.fleet_split.page import write_page
from experiments.fleet_split.runs import run_all
from experiments.priority import high_priority


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one step of the study."""
    parser = argparse.ArgumentParser(prog="python -m experiments.fleet_split", description=__doc__)
    parser.add_argument("step", choices=("capture", "divide", "run", "page"))
    parser.add_argument(
        "--check", action="store_true", help="of page: change nothing, exit with 1 if it differs"
    )
    options = parser.parse_args(arguments)
    if options.step == "capture":
        for service in SERVICES:
            with high_priority():
                run = capture_run(plan_of(service), CAPTURES, attempts=1)
            sys.stderr.write(f"{summary(run)}\n")
    elif options.step == "divide":
        write_divisions()
    elif options.step == "run":
        run_all()
    else:
        return 1 if write_page(check=options.check) and options.check else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
