"""Capture real Go software over a matrix of settings, and compare predictions with it.

python -m experiments.software capture [LABEL ...] --out DIR [--lock FILE] [--first N]
python -m experiments.software regret [LABEL ...] --out DIR [--lock FILE] [--again]   run recommended settings (root)
python -m experiments.software report [--from-table]                   write docs/explanation/accuracy-software.md
python -m experiments.software report [LABEL ...] --out DIR [--rows]   print the errors of runs in DIR
"""

import argparse
import sys
from pathlib import Path

from experiments.capture import is_captured
from experiments.software.constrained_rows import constrained_rows, grid_rows
from experiments.software.matrix import CAPTURES, plans
from experiments.software.page import PAGE, software_page
from experiments.software.regret import capture_regret, regret_rows
from experiments.software.results import (
    FOLDER,
    load,
    load_constrained,
    load_regret,
    save,
    save_constrained,
    save_regret,
)
from experiments.software.run import SoftwarePlan, capture_software
from experiments.software.study import study
from experiments.software.summary import SPLITS, errors_table
from gcsim.atomic import write_text_atomically
from gcsim.errors import InputError


def main() -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.software")
    parser.add_argument("command", choices=["capture", "regret", "report"])
    parser.add_argument("labels", nargs="*", help="cases; all without")
    parser.add_argument("--out", type=Path, default=CAPTURES, help="folder of the files")
    parser.add_argument("--from-table", action="store_true", help="write the page of the rows that are kept")
    parser.add_argument("--rows", action="store_true", help="report every run")
    parser.add_argument("--lock", type=Path, default=None, help="hold this file's lock while a program runs")
    parser.add_argument("--again", action="store_true", help="regret: ask again, and run changed answers")
    parser.add_argument("--first", type=int, default=None, help="stop after this number of runs")
    options = parser.parse_args()
    if options.command == "report":
        _report(options)
        return 0
    if options.command == "regret":
        for line in capture_regret(set(options.labels), options.out, options.lock, again=options.again):
            print(line, flush=True)
        return 0
    return _capture(options)


def _report(options: argparse.Namespace) -> None:
    if options.out == CAPTURES and not options.labels:
        if not options.from_table:
            save(study(plans(set()), options.out), FOLDER)
            save_regret(regret_rows(set(), options.out), FOLDER)
            save_constrained(constrained_rows(options.out), grid_rows(options.out), FOLDER)
        write_text_atomically(
            PAGE, software_page(load(FOLDER), load_regret(FOLDER), *load_constrained(FOLDER))
        )
        return
    found = study(plans(set(options.labels)), options.out)
    for split in SPLITS:
        print(f"{split}\n" + "\n".join(errors_table(found.rows, split)))
    for name, reason in found.left_out:
        print(f"left out: {name}: {reason}")
    for row in found.rows if options.rows else ():
        print(
            f"{row.label} p{row.procs} GOGC={row.gogc} limit={row.limit_mib} r{row.repeat} {row.source} {row.metric}:"
            f" observed {row.observed:.5g} predicted {row.predicted:.5g} ({row.low:.5g} to {row.high:.5g})"
            f" {row.predicted / row.observed - 1:+.1%} {'inside' if row.is_inside else 'OUTSIDE'}"
        )


def _capture(options: argparse.Namespace) -> int:
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
