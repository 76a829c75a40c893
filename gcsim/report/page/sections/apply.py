"""How to apply the recommended setting, what to expect then, and how to roll it back."""

from gcsim.metrics import METRIC_LABELS
from gcsim.report.page.charts.trade_off import parted
from gcsim.report.page.content import Content
from gcsim.report.page.elements import Table, paragraphs, snippet, steps
from gcsim.tuning.reason import short
from gcsim.units import format_mib

#: Where production shows a metric: names of the Prometheus client for Go and of cAdvisor.
_SOURCES = {
    "container_peak_bytes": "container_memory_working_set_bytes, the highest value",
    "gc_cpu_fraction": "(rate(go_cpu_classes_gc_total_cpu_seconds_total) -"
    " rate(go_cpu_classes_gc_mark_idle_cpu_seconds_total)) / GOMAXPROCS",
    "gc_rate_hz": "rate(go_gc_cycles_total_gc_cycles_total)",
    "stw_p99_seconds": "go_gc_pauses_seconds, 99th percentile",
}


def apply_and_roll_back(content: Content) -> str:
    """Steps, the values to expect, and the snippet that restores today's setting; empty without a change."""
    found = content.recommendation
    if found is None or not content.is_change:
        return ""
    memory = found.run.metrics.get("container_peak_bytes")
    over = "" if memory is None else f" Roll back if container memory passes {format_mib(memory.high)}."
    today = "\n".join(f"{name}={value}" for name, value in content.today.environment.items())
    return "\n".join(
        [
            steps(
                [
                    "Set both variables on one replica. A Go program reads them when it starts, so restart it.",
                    "Let it serve its usual load, through a peak. Log it with gcsim capture.",
                    "Compare with the table. gcsim validate MODEL LOG does so for every metric.",
                    "Roll out to the other replicas.",
                ]
            ),
            "<h3>Expect after the change</h3>",
            _expected(content).html(),
            "<h3>Roll back</h3>",
            paragraphs(
                [
                    f"The calibrated setting is {short(content.today)}. Set it again and restart.{over}"
                    " GC CPU above its interval at the usual load is the other reason: then the service differs from"
                    " the model, so log it and calibrate again."
                ]
            ),
            snippet("Shell: today's setting", today),
        ]
    )


def _expected(content: Content) -> Table:
    found = content.recommendation
    assert found is not None
    return Table(
        caption="Expect after the change",
        columns=("metric", "today", "after the change", "where to read it"),
        rows=tuple(
            (
                METRIC_LABELS[name],
                parted(name, found.today.metrics[name]),
                parted(name, found.run.metrics[name]),
                source,
            )
            for name, source in _SOURCES.items()
            if name in found.run.metrics and name in found.today.metrics
        ),
        marked=2,
        texts=(3,),
    )
