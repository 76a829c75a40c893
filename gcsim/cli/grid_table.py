"""A sweep as text: one row per setting for small grids, else two maps of GOGC and GOMEMLIMIT."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gcsim.cli.console import emit, emit_table, terminal_width, wrap
from gcsim.units import (
    MIB,
    format_go_bytes,
    format_gogc,
    format_mib,
    format_number,
    format_percent,
)

if TYPE_CHECKING:
    from gcsim.engine.run import Run
    from gcsim.tuning.feasible import Fault
    from gcsim.tuning.sweep import Sweep

_MAX_ROWS = 24
_BETWEEN_COLUMNS = 2
_WIDE = 100  # columns of a terminal that has room for cycle rate and pauses too
_MEMORY = ("rss_peak_bytes", "anonymous_peak_bytes")  # next to container memory
_JOB = ("job_wall_seconds", "job_cpu_seconds")  # instead of them, for a job
_MARKS: "dict[Fault, tuple[str, str]]" = {
    "memory": ("!", "too big for the container: its container memory at the 95th percentile is above it"),
    "limit": ("x", "cannot keep its own GOMEMLIMIT: live memory does not fit under it"),
    "gc_cpu": ("#", "too much GC: at the 95th percentile more than half of all CPU"),
}


def print_grid(sweep: "Sweep", best: "Run | None") -> None:
    """Prints the sweep, with the best setting in brackets and a legend of the marks."""
    if len(sweep.finished) <= _MAX_ROWS or len(sweep.gomemlimit_bytes) == 1:
        _print_rows(sweep, best)
        return
    _print_map(sweep, best, "gc_cpu_fraction", 0.01, "GC CPU, percent")
    emit("")
    kind = "container" if sweep.memory_metric == "container_peak_bytes" else "resident"
    _print_map(sweep, best, sweep.memory_metric, MIB, f"peak {kind} memory, MiB")
    _print_legend(sweep, best)


def _print_map(sweep: "Sweep", best: "Run | None", metric: str, unit: float, title: str) -> None:
    """Prints one metric as a map, in parts of as many columns as the terminal holds."""
    from gcsim.tuning.sweep import loosest_last

    columns = len(sweep.gogc)
    order, down = loosest_last(sweep.gogc), loosest_last(sweep.gomemlimit_bytes)
    runs = [[sweep.runs[row * columns + place] for place in order] for row in down]
    rows = [[_map_cell(run, sweep, best, metric, unit) for run in line] for line in runs]
    limits = [format_go_bytes(sweep.gomemlimit_bytes[row]) for row in down]
    names = [format_gogc(sweep.gogc[place]) for place in order]
    heading = "GOMEMLIMIT \\ GOGC"
    first = max(len(heading), *map(len, limits))
    widths = [max(len(name), *(len(row[i]) for row in rows)) for i, name in enumerate(names)]
    for start, end in _parts(widths, terminal_width() - first):
        emit_table(
            [heading, *names[start:end]],
            [[limit, *row[start:end]] for limit, row in zip(limits, rows, strict=True)],
            title=title if start == 0 else None,
        )


def _parts(widths: Sequence[int], room: int) -> list[tuple[int, int]]:
    """Parts of columns that fit into ``room``, each as (first column, column after the last)."""
    parts, start, used = [], 0, 0
    for place, width in enumerate(widths):
        if used + width + _BETWEEN_COLUMNS > room and place > start:
            parts.append((start, place))
            start, used = place, 0
        used += width + _BETWEEN_COLUMNS
    return [*parts, (start, len(widths))]


def _map_cell(run: "Run | None", sweep: "Sweep", best: "Run | None", metric: str, unit: float) -> str:
    from gcsim.tuning.feasible import fault_of

    if run is None:
        return ""
    text = format_number(run.metrics[metric].value / unit, 2)
    fault = fault_of(run, sweep.memory_bytes)
    if fault is not None:
        return text + _MARKS[fault][0]
    return f"[{text}]" if run is best else text


def _print_rows(sweep: "Sweep", best: "Run | None") -> None:
    from gcsim.metrics import format_metric
    from gcsim.tuning.feasible import container_peak, fault_of

    wide = terminal_width() >= _WIDE
    rows = []
    is_job = any(_JOB[0] in run.metrics for run in sweep.finished)
    jobs = _JOB if is_job else ()
    for run in sweep.finished:
        fault, metrics = fault_of(run, sweep.memory_bytes), run.metrics
        gc_cpu, peak = metrics["gc_cpu_fraction"], container_peak(run)
        others = ("gc_rate_hz", "stw_p99_seconds") if wide else ()
        more_memory = () if is_job else _MEMORY
        rows.append(
            [
                format_gogc(run.settings.gogc),
                format_go_bytes(run.settings.gomemlimit_bytes),
                format_percent(gc_cpu.value, 2),
                format_percent(gc_cpu.high, 2),
                *(format_metric(name, metrics[name].value) for name in others),
                *(format_metric(name, metrics[name].value) for name in jobs),
                *(format_mib(metrics[name].value) if name in metrics else "" for name in more_memory),
                format_mib(peak.value),
                format_mib(peak.high),
                _MARKS[fault][0] if fault is not None else "best" if run is best else "",
            ]
        )
    more = ["cycles", "p99"] if wide else []
    memory = ["wall", "CPU"] if is_job else ["RSS", "anonymous"]
    columns = ["GOGC", "GOMEMLIMIT", "GC CPU", "95th", *more, *memory, "container", "95th pct", ""]
    emit_table(columns, rows)
    _print_legend(sweep, None)


def _print_legend(sweep: "Sweep", best: "Run | None") -> None:
    from gcsim.tuning.feasible import fault_of

    found = {fault_of(run, sweep.memory_bytes) for run in sweep.finished}
    lines = [f"{mark}    {words}" for fault, (mark, words) in _MARKS.items() if fault in found]
    if best is not None:
        lines.append("[ ]  the best of these settings for the memory given")
    if lines:
        emit("\n" + "\n".join(wrap(line, indent="     ") for line in lines))
