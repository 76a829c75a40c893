"""Makes the runs of the study.

python -m experiments.changes.capture --out DIR [--most N]    make at most N runs whose files are not in DIR
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from experiments.capture import capture_run, is_captured, summary
from experiments.changes.matrix import plans


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.changes.capture", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--most", type=int, default=1000, help="runs to make")
    options = parser.parse_args(arguments)
    made = 0
    for _, plan, change in plans():
        if made >= options.most or is_captured(plan, options.out):
            continue
        if change == "base":
            options.out.mkdir(parents=True, exist_ok=True)
            prefix = options.out.absolute() / plan.name
            run = capture_run(
                replace(plan, args=(*plan.args, "-profiles", str(prefix))), options.out, attempts=1
            )
        else:
            run = capture_run(plan, options.out, attempts=1)
        print(summary(run), flush=True)
        made += 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
