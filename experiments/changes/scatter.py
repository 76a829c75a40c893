"""The memory of a heap through growth, scattered drops and idling: real runtime metrics of each second, and predicted.

python -m experiments.changes.scatter run [--out FILE]    the real runs, three minutes
python -m experiments.changes.scatter page [--check]      the table and figure of docs/explanation/heap-over-time.md
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from experiments import toolchains
from experiments.changes.matrix import GOS, HERE
from experiments.tables import replace_table
from gcsim.atomic import replacing, write_text_atomically
from gcsim.goruntime.versions import rules_for
from gcsim.report.style import (
    BLUE,
    INK,
    QUIET,
    VERMILION,
    figure_style,
    headline,
    light_grid,
    new_figure,
    render,
)
from gcsim.submodels.heap_course import HeapSample, ObjectKind, Phase, heap_course
from gcsim.units import MIB

RUNS = HERE / "scatter.json"
DOCS = Path(__file__).parents[2] / "docs"
PAGE, FIGURE = DOCS / "explanation" / "heap-over-time.md", DOCS / "images" / "heap-over-time.png"

#: The program's own constants (experiments/programs/changes/scatter): three kinds that stay, and the garbage.
KINDS = tuple(ObjectKind(object_bytes=size, scan=False) for size in (128, 4096, 65536, 1024))
EACH_BYTES, GARBAGE_BYTES, DROPPED = 100 * MIB, 30.0 * MIB, 0.85
GROW_SECONDS, WORK_SECONDS, IDLE_SECONDS = 20.0, 10.0, 126.0
_POINTERS_BYTES = (
    8.0 * EACH_BYTES * (1 / 128 + 1 / 4096 + 1 / 65536)
)  # the program's three slices of pointers
_SETTLED, _RATE = 3.0, EACH_BYTES / GROW_SECONDS
_NOTHING = (0.0, 0.0, 0.0, 0.0)
PHASES = (
    Phase(seconds=GROW_SECONDS, kept=(_RATE, _RATE, _RATE, 0.0), garbage=(0.0, 0.0, 0.0, GARBAGE_BYTES)),
    Phase(
        seconds=WORK_SECONDS,
        kept=_NOTHING,
        garbage=(0.0, 0.0, 0.0, GARBAGE_BYTES),
        dropped=DROPPED,
        collects=True,
    ),
    Phase(seconds=IDLE_SECONDS, kept=_NOTHING, garbage=_NOTHING),
)
#: name: (key of the program's rows, figure of the prediction)
FIGURES: dict[str, tuple[str, Callable[[HeapSample], float]]] = {
    "HeapAlloc": ("objects_bytes", lambda one: one.heap_alloc_bytes),
    "HeapInuse": ("in_use_bytes", lambda one: one.heap_in_use_bytes),
    "HeapIdle": ("idle_bytes", lambda one: one.heap_idle_bytes),
    "HeapReleased": ("released_bytes", lambda one: one.heap_released_bytes),
    "anonymous memory": ("anonymous_bytes", lambda one: one.heap_resident_bytes),
}
#: part of the run: its seconds
PARTS = {"growth": (3, 20), "work after the drop": (21, 30), "idle": (33, 148)}


def run(out: Path) -> None:
    """Runs the program on each version of Go, at the same time."""
    programs = {go: toolchains.build("changes/scatter", go) for go in GOS}
    running = {
        go: subprocess.Popen([str(program)], stdout=subprocess.PIPE, text=True, env={"GOMAXPROCS": "2"})
        for go, program in programs.items()
    }
    keep({go: json.loads(process.communicate()[0]) for go, process in running.items()}, out)


def keep(found: dict[str, list[dict[str, Any]]], out: Path) -> None:
    """Writes the rows of every version, one on each line; sizes in whole KiB."""
    lines = []
    for go, rows in found.items():
        short = [{name: round(value, 2) for name, value in row.items()} for row in rows]
        body = ",\n".join(json.dumps(row) for row in short)
        lines.append(f'"{go}": [\n{body}\n]')
    write_text_atomically(out, "{\n" + ",\n".join(lines) + "\n}\n")


def predicted(go: str) -> dict[int, HeapSample]:
    """The samples by second."""
    course = heap_course(
        KINDS, PHASES, gogc=100, gomaxprocs=2, rules=rules_for(go), seed=1, kept_before_bytes=_POINTERS_BYTES
    )
    return {round(one.seconds): one for one in course}


def table() -> str:
    """The median error of each figure in each part of the run."""
    lines = [
        f"| Go | part | {' | '.join(FIGURES)} |",
        "|---|---|" + "---|" * len(FIGURES),
    ]
    for go, rows in json.loads(RUNS.read_text(encoding="utf-8")).items():
        course = predicted(go)
        for part, (first, last) in PARTS.items():
            cells = []
            for key, figure in FIGURES.values():
                seen = [row for row in rows if first <= round(row["seconds"]) <= last]
                largest = max(row["in_use_bytes"] + row["idle_bytes"] for row in seen)
                errors = [abs(figure(course[round(row["seconds"])]) - row[key]) / largest for row in seen]
                cells.append(f"{100 * statistics.median(errors):.1f} ({100 * max(errors):.0f})")
            lines.append(f"| {go} | {part} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw() -> Figure:
    """Measured and predicted memory over time, one panel for each version."""
    data = json.loads(RUNS.read_text(encoding="utf-8"))
    colours = dict(zip(FIGURES, (QUIET, BLUE, INK, VERMILION, "#009E73"), strict=True))
    with figure_style():
        figure = new_figure(3.1 * len(data))
        panels = figure.subplots(len(data), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (go, rows) in zip(panels, data.items(), strict=True):
            course = predicted(go)
            for name, (key, value) in FIGURES.items():
                axes.plot([row["seconds"] for row in rows], [row[key] / MIB for row in rows], color=colours[name],
                          label=name)  # fmt: skip
                axes.plot(
                    list(course), [value(one) / MIB for one in course.values()], "--", color=colours[name]
                )
            axes.set_ylabel(f"Go {go}, MiB")
            light_grid(axes)
        panels[0].legend(frameon=False, ncols=3)
        panels[-1].set_xlabel("seconds")
        headline(figure, "The heap over time", "solid: runtime/metrics of each second; dashed: predicted")
    return figure


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.changes.scatter", description=__doc__)
    parser.add_argument("step", choices=("run", "page"))
    parser.add_argument("--out", type=Path, default=RUNS, help="of run: the file")
    parser.add_argument(
        "--check", action="store_true", help="of page: change nothing, status 1 if it differs"
    )
    options = parser.parse_args(arguments)
    if options.step == "run":
        run(options.out)
        return 0
    differs = replace_table(PAGE, "scatter", f"{table()}\n", check=options.check)
    if options.check:
        return 1 if differs else 0
    with replacing(FIGURE) as temporary:
        temporary.write_bytes(render(draw(), "png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
