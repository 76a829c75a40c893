"""The trade-off of GC CPU and peak container memory over all simulated settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from gcsim.arrays import BoolArray, FloatArray
from gcsim.report.style import BLUE, FAINT, INK, PAPER, QUIET, VERMILION, light_grid
from gcsim.tuning.constraints import pareto_front
from gcsim.tuning.feasible import container_peak, is_feasible
from gcsim.tuning.reason import short
from gcsim.units import MIB, format_mib, format_number

if TYPE_CHECKING:
    from gcsim.engine.run import Run


_LEAST_SHOWN_CPU = 0.0005  # settings with almost no GC CPU are left out: they would stretch the log axis


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeOff:
    """Settings as points, the Pareto front by memory, the chosen point with its interval; MiB and percent."""

    memory_mib: FloatArray
    gc_cpu_percent: FloatArray
    feasible: BoolArray
    front_mib: FloatArray
    front_percent: FloatArray
    front_labels: tuple[str, ...]
    chosen_mib: tuple[float, float, float] | None  # low, median, high
    chosen_percent: tuple[float, float, float] | None
    chosen_label: str
    today_mib: float | None
    today_percent: float | None
    today_label: str
    memory_given_mib: float | None


def trade_off_data(
    runs: Sequence["Run"],
    *,
    chosen: "Run | None" = None,
    today: "Run | None" = None,
    memory_bytes: int | None = None,
) -> TradeOff:
    """The points of all runs, and the Pareto front of memory and GC CPU."""
    runs = [run for run in runs if run.metrics["gc_cpu_fraction"].value >= _LEAST_SHOWN_CPU]
    feasible = [is_feasible(run, memory_bytes) for run in runs]
    front = pareto_front([run for run, ok in zip(runs, feasible, strict=True) if ok])
    return TradeOff(
        memory_mib=np.array([_memory(run)[1] for run in runs]),
        gc_cpu_percent=np.array([_cpu(run)[1] for run in runs]),
        feasible=np.array(feasible, dtype=np.bool_),
        front_mib=np.array([_memory(run)[1] for run in front]),
        front_percent=np.array([_cpu(run)[1] for run in front]),
        front_labels=tuple(short(run.settings) for run in front),
        chosen_mib=None if chosen is None else _memory(chosen),
        chosen_percent=None if chosen is None else _cpu(chosen),
        chosen_label="" if chosen is None else short(chosen.settings),
        today_mib=None if today is None else _memory(today)[1],
        today_percent=None if today is None else _cpu(today)[1],
        today_label="" if today is None else short(today.settings),
        memory_given_mib=None if memory_bytes is None else memory_bytes / MIB,
    )


def draw_trade_off(axes: Axes, data: TradeOff) -> None:
    """Draws points, front, the chosen setting with its intervals, and the given memory as a line."""
    out = ~data.feasible
    axes.plot(
        data.memory_mib[out],
        data.gc_cpu_percent[out],
        "x",
        color="#aab4be",
        markersize=4.5,
        label="infeasible",
    )
    axes.plot(
        data.memory_mib[~out],
        data.gc_cpu_percent[~out],
        "o",
        color="#9ac4de",
        markersize=4,
        label="feasible",
        mew=0,
    )
    axes.plot(data.front_mib, data.front_percent, "-", color=BLUE, linewidth=1.8, label="best for its memory")
    if data.memory_given_mib is not None:
        axes.axvline(
            data.memory_given_mib, color=INK, linewidth=1.2, linestyle=(0, (5, 3)), label="memory given"
        )
    _log_axes(axes, data)
    if data.today_mib is not None and data.today_percent is not None:
        axes.plot(
            data.today_mib,
            data.today_percent,
            "D",
            color=INK,
            markersize=7,
            markeredgecolor=PAPER,
            zorder=5,
            label=f"today: {data.today_label}",
        )
    if data.chosen_mib is not None and data.chosen_percent is not None:
        _draw_chosen(axes, data.chosen_mib, data.chosen_percent, data.chosen_label)
    axes.set_xlabel("peak container memory (logarithmic)")
    axes.set_ylabel("GC CPU, percent of all CPU (logarithmic)")
    light_grid(axes)
    axes.legend(loc="lower left")  # the front falls to the right: this corner is free


def _draw_chosen(
    axes: Axes, memory: tuple[float, float, float], cpu: tuple[float, float, float], label: str
) -> None:
    axes.errorbar(
        memory[1],
        cpu[1],
        xerr=[[max(memory[1] - memory[0], 0)], [max(memory[2] - memory[1], 0)]],
        yerr=[[max(cpu[1] - cpu[0], 0)], [max(cpu[2] - cpu[1], 0)]],
        fmt="o",
        color=VERMILION,
        markersize=9,
        markeredgecolor=PAPER,
        elinewidth=1.6,
        capsize=4,
        zorder=5,
        label="chosen, 90 % interval",
    )
    left = axes.transData.transform((memory[1], cpu[1]))[0] > axes.bbox.x0 + 0.55 * axes.bbox.width
    axes.annotate(
        label,
        (memory[1], cpu[1]),
        xytext=(-12, -12) if left else (12, 12),  # the front falls to the right: these corners are free
        textcoords="offset points",
        ha="right" if left else "left",
        va="top" if left else "bottom",
        fontweight="bold",
        fontsize=9,
        color=VERMILION,
        zorder=6,
        bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
    )


def _log_axes(axes: Axes, data: TradeOff) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(base=10, subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
        axis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(_memory_tick))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{format_number(value)} %"))
    axes.minorticks_off()
    axes.spines[:].set_color(FAINT)
    if data.memory_given_mib is not None:  # the axis ends above the given memory
        shown = [*data.memory_mib, *([] if data.today_mib is None else [data.today_mib])]
        low, today = float(min(shown)), data.today_mib or 0.0
        axes.set_xlim(low / 1.15, max(1.6 * data.memory_given_mib, 1.2 * low, 1.15 * today))
        axes.axvspan(data.memory_given_mib, axes.get_xlim()[1], color="#f3f4f6", zorder=0, linewidth=0)
    axes.tick_params(colors=QUIET)


def _memory_tick(mib: float, _: int) -> str:
    return format_mib(mib * MIB)


def _memory(run: "Run") -> tuple[float, float, float]:
    estimate = container_peak(run)
    return estimate.low / MIB, estimate.value / MIB, estimate.high / MIB


def _cpu(run: "Run") -> tuple[float, float, float]:
    estimate = run.metrics["gc_cpu_fraction"]
    return 100 * estimate.low, 100 * estimate.value, 100 * estimate.high
