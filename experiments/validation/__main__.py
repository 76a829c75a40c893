"""Validation against real Go.

python -m experiments.validation capture [--only REGEX] [--lock FILE] [--long]   make the runs that are missing
python -m experiments.validation report [--from-table]                  predict all, write docs/explanation/accuracy.md
python -m experiments.validation report [--from-table] --check          compare and write nothing
python -m experiments.validation discrepancy                            what intervals must be widened by
python -m experiments.validation counts [--check]                       write docs/explanation/memory.md, or compare it
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.capture import capture_run, is_captured, summary
from experiments.software import check as software_check
from experiments.software.results import FOLDER as SOFTWARE
from experiments.software.results import load as load_software
from experiments.software.results import load_regret
from experiments.tables import replace_table
from experiments.validation import check, machine
from experiments.validation.counts import counts_page
from experiments.validation.discrepancy import discrepancy_table
from experiments.validation.figures import write_ratios
from experiments.validation.half_page import half_page
from experiments.validation.matrix import CAPTURES, LONG_CAPTURES, long_plans, plans
from experiments.validation.page import accuracy_page, headline_sentence
from experiments.validation.readme_table import NAME as README_TABLE
from experiments.validation.readme_table import readme_accuracy
from experiments.validation.results import load_study, save_study
from experiments.validation.study import study
from gcsim.atomic import write_text_atomically
from gcsim.errors import InputError

FOLDER = Path(__file__).parent
DOCS = FOLDER.parent.parent / "docs"
CHECK_HELP = "compare with what is committed and write nothing; exit status 1 if it differs"


def capture(options: argparse.Namespace) -> int:
    """Make the runs whose names match and whose files are missing; a note next to them names the machine."""
    chosen, folder = (long_plans(), LONG_CAPTURES) if options.long else (plans(), CAPTURES)
    for plan in chosen:
        if re.search(options.only, plan.name) and not is_captured(plan, folder):
            print(summary(capture_run(plan, folder, lock=options.lock)), flush=True)
            machine.note(folder)
    return 0


def report(options: argparse.Namespace) -> int:
    """Predict every captured run, keep the table, write the page and its figure; or check what is committed."""
    if options.check:
        faults = [*check.page_faults(), *software_check.page_faults()]
        if not options.from_table:
            faults += [*check.accuracy_faults(), *software_check.prediction_faults()]
        return _answer(faults)
    if not options.from_table:
        save_study(study(plans(), CAPTURES, LONG_CAPTURES), FOLDER)
    found, software = load_study(FOLDER), load_software(SOFTWARE).rows
    write_text_atomically(
        DOCS / "explanation" / "accuracy.md", accuracy_page(found, machine.described(CAPTURES))
    )
    write_text_atomically(DOCS / "explanation" / "accuracy-summary.md", half_page(found, software))
    write_ratios(found.rows, DOCS / "images" / "accuracy.png", f"{found.runs} runs · bars: 90 % intervals")
    accuracy = readme_accuracy(found.rows, software, load_regret(SOFTWARE))
    replace_table(DOCS.parent / "README.md", README_TABLE, accuracy, check=False)
    print(headline_sentence(found.rows))
    return 0


def discrepancy(_options: argparse.Namespace) -> int:
    """Print the table that ``gcsim/engine/summary/model_errors.py`` ships, from the development programs' residuals."""
    print(discrepancy_table(load_study(FOLDER).rows))
    return 0


def counts(options: argparse.Namespace) -> int:
    """Write the page of memory as the runtime counted it, or check the committed one."""
    if options.check:
        return _answer(check.counts_faults())
    write_text_atomically(DOCS / "explanation" / "memory.md", counts_page(plans(), CAPTURES))
    return 0


def _answer(faults: Sequence[str]) -> int:
    """The exit status of a check, with its faults on standard error."""
    for fault in faults:
        print(f"experiments.validation: {fault}", file=sys.stderr)
    return 1 if faults else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.validation", description="Validation against real Go"
    )
    commands = parser.add_subparsers(required=True)
    make = commands.add_parser("capture", help="make the runs that are missing, 10 to 30 s each")
    make.add_argument("--only", default="", help="a regular expression on the runs' names")
    make.add_argument("--lock", type=Path, default=None, help="hold this file's lock while a program runs")
    make.add_argument(
        "--long", action="store_true", help="runs of a minute instead, under memory limits alone"
    )
    make.set_defaults(run=capture)
    show = commands.add_parser(
        "report", help="predict every captured run; write accuracy.md, its summary and the headline"
    )
    show.add_argument("--from-table", action="store_true", help="from results.csv, without predicting again")
    show.add_argument("--check", action="store_true", help=CHECK_HELP)
    show.set_defaults(run=report)
    commands.add_parser("discrepancy", help="derive the widening of intervals").set_defaults(run=discrepancy)
    count = commands.add_parser("counts", help="write docs/explanation/memory.md")
    count.add_argument("--check", action="store_true", help=CHECK_HELP)
    count.set_defaults(run=counts)
    options = parser.parse_args(arguments)
    try:
        status: int = options.run(options)
    except InputError as error:
        print(f"experiments.validation: {error}", file=sys.stderr)
        return 2
    return status


if __name__ == "__main__":
    sys.exit(main())
