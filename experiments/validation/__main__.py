"""Validation against real Go.

python -m experiments.validation capture [--only REGEX] [--lock FILE] [--long]   make the runs that are missing
python -m experiments.validation report [--from-table]                  predict all, write docs/accuracy.md
python -m experiments.validation discrepancy                            what intervals must be widened by
python -m experiments.validation counts                                 write docs/memory.md
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.capture import capture_run, is_captured, summary
from experiments.validation import machine
from experiments.validation.counts import counts_page
from experiments.validation.discrepancy import discrepancy_table
from experiments.validation.figures import write_ratios
from experiments.validation.matrix import CAPTURES, LONG_CAPTURES, long_plans, plans
from experiments.validation.page import accuracy_page, headline_sentence, with_headline
from experiments.validation.results import load_study, save_study
from experiments.validation.study import study
from gcsim.atomic import write_text_atomically
from gcsim.errors import InputError

FOLDER = Path(__file__).parent
DOCS = FOLDER.parent.parent / "docs"


def capture(options: argparse.Namespace) -> None:
    """Make the runs whose names match and whose files are missing; the machine is noted beside them."""
    chosen, folder = (long_plans(), LONG_CAPTURES) if options.long else (plans(), CAPTURES)
    for plan in chosen:
        if re.search(options.only, plan.name) and not is_captured(plan, folder):
            print(summary(capture_run(plan, folder, lock=options.lock)), flush=True)
            machine.note(folder)


def report(options: argparse.Namespace) -> None:
    """Predict every captured run, keep the table, write the page and its figure."""
    if not options.from_table:
        save_study(study(plans(), CAPTURES, LONG_CAPTURES), FOLDER)
    found = load_study(FOLDER)
    write_text_atomically(DOCS / "accuracy.md", accuracy_page(found, machine.described(CAPTURES)))
    write_ratios(found.rows, DOCS / "img" / "accuracy.png", f"{found.runs} runs · bars: 90 % intervals")
    readme = DOCS.parent / "README.md"
    write_text_atomically(readme, with_headline(readme.read_text(encoding="utf-8"), found.rows))
    print(headline_sentence(found.rows))


def discrepancy(_options: argparse.Namespace) -> None:
    """Print the table that ``gcsim/engine/discrepancy.py`` ships, from the design programs' residuals."""
    print(discrepancy_table(load_study(FOLDER).rows))


def counts(_options: argparse.Namespace) -> None:
    """Write the page of memory as the runtime counted it."""
    write_text_atomically(DOCS / "memory.md", counts_page(plans(), CAPTURES))


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
        "report", help="predict every captured run and write docs/accuracy.md and the headline"
    )
    show.add_argument("--from-table", action="store_true", help="from results.csv, without predicting again")
    show.set_defaults(run=report)
    commands.add_parser("discrepancy", help="derive the widening of intervals").set_defaults(run=discrepancy)
    commands.add_parser("counts", help="write docs/memory.md").set_defaults(run=counts)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except InputError as error:
        print(f"experiments.validation: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
