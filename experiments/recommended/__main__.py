"""Stress results, a leak, and constraints on requests: the answers of ``gcsim recommend`` and real runs of them.

    python -m experiments.recommended capture                 # the missing logs of the order service
    python -m experiments.recommended predict STUDY           # the predictions, before the runs
    python -m experiments.recommended run STUDY [SERVICE ...]  # the runs; at most three minutes for a service
    python -m experiments.recommended page                    # the tables in docs/explanation/recommended-settings.md

STUDY is stress, leak or constraints. ``run`` needs Linux and root.
"""

import argparse
import sys
from collections.abc import Sequence

from experiments.capture import capture_run, is_captured
from experiments.priority import high_priority
from experiments.recommended import constraints, leak, stress
from experiments.recommended.page import write_page
from experiments.recommended.services import BUSY_ORDERS, CAPTURES, CLOSED_ORDERS, OPEN_ORDERS


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one step; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.recommended", description=__doc__)
    parser.add_argument("step", choices=("capture", "predict", "run", "page"))
    parser.add_argument("study", nargs="?", choices=("stress", "leak", "constraints"))
    parser.add_argument("services", nargs="*", help="all without")
    parser.add_argument(
        "--check", action="store_true", help="of page: change nothing, exit with 1 if it differs"
    )
    options = parser.parse_args(arguments)
    if options.step == "page":
        return 1 if write_page(check=options.check) and options.check else 0
    if options.step == "capture":
        for service in (OPEN_ORDERS, BUSY_ORDERS, CLOSED_ORDERS):
            if not is_captured(service.plan, CAPTURES):
                with high_priority():
                    capture_run(service.plan, CAPTURES)
    elif options.step == "predict":
        predict = {
            "stress": stress.write_predictions,
            "leak": leak.write_predictions,
            "constraints": constraints.write_answers,
        }
        predict[options.study]()
    elif options.study == "stress":
        stress.run_all(options.services)
    elif options.study == "leak":
        leak.run_all()
    else:
        constraints.run_all(options.services)
    return 0


if __name__ == "__main__":
    sys.exit(main())
