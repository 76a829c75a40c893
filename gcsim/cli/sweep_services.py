"""``gcsim sweep`` of several models: one Parquet file for all of them, and a line for each."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gcsim.cli.console import emit, emit_json, emit_table, note
from gcsim.cli.kept import check_sweep_output, is_parquet, keeping
from gcsim.cli.options import Simulation
from gcsim.cli.progress import progress
from gcsim.cli.service import NOT_TRUSTED
from gcsim.cli.where import executor_of
from gcsim.errors import InputError
from gcsim.interrupts import ending_status

if TYPE_CHECKING:
    from gcsim.tuning.services import Grid
    from gcsim.tuning.services_file import ServiceSummary

_REFUSED = 2  # exit status


def sweep_many(
    files: Sequence[str],
    grid: "Grid",
    output: Path | None,
    how: Simulation,
    *,
    memory_bytes: int | None,
    resume: bool,
    as_json: bool,
) -> None:
    """Sweeps every model and writes one Parquet file; a model that is refused costs only itself and is named."""
    if output is None:
        raise InputError("several models are written into one file: name it with -o, such as -o all.parquet")
    path = output if is_parquet(output) else output / "sweep.parquet"
    from gcsim.tuning.parquet_file import check_parquet
    from gcsim.tuning.services import sweep_services
    from gcsim.tuning.services_file import write_services

    grid.check()
    check_sweep_output(output)
    check_parquet(path)
    with keeping(output, grid, files, resume=resume) as kept:
        assert kept is not None
        with progress("sweep") as report, executor_of(how) as executor:
            whole = sweep_services(files, grid, kept, progress=report, executor=executor)
        if not whole:
            note(f"gcsim: interrupted: {kept.count():,} of {len(files) * len(grid):,} settings finished")
        found = write_services(path, files, grid, kept, memory_bytes=memory_bytes)
        if whole:
            kept.remove()
    for one in found:
        if one.refused is not None:
            note(
                f"gcsim: {one.refused if one.refused.startswith(one.file) else f'{one.file}: {one.refused}'}"
            )
    if as_json:
        about = grid.metadata([], memory_bytes=memory_bytes, unfinished=0)
        emit_json({**about, "models": [one.summary_json() for one in found]})
    else:
        _print(found, grid, how)
    if any(one.settings for one in found):
        note(f"wrote {path}")
    _end(found, whole=whole)


def _print(found: "Sequence[ServiceSummary]", grid: "Grid", how: Simulation) -> None:
    from gcsim.metrics import METRIC_LABELS, format_metric

    emit(f"{len(found):,} models at {len(grid):,} settings; {how}\n\n")
    ranges = ("gc_cpu_fraction", "container_peak_bytes")
    rows: list[list[str]] = []
    for one in found:
        ends = [(name, *one.ranges[name]) for name in ranges if name in one.ranges]
        spans = [f"{format_metric(name, least)} to {format_metric(name, most)}" for name, least, most in ends]
        shown = ["refused"] if one.refused else [f"{one.feasible:,} of {one.settings:,}"]
        rows.append([one.file, one.verdict or "—", *shown, *(spans or ["—"] * len(ranges))])
    emit_table(["model", "verdict", "feasible", *(METRIC_LABELS[name] for name in ranges)], rows)


def _end(found: "Sequence[ServiceSummary]", *, whole: bool) -> None:
    """Ends the command with the status of the gravest answer."""
    refused = sum(one.refused is not None for one in found)
    if not whole:
        raise typer.Exit(ending_status())
    if refused:
        note(f"gcsim: {refused:,} of {len(found):,} models were refused; the file has the others")
        raise typer.Exit(_REFUSED)
    verdicts = Counter(one.verdict for one in found)
    if verdicts["do not trust"]:
        note(
            f"gcsim: {verdicts['do not trust']:,} of {len(found):,} models are not to be trusted (column verdict)"
        )
        raise typer.Exit(NOT_TRUSTED)
