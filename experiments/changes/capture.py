"""Makes the runs of the study.

python -m experiments.changes.capture --out DIR [--programs NAME ...] [--most N] [--again SHARE]

Makes at most N runs whose files are not in DIR. With ``--again``, also makes runs again in which other processes took
more than this share of the CPU, and keeps the less disturbed one. Runs have a high priority.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from experiments.capture import CapturedRun, RunPlan, capture_run, is_captured, load_run, summary
from experiments.changes.matrix import plans
from experiments.priority import high_priority

_AGAIN = "again"  # folder of repeated runs


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.changes.capture", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--programs", nargs="*", default=[], help="all without")
    parser.add_argument("--most", type=int, default=1000, help="runs to make")
    parser.add_argument("--again", type=float, default=1.0, help="foreign CPU above which a run is repeated")
    options = parser.parse_args(arguments)
    made = 0
    for program, plan, change in plans():
        if made >= options.most:
            break
        if options.programs and program.name not in options.programs:
            continue
        before = _disturbance(plan, options.out)
        if before is not None and before <= options.again:
            continue
        folder = options.out if before is None else options.out / _AGAIN
        run = _capture(plan, change, folder)
        print(summary(run), flush=True)
        if before is not None and (run.info.foreign_cpu_fraction or 0.0) < before:
            for file in folder.glob(f"{plan.name}*"):
                shutil.move(file, options.out / file.name)
        made += 1
    return 0


def _disturbance(plan: RunPlan, out: Path) -> float | None:
    """The share of CPU of other processes in a run; None if it is not there."""
    if not is_captured(plan, out):
        return None
    return load_run(out / f"{plan.name}.result.json").info.foreign_cpu_fraction or 0.0


def _capture(plan: RunPlan, change: str, out: Path) -> CapturedRun:
    out.mkdir(parents=True, exist_ok=True)
    if change == "base":
        plan = replace(plan, args=(*plan.args, "-profiles", str(out.absolute() / plan.name)))
    with high_priority():
        return capture_run(plan, out, attempts=1)


if __name__ == "__main__":
    sys.exit(main())
