"""The table of sync.Pool of a popular article on real Go, and how a pool misses as collections become frequent.

python -m experiments.changes.pooling run [--out FILE]    the real runs, a minute on a quiet machine
python -m experiments.changes.pooling page [--check]      the tables of docs/explanation/program-changes.md
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments import toolchains
from experiments.changes.capture import raise_priority
from experiments.changes.matrix import GOS, HERE
from experiments.changes.report import PAGE
from gcsim.atomic import write_text_atomically
from gcsim.goruntime.versions import rules_for
from gcsim.submodels.pool_use import PoolUse
from gcsim.units import format_number, format_percent, format_seconds

RUNS = HERE / "pooling.json"
ARTICLE = {
    "new": (82.3, 1.0),
    "global": (5.1, 0.0),
    "sync.Pool": (6.7, 0.01),
}  # ns and allocations per operation
_PROGRAM = "changes/pooling"
_SEED = 1


def run(out: Path) -> None:
    """Runs the program on each version of Go, with a high priority."""
    raise_priority()
    found = []
    for go in GOS:
        program = toolchains.build(_PROGRAM, go)
        done = subprocess.run([str(program)], capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
    keep(found, out)


def keep(found: list[dict[str, Any]], out: Path) -> None:
    """Writes the runs, a row on each line."""
    write_text_atomically(out, json.dumps(found, indent=None).replace("}, {", "},\n{") + "\n")


def tables() -> str:
    """The table of the article, and the misses of a pool by the time between collections."""
    runs = json.loads(RUNS.read_text(encoding="utf-8"))
    lines = [
        "| way | article, ns/op | article, allocations/op | Go | operations | 1 P, ns/op | 2 P, ns/op |"
        " allocations/op | predicted |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for way, (ns, allocations) in ARTICLE.items():
        lines += [
            _way_row(way, ns, allocations, one, operations)
            for one in runs
            for operations in sorted({row["operations"] for row in one["ways"]})
        ]
    lines += [
        "",
        "| Go | GOGC | time between collections | Gets/s | in use | misses per Get, observed | predicted |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_use_row(one["go"], use) for one in runs for use in one["uses"]]
    return "\n".join(lines)


def _way_row(way: str, ns: float, allocations: float, one: dict[str, Any], operations: int) -> str:
    rows = [row for row in one["ways"] if row["way"] == way and row["operations"] == operations]
    by_procs = {row["procs"]: row for row in rows}
    times = " | ".join(format_number(by_procs[procs]["ns_per_op"]) for procs in (1, 2))
    counted = format_number(by_procs[2]["allocations_per_op"], 2)
    predicted = {"new": 1.0, "global": 0.0}.get(way, 2 / operations)  # one object for each P
    return (
        f"| {way} | {ns} | {allocations:g} | {one['go'].removeprefix('go')} | {operations:,} | {times} | {counted} |"
        f" {format_number(predicted, 2)} |"
    )


def _use_row(go: str, use: dict[str, Any]) -> str:
    interval = use["seconds"] / max(use["collections"], 1)
    gets = use["gets"] / use["seconds"]
    pool = PoolUse(
        gets_per_second=gets,
        in_flight=use["in_flight"],
        gomaxprocs=use["procs"],
        goroutines=use["goroutines"],
    )
    found = pool.at(interval, rules=rules_for(go), seed=_SEED)
    return (
        f"| {go.removeprefix('go')} | {use['gogc']} | {format_seconds(interval)} | {format_number(gets)} |"
        f" {format_number(use['in_flight'])} | {format_percent(use['misses'] / use['gets'], 2)}"
        f" ({use['misses']}) | {format_percent(1.0 - found.hit_share, 2)} |"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.changes.pooling", description=__doc__)
    parser.add_argument("step", choices=("run", "page"))
    parser.add_argument("--out", type=Path, default=RUNS, help="of run: the file")
    parser.add_argument(
        "--check", action="store_true", help="of page: change nothing, status 1 if it differs"
    )
    options = parser.parse_args(arguments)
    if options.step == "run":
        run(options.out)
        return 0
    text = PAGE.read_text(encoding="utf-8")
    begin, end = "<!-- pooling: begin -->\n", "<!-- pooling: end -->"
    new, count = re.subn(f"{begin}.*?{end}", lambda _: f"{begin}{tables()}\n{end}", text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{PAGE.name} has no place for the tables")
    if options.check:
        return 0 if new == text else 1
    write_text_atomically(PAGE, new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
