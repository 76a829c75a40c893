"""new each time, one reused global, and sync.Pool; and the misses of a pool as collections become frequent."""

import json
import subprocess
from pathlib import Path
from typing import Any

from experiments import toolchains
from experiments.article.arms import DATA
from experiments.article.claims import Claim
from experiments.priority import high_priority
from gcsim.atomic import make_folder, write_text_atomically
from gcsim.goruntime.versions import rules_for
from gcsim.submodels.pool_use import PoolUse
from gcsim.units import format_number, format_percent, format_seconds

NAME = "pool"
ARTICLE = {
    "new": (82.3, 1.0),
    "global": (5.1, 0.0),
    "sync.Pool": (6.7, 0.01),
}  # ns and allocations per operation
GOS = ("1.21.13", "1.27.3")
_PROGRAM, _SEED = "changes/pooling", 1
_LARGEST = 1_000_000  # operations
_RARE, _FREQUENT = 800, 10  # GOGC of the pool's runs


def run(out: Path) -> None:
    """Runs the program on each version of Go; a minute."""
    found = []
    for go in GOS:
        program = toolchains.build(_PROGRAM, go)
        with high_priority():
            done = subprocess.run([str(program)], capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
    make_folder(out)
    write_text_atomically(out / f"{NAME}.json", json.dumps(found).replace("}, {", "},\n{") + "\n")


def claims() -> list[Claim]:
    """The verdicts by the committed runs of the newest Go."""
    newest = _runs()[-1]
    times = {way: _way(newest, way, _LARGEST, 1)["ns_per_op"] for way in ARTICLE}
    counted = {way: _way(newest, way, _LARGEST, 1)["allocations_per_op"] for way in ARTICLE}
    misses = {use["gogc"]: use["misses"] / use["gets"] for use in newest["uses"]}
    ordered = times["global"] < times["sync.Pool"] < times["new"]
    return [
        Claim(
            claim="new takes 82.3 ns, one global 5.1 ns, sync.Pool 6.7 ns per operation",
            verdict="reproduced in part" if ordered else "refuted",
            why="the order is the same; with objects of 512 bytes they take"
            f" {format_number(times['new'])}, {format_number(times['global'])} and"
            f" {format_number(times['sync.Pool'])} ns",
        ),
        Claim(
            claim="sync.Pool makes 0.01 allocations per operation",
            verdict="reproduced in part",
            why=f"{format_number(counted['sync.Pool'], 2)} if nothing else allocates; the misses depend on the time"
            f" between collections: {format_percent(misses[_RARE], 2)} of all Gets at GOGC={_RARE},"
            f" {format_percent(misses[_FREQUENT], 2)} at GOGC={_FREQUENT}",
        ),
    ]


def section() -> str:
    """The three ways, and the misses of a pool by the time between collections."""
    runs = _runs()
    lines = [
        "| way | article, ns/op | Go | operations | 1 P, ns/op | 2 P, ns/op | article, allocations/op |"
        " allocations/op | predicted |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        _way_row(way, one, operations)
        for way in ARTICLE
        for one in runs
        for operations in sorted({row["operations"] for row in one["ways"]})
    ]
    lines += [
        "",
        "| Go | GOGC | time between collections | Gets per second | in use | Gets that miss | predicted |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_use_row(one["go"], use) for one in runs for use in one["uses"]]
    return "\n".join(lines)


def _runs() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((DATA / f"{NAME}.json").read_text(encoding="utf-8"))
    return found


def _way(one: dict[str, Any], way: str, operations: int, procs: int) -> dict[str, Any]:
    wanted = (way, operations, procs)
    return next(row for row in one["ways"] if (row["way"], row["operations"], row["procs"]) == wanted)


def _way_row(way: str, one: dict[str, Any], operations: int) -> str:
    times = " | ".join(format_number(_way(one, way, operations, procs)["ns_per_op"]) for procs in (1, 2))
    counted = format_number(_way(one, way, operations, 2)["allocations_per_op"], 2)
    predicted = {"new": 1.0, "global": 0.0}.get(way, 2 / operations)  # one object for each P
    ns, allocations = ARTICLE[way]
    return (
        f"| {way} | {ns} | {one['go'].removeprefix('go')} | {operations:,} | {times} | {allocations:g} | {counted} |"
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
        f" {format_number(use['in_flight'])} | {format_percent(use['misses'] / use['gets'], 2)} ({use['misses']}) |"
        f" {format_percent(1.0 - found.hit_share, 2)} |"
    )
