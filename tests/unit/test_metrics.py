"""One table of metrics: the page, the engines and the reader of logs follow it."""

import re

import numpy as np
import pytest
from docs_commands import DOCS
from example_service import example_service

from gcsim import metrics
from gcsim.engine.plan import Engine
from gcsim.engine.simulate import record_cycles, replica_metrics
from gcsim.engine.summary import metrics as of_lanes
from gcsim.metrics import CYCLE_METRICS, METRIC_TABLE, METRICS, PAUSE_QUANTILES, cycle_metrics, pauses_seconds

PAGE = (DOCS / "reference" / "metrics.md").read_text(encoding="utf-8")


def test_the_page_has_every_metric_in_order_with_its_unit() -> None:
    """docs/reference/metrics.md, the table of definitions."""
    rows = [line.split(" | ") for line in PAGE.splitlines() if re.match(r"\| `\w+_\w+`", line)]
    written = [(name, row[-1].strip(" |")) for row in rows for name in re.findall(r"`(\w+)`", row[0])]
    assert written == [(metric.name, metric.unit) for metric in METRIC_TABLE]


def test_a_log_has_the_metrics_of_its_cycles() -> None:
    """In the order of the table."""
    model = example_service()
    assert tuple(cycle_metrics(record_cycles(model, model.settings, duration_seconds=5.0))) == CYCLE_METRICS


@pytest.mark.parametrize("engine", ["lanes", "des"])
def test_an_engine_computes_every_metric_without_requests_and_jobs(engine: Engine) -> None:
    """No metric of the table is missing from a prediction, and no other is in it."""
    model = example_service()
    found = replica_metrics(model, [model.settings], duration_seconds=4.0, replicas=2, engine=engine)
    assert set(found) == {name for name in METRICS if not name.startswith(("request_", "job_"))}


def test_a_new_quantile_of_pauses_needs_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Observed and predicted pauses follow the same table."""
    more = {**PAUSE_QUANTILES, "stw_p999_seconds": 0.999}
    for module in (metrics, of_lanes):
        monkeypatch.setattr(module, "PAUSE_QUANTILES", more)
    monkeypatch.setattr("gcsim.engine.replicas.PAUSE_QUANTILES", more)
    model = example_service()
    cycles = record_cycles(model, model.settings, duration_seconds=5.0)
    observed = cycle_metrics(cycles)
    assert observed["stw_max_seconds"] == pauses_seconds(cycles).max()
    assert observed["stw_p99_seconds"] <= observed["stw_p999_seconds"] <= observed["stw_max_seconds"]
    found = replica_metrics(model, [model.settings], duration_seconds=60.0, replicas=64)
    p99, p999, longest = (np.median(found[f"stw_{name}_seconds"]) for name in ("p99", "p999", "max"))
    assert p99 <= p999 <= longest


def test_the_metrics_of_a_job_are_over_all_of_it() -> None:
    """Rates and shares divide by the job's length, with the work of the last collection; one collection is enough."""
    model = example_service()
    cycles = record_cycles(model, model.settings, duration_seconds=5.0)
    found = cycle_metrics(cycles, job_seconds=10.0)
    assert found["gc_rate_hz"] == pytest.approx(len(cycles) / 10.0)
    columns = (cycles.assist_cpu_ns, cycles.background_cpu_ns)
    pauses = (cycles.stw_sweep_term_cpu_ns, cycles.stw_mark_term_cpu_ns)
    spent = sum(int(column.sum()) for column in columns + pauses)
    assert found["gc_cpu_fraction"] == pytest.approx(spent / 1e9 / (10.0 * int(cycles.gomaxprocs[0])))
    last = cycles.select(slice(len(cycles) - 1, None))
    assert cycle_metrics(last, job_seconds=10.0)["gc_cpu_fraction"] > 0
    with pytest.raises(ValueError, match="at least two"):
        cycle_metrics(last)
