"""The figures of logs: observed heap over time and observed pauses."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gcsim.atomic import FileSet
from gcsim.cycles import CycleTable
from gcsim.report.figures import heap_figure, pauses_figure, save_figure
from gcsim.report.heap_curve import heap_curve_data
from gcsim.report.pauses import pause_curve_data
from gcsim.report.style import SERIES
from gcsim.report.sweep_figures import window_seconds
from gcsim.settings import Settings


def write_log_figures(logs: Mapping[str, tuple[CycleTable, Settings]], files: FileSet) -> list[Path]:
    """Adds PNG and SVG of both figures for up to six logs to the files; returns their paths."""
    labels = _labels(list(logs)[: len(SERIES)])
    shown = {label: logs[log] for log, label in labels.items()}
    seconds = window_seconds([cycles for cycles, _ in shown.values()])
    curves = [
        heap_curve_data(cycles, settings, label=f"{name}: {settings}", seconds=seconds)
        for name, (cycles, settings) in shown.items()
    ]
    pauses = [pause_curve_data(cycles, label=name) for name, (cycles, _) in shown.items()]
    about = "observed, end of the log"
    return [
        *save_figure(heap_figure(curves, about), files, "heap"),
        *save_figure(pauses_figure(pauses, "observed"), files, "pauses"),
    ]


def _labels(logs: Sequence[str]) -> dict[str, str]:
    """The label of each log: its file name, or its path if two files have one name."""
    names = [Path(log).name for log in logs]
    return {log: name if names.count(name) == 1 else log for log, name in zip(logs, names, strict=True)}
