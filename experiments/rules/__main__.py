"""Rules of thumb on real programs, predicted and observed.

    python -m experiments.rules capture                          # the logs that the models come from
    python -m experiments.rules predict                          # predictions.json, before the runs
    python -m experiments.rules run --program orders --memory 256  # the rules in one container; minutes, quiet machine
    python -m experiments.rules page                             # the table in docs/explanation/rules-of-thumb.md

``run`` needs Linux and root. It replaces the runs of that program and container in results.csv.
"""

import argparse
import sys
from collections.abc import Sequence

from experiments.capture import capture_run
from experiments.priority import high_priority
from experiments.rules.page import write_page
from experiments.rules.predict import write_predictions
from experiments.rules.study import (
    CAPTURES,
    CASES,
    RESULTS,
    build,
    read_predictions,
    read_results,
    results_text,
    run_rule,
)
from gcsim.atomic import write_text_atomically


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one step of the study."""
    parser = argparse.ArgumentParser(prog="python -m experiments.rules", description=__doc__)
    parser.add_argument("step", choices=("capture", "predict", "run", "page"))
    parser.add_argument("--program", choices=[case.program for case in CASES])
    parser.add_argument("--memory", type=int, help="MiB of the container")
    parser.add_argument(
        "--check", action="store_true", help="of page: change nothing, exit with 1 if it differs"
    )
    parser.add_argument("--ends-only", action="store_true", help="of run, on a busy machine: keep no GC CPU")
    options = parser.parse_args(arguments)
    cases = [case for case in CASES if options.program in (None, case.program)]
    if options.step == "capture":
        for case in cases:
            capture_run(case.plan, CAPTURES)
    elif options.step == "predict":
        write_predictions()
    elif options.step == "run":
        for case in cases:
            for memory in case.memory_mib:
                if options.memory in (None, memory):
                    _run(case.program, memory, ends_only=options.ends_only)
    else:
        return 1 if write_page(check=options.check) and options.check else 0
    return 0


def _run(program: str, memory_mib: int, *, ends_only: bool) -> None:
    """Runs every rule in one container and files the results."""
    case = next(case for case in CASES if case.program == program)
    binary = build(program)
    rules = [one for one in read_predictions() if (one.program, one.memory_mib) == (program, memory_mib)]
    found = []
    for rule in rules:
        with high_priority():
            one = run_rule(case, binary, rule, ends_only=ends_only)
        found.append(one)
        cpu = "" if one.gc_cpu_fraction is None else f"{100 * one.gc_cpu_fraction:.1f} % GC CPU"
        sys.stderr.write(f"{program} {memory_mib} MiB, {one.rule}: {one.end} {cpu}\n")
    others = [one for one in read_results() if (one.program, one.memory_mib) != (program, memory_mib)]
    write_text_atomically(RESULTS, results_text([*others, *found]))


if __name__ == "__main__":
    sys.exit(main())
