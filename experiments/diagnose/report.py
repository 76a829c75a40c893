"""Diagnoses the captured scenarios and prints the table of docs/explanation/diagnosis.md.

    python -m experiments.diagnose.report [--runs DIR] [--half design|reported] [--page] [--check]

``--page`` writes the table into the page. ``--check`` exits with 1 if the page has another table.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.archive import unpacked
from experiments.diagnose.capture import stem
from experiments.diagnose.scenarios import CONFIRMATION_GO, GO_VERSIONS, SCENARIOS, Scenario, half_of
from experiments.tables import stated_table, write_table
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.diagnosis.evidence import diagnose_files
from gcsim.diagnosis.records import Verdicts
from gcsim.units import parse_memory_size

RUNS = Path(__file__).parent / "captures"
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "diagnosis.md"
TABLE = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The diagnosis of one scenario on one Go version."""

    scenario: Scenario
    go: str
    found: Verdicts

    @property
    def first(self) -> str:
        """The name of the first finding."""
        return self.found.causes[0].name if self.found.causes else "nothing"

    @property
    def is_right(self) -> bool:
        """Whether the first finding is the expected one; for a healthy service, that none is serious."""
        if self.scenario.is_healthy:
            return not self.found.is_serious
        return self.first in self.scenario.expected


def files_of(scenario: Scenario, go: str, runs: Path) -> list[str]:
    """The log and the evidence of a run."""
    log = runs / f"{stem(scenario, go)}.log.gz"
    others = sorted(
        path for kind in scenario.evidence for path in runs.glob(f"{stem(scenario, go)}.{kind}[12]")
    )
    return [str(log), *map(str, others)]


def outcomes(runs: Path, half: str | None = None) -> Iterator[Outcome]:
    """The diagnoses of all captured scenarios."""
    for scenario in SCENARIOS:
        if half is not None and half_of(scenario) != half:
            continue
        for go in (*GO_VERSIONS, CONFIRMATION_GO):
            files = files_of(scenario, go, runs)
            if Path(files[0]).exists():
                yield Outcome(scenario=scenario, go=go, found=diagnosed(scenario, files))


def diagnosed(scenario: Scenario, files: Sequence[str]) -> Verdicts:
    """The diagnosis of one run; a bare log is read without its side file."""
    options = dict(zip(scenario.options[::2], scenario.options[1::2], strict=True))
    memory = options.get("--memory")
    memory_bytes = None if memory is None else parse_memory_size(memory, what="--memory")
    with tempfile.TemporaryDirectory() as folder:
        if scenario.bare:
            files = [shutil.copy(file, folder) for file in files]
        return diagnose_files(files, stated=Overrides(), memory_bytes=memory_bytes)[0]


def table(found: Sequence[Outcome]) -> str:
    """The tables of the reported halves and of the design half, and the counts."""
    halves, captured = ("second", "reported", "design"), {half_of(one.scenario) for one in found}
    return "\n".join([*(_rows(found, half) for half in halves if half in captured), _summary(found) + "\n"])


def _rows(found: Sequence[Outcome], half: str) -> str:
    """One row per scenario of a half, one column per Go version."""
    versions = (*GO_VERSIONS, CONFIRMATION_GO) if half == "design" else GO_VERSIONS
    lines = [
        "| half | scenario | expected | " + " | ".join(f"Go {go}" for go in versions) + " |",
        "|---|---|---|" + "---|" * len(versions),
    ]
    scenarios = {one.scenario.name: one.scenario for one in found}.values()
    for scenario in sorted(scenarios, key=lambda one: (one.is_healthy, one.name)):
        if half_of(scenario) != half:
            continue
        cells = {one.go: _cell(one) for one in found if one.scenario.name == scenario.name}
        expected = (
            "nothing serious" if scenario.is_healthy else " or ".join(f"`{n}`" for n in scenario.expected)
        )
        name = f"`{scenario.name}`{' (bare)' if scenario.bare else ''}"
        row = [half, name, expected, *(cells.get(go, "") for go in versions)]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def _cell(one: Outcome) -> str:
    top = one.found.causes[0] if one.found.causes else None
    text = "nothing" if top is None else f"`{top.name}` ({top.severity})"
    return text if one.is_right else f"**miss**: {text}"


def _summary(found: Sequence[Outcome]) -> str:
    """The counts of each set of runs, as a table."""
    sets: dict[str, Callable[[Outcome], bool]] = {
        "second reported half": lambda one: half_of(one.scenario) == "second",
        "reported half, after the corrections": lambda one: half_of(one.scenario) == "reported",
        "design half": lambda one: one.go != CONFIRMATION_GO and half_of(one.scenario) == "design",
        "design half, other sizes": lambda one: one.go == CONFIRMATION_GO,
    }
    lines = [
        "| runs | first finding right, of faulty runs | nothing serious, of healthy runs |",
        "|---|---|---|",
    ]
    for name, is_in in sets.items():
        counts = [
            [one.is_right for one in found if is_in(one) and one.scenario.is_healthy is healthy]
            for healthy in (False, True)
        ]
        if not any(counts):
            continue
        cells = [f"{sum(right)} of {len(right)}" for right in counts]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.diagnose.report")
    parser.add_argument("--runs", type=Path, default=RUNS)
    parser.add_argument("--half", choices=("design", "reported", "second"))
    parser.add_argument("--page", action="store_true", help="write the table into the page")
    parser.add_argument("--check", action="store_true", help="compare the page with the table")
    options = parser.parse_args(arguments)
    text = table(list(outcomes(unpacked(options.runs), options.half)))
    if not options.page and not options.check:
        print(text)
        return 0
    if options.check:
        if stated_table(PAGE, TABLE) != text:
            print(f"{PAGE.name} differs from the captures; run python -m experiments.diagnose.report --page")
            return 1
        return 0
    write_table(PAGE, TABLE, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
