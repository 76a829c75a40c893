"""The printed answer of ``gcsim recommend``: the setting in the first lines, then tables, then reasons."""

from typing import TYPE_CHECKING

from gcsim.cli.console import emit, emit_table, wrap
from gcsim.metrics import METRIC_LABELS, format_metric
from gcsim.report.snippets import kubernetes_bytes
from gcsim.report.text import format_estimate
from gcsim.tuning.aim import gc_cpu
from gcsim.tuning.constraints import CONTAINER
from gcsim.tuning.feasible import container_peak
from gcsim.tuning.predictive import format_chance
from gcsim.tuning.savings import gc_cores
from gcsim.tuning.stress_text import name_of, verdict_of
from gcsim.units import (
    format_go_bytes,
    format_gogc,
    format_interval,
    format_mib,
    format_number,
    format_percent,
)

if TYPE_CHECKING:
    from gcsim.engine.run import Run
    from gcsim.metrics import Estimate
    from gcsim.tuning.recommendation import Recommendation
    from gcsim.tuning.smallest import ContainerCost, SmallestContainer

_MEMORY_ROWS = {  # metric: its label in the table
    "container_peak_bytes": "container, peak",
    "anonymous_peak_bytes": "anonymous, peak",
    "rss_peak_bytes": "RSS, peak",
}
_OTHER_ROWS = {
    "stw_p99_seconds": "pause, p99",
    "throughput_ratio": "throughput",
    "request_p99_seconds": "requests, p99",
    "job_wall_seconds": "job, wall time",
    "job_cpu_seconds": "job, CPU time",
}
_GC_CPU, _IDLE = "gc_cpu_fraction", "gc_idle_cpu_fraction"
_MOST_OF_CHOSEN_CPU = 2.0  # GC CPU of a row of the table of memory and CPU


def print_recommendation(found: "Recommendation", smallest: "SmallestContainer | None") -> None:
    """Prints the setting with its saving, sizes of containers if asked for, then tables and the reasons."""
    emit("\n".join(f"  {name}={value}" for name, value in found.env.items()))
    emit(wrap(_summary(found)) + "\n\n")
    if smallest is not None:
        _print_containers(smallest)
    _print_comparison(found, "recommended" if found.otherwise is None else "the change")
    _print_stress(found)
    _print_front(found)
    reasons = found.reasons[1:]  # the table shows the prediction
    emit("\n" + "\n".join(wrap(reason) for reason in reasons) + "\n\n")


def _print_containers(found: "SmallestContainer") -> None:
    """Prints GC CPU and setting of smaller and larger containers."""
    chosen = found.recommendation
    emit_table(
        ["container", "GOGC", "GOMEMLIMIT", "peak", "GC CPU", "95th pct", "cores", ""],
        [
            _container_cells(one, is_chosen=one.memory_bytes == chosen.memory_bytes)
            for one in found.containers
        ],
    )
    emit("\n")


def smallest_sentence(found: "SmallestContainer") -> str:
    """The size of the smallest container, and the bounds that it keeps."""
    chosen = found.recommendation
    bounds = [m.constraint for m in chosen.margins if m.constraint.metric != CONTAINER]
    kept = " and ".join(
        f"{one.label} of at {'least' if one.is_lower else 'most'} {one.format(one.bound)}" for one in bounds
    )
    size = format_mib(chosen.memory_bytes)
    return f"The smallest container for {kept} has {size} ({kubernetes_bytes(chosen.memory_bytes)})."


def print_miss(found: "Recommendation") -> None:
    """Prints the reasons and the nearest miss next to today's setting, without a setting to paste."""
    emit("\n".join(wrap(reason, indent="  ") for reason in found.reasons))
    emit("No setting to paste is printed, because none is feasible.\n\n")
    _print_comparison(found, "nearest miss")
    emit("\n")


def _summary(found: "Recommendation") -> str:
    """The saving, the memory and the stress in two lines."""
    assert found.test is not None
    parts = []
    if found.otherwise is None:
        parts.append(_saving(found.test.saving.cores, found.today, found.run))
    memory = found.margins[0]
    parts.append(f"Fits {format_mib(memory.constraint.bound)} in {format_chance(memory.chance)} of runs.")
    broken = [f"{name_of(one)} {verdict_of(one)}" for one in found.stress if not one.held]
    parts.append(f"Stress: {', '.join(broken)}; the rest holds." if broken else "Holds under every stress.")
    return " ".join(parts)


def _saving(saved: "Estimate", today: "Run", run: "Run") -> str:
    """The GC cores saved against today's setting, with the interval."""
    share = f"{format_percent(gc_cpu(today))} → {format_percent(gc_cpu(run))} of CPU"
    if saved.low <= 0.0 <= saved.high:
        return f"GC takes about as many cores as today, {share}."
    low, high = sorted((abs(saved.low), abs(saved.high)))
    cores = f"{format_number(abs(saved.value), 2)} ({format_number(low, 2)} to {format_number(high, 2)})"
    if saved.value < 0.0:
        return f"Costs {cores} cores of GC more than today, {share}."
    return f"Saves {cores} cores of GC, {share}."


def _container_cells(one: "ContainerCost", *, is_chosen: bool) -> list[str]:
    size = format_mib(one.memory_bytes)
    if one.run is None:
        return [size, "—", "—", "—", "—", "—", "—", "no setting fits"]
    mark = "smallest" if is_chosen else "" if one.keeps_bounds else "over the bound"
    cpu_high = format_percent(one.run.metrics[_GC_CPU].high, 2)
    setting, limit, peak, _, cpu, cores = _cells(one.run)
    return [size, setting, limit, peak, cpu, cpu_high, cores, mark]


def _print_comparison(found: "Recommendation", name: str) -> None:
    """Prints both runs with their settings, metrics, limits and the probabilities to keep them."""
    today, run = found.today, found.run if found.otherwise is None else found.otherwise
    metrics = [*_MEMORY_ROWS, _GC_CPU, *_OTHER_ROWS]
    others = [m.constraint.metric for m in found.margins if m.constraint.metric not in metrics]
    rows = [
        ["GOGC", format_gogc(today.settings.gogc), format_gogc(run.settings.gogc), "", ""],
        [
            "GOMEMLIMIT",
            format_go_bytes(today.settings.gomemlimit_bytes),
            format_go_bytes(run.settings.gomemlimit_bytes),
            "",
            "",
        ],
    ]
    for metric in [*metrics, *dict.fromkeys(others)]:
        if metric in run.metrics and metric in today.metrics:
            rows.append(_metric_row(found, metric, run))
        if metric == _GC_CPU:
            rows += _gc_rows(today, run)
    emit_table(["", "today", name, "limit", "kept in"], rows)


def _metric_row(found: "Recommendation", metric: str, run: "Run") -> list[str]:
    label = (_MEMORY_ROWS | _OTHER_ROWS | {_GC_CPU: "GC CPU"}).get(metric) or METRIC_LABELS[metric]
    limit = kept = ""
    for one in found.margins:
        if one.constraint.metric == metric:
            limit = one.constraint.format(one.constraint.bound)
            # the margins are those of the recommended run, which is today's if no change is worth it
            kept = "" if found.otherwise is not None else format_chance(one.chance)
    return [
        label,
        format_metric(metric, found.today.metrics[metric].value),
        format_estimate(metric, run.metrics[metric]),
        limit,
        kept,
    ]


def _gc_rows(today: "Run", run: "Run") -> list[list[str]]:
    """GC in cores, and with marking in idle time, which is not a part of GC CPU; medians of the latter."""
    rows = [["GC, cores", _cores(gc_cpu(today), today), _cores_of(run), "", ""]]
    if _IDLE in run.metrics and _IDLE in today.metrics:
        shares = [(one, one.metrics[_IDLE].value) for one in (today, run)]
        rows.append(["idle marking", *(format_percent(share, 2) for _, share in shares), "", ""])
        both = [_cores(gc_cpu(one) + share, one) for one, share in shares]
        rows.append(["with it, cores", *both, "", ""])
    return rows


def _cores(share: float, run: "Run") -> str:
    return format_number(share * run.settings.gomaxprocs, 2)


def _cores_of(run: "Run") -> str:
    found: Estimate = run.metrics[_GC_CPU]
    value, low, high = (_cores(share, run) for share in (found.value, found.low, found.high))
    return format_interval(value, low, high)


def _print_stress(found: "Recommendation") -> None:
    """Prints both settings under each stress."""
    if not found.stress:
        return
    same = found.today.settings == found.settings
    rows = []
    for one in found.stress:
        sides = [(one.run, False)] if same else [(one.today, True), (one.run, False)]
        cells = [name_of(one)]
        for run, of_today in sides:
            peak, cpu = format_mib(container_peak(run).value), format_percent(gc_cpu(run), 2)
            cells += [peak, cpu, verdict_of(one, of_today=of_today)]
        rows.append(cells)
    heads = ["today", "GC CPU", ""] + ([] if same else ["recommended", "GC CPU", ""])
    emit("\n")
    emit_table(["stress", *heads], rows)


def _print_front(found: "Recommendation") -> None:
    """Prints memory and GC CPU of today's setting, the recommended one, alternatives, and the front between them."""
    named = {run.settings: run for run in (found.today, found.run, *(one.run for one in found.alternatives))}
    names = {one.settings: one.name for one in found.alternatives}
    names |= {found.settings: "recommended", found.today.settings: "today"}
    if found.today.settings == found.settings:
        names[found.settings] = "today, recommended"
    most = _MOST_OF_CHOSEN_CPU * gc_cpu(found.run)
    shown = {run.settings: run for run in found.front if gc_cpu(run) <= most} | named
    rows = sorted(shown.values(), key=lambda run: (container_peak(run).value, gc_cpu(run)))
    emit("\n")
    emit_table(
        ["memory and CPU", "GOGC", "GOMEMLIMIT", "container", "95th pct", "GC CPU", "cores"],
        [[names.get(run.settings, ""), *_cells(run)] for run in rows],
    )


def _cells(run: "Run") -> list[str]:
    peak = container_peak(run)
    return [
        format_gogc(run.settings.gogc),
        format_go_bytes(run.settings.gomemlimit_bytes),
        format_mib(peak.value),
        format_mib(peak.high),
        format_percent(gc_cpu(run), 2),
        format_number(gc_cores(run), 2),
    ]
