"""Rules of thumb on real programs, predicted and observed.

    python -m experiments.rules capture                          # the logs that the models come from
    python -m experiments.rules predict                          # predictions.json, before the runs
    python -m experiments.rules run --program orders --memory 256  # the rules in one container; minutes, quiet machine
    python -m experiments.rules page                             # the tables in docs/explanation/rules-of-thumb.md

``predict`` and ``run`` of a ``--program``, or of one ``--memory``, leave the others as they are. The real programs of
``experiments/software`` have their captures there. ``run`` needs Linux and root. It replaces the runs of that program
and container in results.csv, or those of one ``--rule``.
"""

import argparse
import sys
from collections.abc import Sequence

from experiments.capture import capture_run
from experiments.priority import high_priority
from experiments.rules.page import write_page
from experiments.rules.predict import ALL_CASES, RuleCase, write_predictions
from experiments.rules.study import CAPTURES, CASES, RESULTS, file_result, read_predictions


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one step of the study."""
    parser = argparse.ArgumentParser(prog="python -m experiments.rules", description=__doc__)
    parser.add_argument("step", choices=("capture", "predict", "run", "page"))
    parser.add_argument("--program", choices=[case.program for case in ALL_CASES])
    parser.add_argument("--memory", type=int, help="MiB of the container")
    parser.add_argument("--rule", help="of run: one rule")
    parser.add_argument(
        "--check", action="store_true", help="of page: change nothing, exit with 1 if it differs"
    )
    parser.add_argument("--ends-only", action="store_true", help="of run, on a busy machine: keep no GC CPU")
    options = parser.parse_args(arguments)
    if options.step == "capture":
        for own in CASES:
            if options.program in (None, own.program):
                capture_run(own.plan, CAPTURES)
    elif options.step == "page":
        return 1 if write_page(check=options.check) and options.check else 0
    cases = [case for case in ALL_CASES if options.program in (None, case.program)]
    if options.step == "predict":
        write_predictions(cases, options.memory)
    elif options.step == "run":
        for case in cases:
            for memory in case.memory_mib:
                if options.memory in (None, memory):
                    _run(case, memory, options.rule, ends_only=options.ends_only)
    return 0


def _run(case: RuleCase, memory_mib: int, named: str | None, *, ends_only: bool) -> None:
    """Runs every rule in one container, or the named one, and files each result at once."""
    run = case.runner(ends_only=ends_only)
    for rule in read_predictions():
        if (rule.program, rule.memory_mib) != (case.program, memory_mib) or named not in (None, rule.rule):
            continue
        with high_priority():
            one = run(rule)
        cpu = "" if one.gc_cpu_fraction is None else f"{100 * one.gc_cpu_fraction:.1f} % GC CPU"
        sys.stderr.write(f"{case.program} {memory_mib} MiB, {one.rule}: {one.end} {cpu}\n")
        file_result(one, RESULTS)


if __name__ == "__main__":
    sys.exit(main())
