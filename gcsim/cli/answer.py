"""The printed answer of ``gcsim recommend``, in sentences and tables of 80 columns."""

from typing import TYPE_CHECKING

from gcsim.cli.console import emit, emit_table, wrap
from gcsim.metrics import METRIC_LABELS, format_metric
from gcsim.report.snippets import kubernetes_bytes
from gcsim.report.text import format_estimate
from gcsim.tuning.feasible import container_peak
from gcsim.units import format_go_bytes, format_gogc, format_mib, format_percent

if TYPE_CHECKING:
    from gcsim.engine.run import Run
    from gcsim.tuning.recommend import Recommendation
    from gcsim.tuning.smallest import ContainerCost, SmallestContainer

_ROWS = {  # metric: its label in the table
    "container_peak_bytes": "container, peak",
    "anonymous_peak_bytes": "anonymous, peak",
    "rss_peak_bytes": "RSS, peak",
    "gc_cpu_fraction": "GC CPU",
    "stw_p99_seconds": "pause, p99",
    "throughput_ratio": "throughput",
    "job_wall_seconds": "job, wall time",
    "job_cpu_seconds": "job, CPU time",
}


def print_recommendation(found: "Recommendation") -> None:
    """Prints the setting, the comparison with today, the reasons, the alternatives and the stress runs."""
    kept = found.otherwise
    if kept is not None:
        emit("No change is worth it. Today's setting:\n\n")
    emit("\n".join(f"  {name}={value}" for name, value in found.env.items()) + "\n\n")
    _print_comparison(found, "recommended" if kept is None else "the change")
    reasons = found.reasons[1:]  # the table shows the prediction
    emit("\n" + "\n".join(wrap(reason) for reason in reasons) + "\n\n")
    _print_others(found)


def print_containers(found: "SmallestContainer") -> None:
    """Prints the smallest container, and GC CPU and setting of smaller and larger ones."""
    chosen = found.recommendation
    bounds = [m for m in chosen.margins if m.constraint.metric != "container_peak_bytes"]
    kept = " and ".join(
        f"{m.constraint.label} of at most {m.constraint.format(m.constraint.bound)}" for m in bounds
    )
    size = format_mib(chosen.memory_bytes)
    emit(
        wrap(f"The smallest container for {kept} has {size} ({kubernetes_bytes(chosen.memory_bytes)}).")
        + "\n\n"
    )
    emit_table(
        ["container", "GOGC", "GOMEMLIMIT", "peak", "95th pct", "GC CPU", "95th pct", ""],
        [
            _container_cells(one, is_chosen=one.memory_bytes == chosen.memory_bytes)
            for one in found.containers
        ],
    )
    emit("\n")


def _container_cells(one: "ContainerCost", *, is_chosen: bool) -> list[str]:
    size = format_mib(one.memory_bytes)
    if one.run is None:
        return [size, "—", "—", "—", "—", "—", "—", "no setting fits"]
    setting, limit, peak, peak_high, cpu = _cells(one.run)
    mark = "smallest" if is_chosen else "" if one.keeps_bounds else "over the bound"
    cpu_high = format_percent(one.run.metrics["gc_cpu_fraction"].high, 2)
    return [size, setting, limit, peak, peak_high, cpu, cpu_high, mark]


def print_miss(found: "Recommendation") -> None:
    """Prints the reasons and the nearest miss next to today's setting, without a setting to paste."""
    emit("\n".join(wrap(reason, indent="  ") for reason in found.reasons))
    emit("No setting to paste is printed, because none is feasible.\n\n")
    _print_comparison(found, "nearest miss")


def _print_comparison(found: "Recommendation", name: str) -> None:
    """Prints both runs with their settings, metrics and limits."""
    today, run = found.today, found.run if found.otherwise is None else found.otherwise
    limits = {m.constraint.metric: m.constraint.format(m.constraint.bound) for m in found.margins}
    others = {metric: METRIC_LABELS[metric] for metric in limits if metric not in _ROWS}
    rows = [
        ["GOGC", format_gogc(today.settings.gogc), format_gogc(run.settings.gogc), ""],
        [
            "GOMEMLIMIT",
            format_go_bytes(today.settings.gomemlimit_bytes),
            format_go_bytes(run.settings.gomemlimit_bytes),
            "",
        ],
        *(
            [
                label,
                format_metric(metric, today.metrics[metric].value),
                format_estimate(metric, run.metrics[metric]),
                limits.get(metric, ""),
            ]
            for metric, label in (_ROWS | others).items()
            if metric in run.metrics and metric in today.metrics
        ),
    ]
    emit_table(["", "today", name, "limit"], rows)


def _print_others(found: "Recommendation") -> None:
    """Prints the alternatives, and the recommended setting with more live heap or load."""
    others = [
        *((item.name, item.run) for item in found.alternatives),
        *((f"{item.what} × {item.factor:g}", item.run) for item in found.stress),
    ]
    if not others:
        return
    emit_table(
        ["other settings and growth", "GOGC", "GOMEMLIMIT", "container", "95th pct", "GC CPU"],
        [[name, *_cells(run)] for name, run in others],
    )


def _cells(run: "Run") -> list[str]:
    peak = container_peak(run)
    return [
        format_gogc(run.settings.gogc),
        format_go_bytes(run.settings.gomemlimit_bytes),
        format_mib(peak.value),
        format_mib(peak.high),
        format_percent(run.metrics["gc_cpu_fraction"].value, 2),
    ]
