"""``gcsim heap``: the memory of a heap through growth, scattered drops and idling."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import emit, emit_json, emit_table, note_written
from gcsim.cli.options import JsonOption, whole_number
from gcsim.errors import InputError

if TYPE_CHECKING:
    from gcsim.submodels.heap_course import HeapSample

_ROWS = 24  # of the table on standard output
_MOST_PROCS = 4096
_SEED = 1


def heap(
    plan: Annotated[
        Path, typer.Argument(metavar="PLAN", help="TOML: the kinds of objects and the phases of the program.")
    ],
    gogc: Annotated[str, typer.Option("--gogc", metavar="G", help="GOGC: a percentage.")] = "100",
    gomaxprocs: Annotated[
        int, typer.Option("--gomaxprocs", metavar="P", parser=whole_number, help="GOMAXPROCS.")
    ] = 2,
    go: Annotated[str, typer.Option("--go", metavar="1.X", help="Go version.")] = "1.27",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="Folder for figure and CSV.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Predict HeapAlloc, HeapInuse, HeapIdle and HeapReleased over time, from the objects of a program."""
    from gcsim.atomic import check_folder
    from gcsim.goruntime.versions import rules_for
    from gcsim.submodels.heap_course import heap_course
    from gcsim.tuning.heap_plan import read_heap_plan
    from gcsim.units import parse_gogc

    percent = parse_gogc(gogc)
    if percent is None:
        raise InputError("--gogc: a heap without collections only grows; give a percentage, such as 100")
    if not 1 <= gomaxprocs <= _MOST_PROCS:
        raise InputError(f"--gomaxprocs: {gomaxprocs} is not from 1 to {_MOST_PROCS}")
    if output is not None:
        check_folder(output)
    found, rules = read_heap_plan(plan), rules_for(go)
    samples = heap_course(
        found.kinds, found.phases, gogc=percent, gomaxprocs=gomaxprocs, rules=rules, seed=_SEED
    )
    about = f"GOGC={percent} GOMAXPROCS={gomaxprocs} Go {rules.go}"
    if as_json:
        columns = [_figures(one) for one in samples]
        settings = {"gogc": percent, "gomaxprocs": gomaxprocs, "go": rules.go}
        emit_json({"settings": settings, "samples": columns})
    else:
        emit(f"{plan.name} at {about}; a sample each second, sizes in MiB")
        emit_table(["seconds", *_HEADS], [_row(one) for one in _thinned(samples)])
    if output is not None:
        from gcsim.atomic import replacing_set
        from gcsim.report.heap_course_figure import write_heap_course

        with replacing_set(output) as files:
            written = write_heap_course(samples, f"{plan.name} at {about}", files)
            written.append(files.write_text("heap-course.csv", _csv(samples)))
        note_written(output, written)


_HEADS = ("HeapAlloc", "HeapInuse", "HeapIdle", "HeapReleased", "resident", "collections")


def _figures(one: "HeapSample") -> dict[str, float | int]:
    return {
        "seconds": round(one.seconds, 2),
        "heap_alloc_bytes": round(one.heap_alloc_bytes),
        "heap_in_use_bytes": round(one.heap_in_use_bytes),
        "heap_idle_bytes": round(one.heap_idle_bytes),
        "heap_released_bytes": round(one.heap_released_bytes),
        "heap_resident_bytes": round(one.heap_resident_bytes),
        "cycles": one.cycles,
    }


def _thinned(samples: "list[HeapSample]") -> "list[HeapSample]":
    """Every n-th sample, so that the table has at most ``_ROWS`` rows; the last one is there."""
    step = -(-len(samples) // _ROWS)
    return (
        samples[step - 1 :: step] if len(samples) % step == 0 else [*samples[step - 1 :: step], samples[-1]]
    )


def _row(one: "HeapSample") -> list[str]:
    from gcsim.units import MIB, format_number

    seconds, *sizes, cycles = _figures(one).values()
    return [format_number(seconds), *(format_number(size / MIB) for size in sizes), str(cycles)]


def _csv(samples: "list[HeapSample]") -> str:
    text = io.StringIO()
    rows = [_figures(one) for one in samples]
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
