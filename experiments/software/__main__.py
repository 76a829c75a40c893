"""Capture real Go software over a matrix of settings, and compare predictions with it.

python -m experiments.software capture [LABEL ...] --out DIR [--lock FILE] [--first N]
"""

import argparse
import sys
from pathlib import Path

from experiments.capture import is_captured
from experiments.software.matrix import plans
from experiments.software.run import SoftwarePlan, capture_software
from gcsim.errors import InputError


def main() -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.software")
    parser.add_argument("command", choices=["capture"])
    parser.add_argument("labels", nargs="*", help="cases; all without")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--lock", type=Path, default=None, help="hold this file's lock while a program runs")
    parser.add_argument("--first", type=int, default=None, help="stop after this number of runs")
    options = parser.parse_args()
    wanted = [one for one in plans(set(options.labels)) if not is_captured(one[1], options.out)]
    failed = 0
    for case, plan in wanted[: options.first]:
        try:
            run = capture_software(SoftwarePlan(case=case, plan=plan, lock=options.lock), options.out)
        except InputError as error:
            failed += 1
            print(f"{plan.name}: {error}", file=sys.stderr, flush=True)
            continue
        info, result = run.info, run.result
        print(
            f"{plan.name}: {result['rate']:.2f}/s, p99 {result.get('latency_seconds', {}).get('p99', 0) * 1e3:.1f} ms,"
            f" failures {result.get('failures', 0)}, RSS peak {(info.rss_peak_bytes or 0) >> 20} MiB,"
            f" {info.wall_seconds:.1f} s, foreign {info.foreign_cpu_fraction or 0:.1%},"
            f" disturbed {result['disturbance_attempts']}",
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
