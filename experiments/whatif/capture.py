"""Makes the runs that only this study has.

python -m experiments.whatif.capture --out DIR [--most N] [PROGRAM ...]

Makes at most N runs whose files are not in DIR. ``python -m experiments.archive pack DIR`` packs them.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.capture import RunPlan, capture_run, is_captured
from experiments.software.run import SoftwarePlan, capture_software
from experiments.whatif.matrix import Program, case_of, new_plans


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.whatif.capture", description=__doc__)
    parser.add_argument("programs", nargs="*", help="all without")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--most", type=int, default=1000, help="runs to make")
    parser.add_argument("--list", action="store_true", help="name the runs and make none")
    options = parser.parse_args(arguments)
    wanted = [
        one
        for one in new_plans()
        if not is_captured(one[1], options.out) and (not options.programs or one[0].name in options.programs)
    ]
    for program, plan, traffic in wanted[: options.most]:
        if not options.list:
            _capture(program, plan, traffic, options.out)
        print(plan.name, flush=True)
    return 0


def _capture(program: Program, plan: RunPlan, traffic: float, out: Path) -> None:
    case = case_of(program, traffic)
    if case is None:
        capture_run(plan, out, attempts=1)
    else:
        capture_software(SoftwarePlan(case=case, plan=plan), out)


if __name__ == "__main__":
    sys.exit(main())
