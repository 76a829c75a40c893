"""A model from metrics alone, compared with the model from the log of the same run."""

import io
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from example_service import example_log

from experiments.metrics_only import page
from experiments.tables import stated_table
from gcsim.api import calibrate
from gcsim.calibration.evidence import evidence_from
from gcsim.calibration.metrics.accounts import ScrapedAccounts
from gcsim.calibration.metrics.trace import trace_of_metrics
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.cli.main import run
from gcsim.errors import InputError
from gcsim.gctrace import read_gctrace
from gcsim.gctrace.trace import Trace
from gcsim.scrapes.sample import Sample
from gcsim.scrapes.series import Series, series_of
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.units import MIB

EXAMPLE = Path(__file__).parents[2] / "experiments/metrics_only/example"
RUNTIME = ("go_cpu_classes", "go_gc_heap_live", "go_gc_scan")


def scraped(trace: Trace, *, every: float = 2.0, without: tuple[str, ...] = ()) -> Series:
    """What scrapes of the run would have shown."""
    e = evidence_from(trace)
    end = e.end_seconds
    growth = np.concatenate([e.heap_end_bytes[:1], e.heap_end_bytes[1:] - e.heap_marked_bytes[:-1]])
    allocated = np.cumsum(growth)
    found = []
    for at in np.arange(float(end[0]) + 0.1, float(end[-1]), every):
        i = int(np.searchsorted(end, at)) - 1
        part = (at - end[i]) / (end[i + 1] - end[i])
        values = {
            "go_gc_duration_seconds_count": float(e.cycle_number[i]),
            "go_gc_duration_seconds_sum": float((e.sweep_term_seconds + e.mark_term_seconds)[: i + 1].sum()),
            "go_memstats_alloc_bytes_total": float(allocated[i] + part * (allocated[i + 1] - allocated[i])),
            "go_memstats_next_gc_bytes": float(e.heap_goal_bytes[i + 1]),
            "go_memstats_last_gc_time_seconds": 1.7e9 + float(end[i]),
            "go_gc_heap_live_bytes": float(e.heap_marked_bytes[i]),
            "go_gc_scan_stack_bytes": float(e.stack_bytes[i]),
            "go_gc_scan_globals_bytes": float(e.globals_bytes[i]),
            "go_cpu_classes_gc_mark_assist_cpu_seconds_total": float(e.assist_cpu_seconds[: i + 1].sum()),
            "go_cpu_classes_gc_mark_dedicated_cpu_seconds_total": float(
                e.background_cpu_seconds[: i + 1].sum()
            ),
            "go_cpu_classes_gc_mark_idle_cpu_seconds_total": float(e.idle_cpu_seconds[: i + 1].sum()),
            "go_gc_gogc_percent": 100.0,
            "go_gc_gomemlimit_bytes": 2.0**63,
            "go_sched_gomaxprocs_threads": float(e.gomaxprocs[0]),
        }
        kept = {name: value for name, value in values.items() if not name.startswith(without or ("-",))}
        found.append(Sample(source="run", seconds=1.7e9 + float(at), values=kept, go_version="go1.27.3"))
    return series_of(found, "run")


@cache
def logged() -> Trace:
    """A minute of a service, as a log prints it."""
    return read_gctrace(io.BytesIO(example_log().encode()))


def model_of(trace: Trace) -> Model:
    """The calibrated model of a closed loop."""
    return calibrate(trace, overrides=Overrides(loop="closed", gogc=100), fit_check=False).model


def test_scrapes_give_nearly_the_model_of_the_log() -> None:
    """Live heap, allocation, mark CPU and the peak of the heap agree; the intervals from scrapes are wider."""
    log, metrics = model_of(logged()), model_of(trace_of_metrics(scraped(logged())))
    for name, error in (
        ("live_bytes", 0.05),
        ("alloc_bytes_per_second", 0.05),
        ("mark_cpu_seconds", 0.05),
        ("mark_cpu_heap_ratio", 0.08),
    ):
        own, other = getattr(metrics.parameters, name), getattr(log.parameters, name)
        assert own.value == pytest.approx(other.value, rel=error), name
        assert own.rel_sd > other.rel_sd, name
    assert metrics.settings == log.settings


def test_gogc_solves_the_live_heap_without_runtime_metrics() -> None:
    """The default collector shows the goal and GOGC, which give heapMarked; GC CPU is a prior."""
    trace = trace_of_metrics(scraped(logged(), without=RUNTIME))
    found = calibrate(trace, overrides=Overrides(loop="closed"), fit_check=False)
    assert trace.metrics is not None
    assert (trace.metrics.has_cpu, trace.metrics.has_live) == (False, False)
    assert float(np.mean(trace.cycles.heap_marked_bytes)) == pytest.approx(117 * MIB, rel=0.03)
    assert found.model.parameters.mark_cpu_seconds.rel_sd > 0.6
    assert {"metrics alone", "GC CPU unknown"} <= {one.kind for one in found.assessment.findings}
    assert found.verdict == "do not trust"


def test_stated_settings_take_precedence() -> None:
    """Old clients show neither GOGC nor GOMAXPROCS."""
    series = scraped(logged(), without=(*RUNTIME, "go_gc_gogc", "go_sched"))
    with pytest.raises(InputError, match="pass --gomaxprocs"):
        trace_of_metrics(series)
    trace = trace_of_metrics(series, Overrides(gomaxprocs=2, gogc=100))
    assert trace.info is not None
    assert set(trace.cycles.gomaxprocs.tolist()) == {2}
    assert "gogc" in trace.info.assumed


@pytest.mark.parametrize(
    "lacking", ["go_gc_duration_seconds_count", "go_memstats_alloc_bytes_total", "go_memstats_next_gc"]
)
def test_lacking_metrics_are_named(lacking: str) -> None:
    """Without these, there are no cycles."""
    with pytest.raises(InputError, match=lacking):
        trace_of_metrics(scraped(logged(), without=(lacking,)))


def test_few_collections_are_refused() -> None:
    """Two scrapes a second apart show too few."""
    few = scraped(logged(), every=0.4)
    short = series_of(
        [
            Sample(
                source="run",
                seconds=float(few.seconds[i]),
                values={n: float(c[i]) for n, c in few.columns.items()},
            )
            for i in range(3)
        ],
        "run",
    )
    with pytest.raises(
        InputError, match=r"shows \d collections? between its scrapes, but calibration needs 6"
    ):
        trace_of_metrics(short)


def test_commands_take_a_folder_of_metrics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """calibrate and inspect recognize it, and say that it is no log."""
    model = tmp_path / "m.toml"
    assert run(["calibrate", str(EXAMPLE), "-o", str(model)]) in (0, 1)
    assert "scrapes of metrics" in " ".join(capsys.readouterr().out.split())
    assert run(["inspect", str(EXAMPLE), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["settings"]["gogc"] == 100
    assert document["metrics"]["gc_rate_hz"] == pytest.approx((303 - 78) / 40.0, rel=0.1)
    pages = sorted(str(path) for path in (EXAMPLE / "vars").iterdir())
    assert run(["calibrate", *pages, "--gomaxprocs", "2", "-o", str(model)]) in (0, 1)


def test_a_process_of_a_log_is_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table counts the processes as --process does; without it, the one with the most cycles is used."""
    text = example_log()
    first = "".join(text.splitlines(keepends=True)[:50])
    second = text.replace("+70+", "+71+")
    log = tmp_path / "two.log"
    log.write_text(first + second)
    assert run(["inspect", "--processes", "--json", str(log)]) == 0
    (found,) = json.loads(capsys.readouterr().out)["logs"]
    rows = found["processes"]
    assert [(row["process"], row["cycles"], row["first_line"], row["used"]) for row in rows] == [
        (1, 50, 1, False),
        (2, 240, 51, True),
    ]
    assert run(["inspect", "--processes", str(log)]) == 0
    assert "used without --process" in capsys.readouterr().out
    assert len(read_gctrace(str(log)).cycles) == 240
    assert len(read_gctrace(str(log), process=1).cycles) == 50
    assert run(["inspect", "--process", "3", str(log)]) == 2
    assert "there is no process 3" in capsys.readouterr().err


def with_memory(series: Series, *, outside_mib: float, kept_mib: float) -> Series:
    """The series with the runtime's account: 9 MiB outside spans, 5 MiB of free slots at mark end, free pages kept."""
    waited = series.seconds - series.columns["go_memstats_last_gc_time_seconds"]
    allocated = series.columns["go_memstats_alloc_bytes_total"]
    rate = (allocated[-1] - allocated[0]) / (series.seconds[-1] - series.seconds[0])
    collections = series.columns["go_gc_duration_seconds_count"]
    period = (series.seconds[-1] - series.seconds[0]) / (collections[-1] - collections[0])
    objects = series.columns["go_gc_heap_live_bytes"] + rate * waited
    free = 5 * MIB + 0.2 * rate * np.maximum(period - waited, 0.0)
    spans = objects + free + kept_mib * MIB
    columns = {
        "heap_alloc": objects, "heap_inuse": objects + free, "heap_sys": spans, "sys": spans + 9 * MIB,
        "heap_released": np.zeros(len(series)), "stack_inuse": np.full(len(series), float(MIB)),
    }  # fmt: skip
    named = {f"go_memstats_{name}_bytes": column for name, column in columns.items()}
    resident = {"process_resident_memory_bytes": spans + (outside_mib + 1.0) * MIB}
    return replace(series, columns={**series.columns, **named, **resident})


@pytest.mark.parametrize("kept_mib", [0.0, 60.0])
def test_metrics_show_memory_outside_the_heap(kept_mib: float) -> None:
    """Free slots and metadata near mark ends; pages that the scavenger keeps do not count as memory of the program."""
    trace = trace_of_metrics(with_memory(scraped(logged(), every=5.0), outside_mib=14.0, kept_mib=kept_mib))
    assert trace.info is not None
    assert trace.info.rss_outside_heap_bytes == pytest.approx(14.0 * MIB, rel=1e-3)
    assert trace.metrics is not None
    counted = ScrapedAccounts(trace.metrics.accounts).measurements(evidence_from(trace), Settings()).counted
    assert counted is not None
    assert counted.outside_spans_bytes == pytest.approx(9.0 * MIB, rel=0.01)
    assert counted.unfilled_slot_bytes == pytest.approx(5.0 * MIB, rel=0.2)
    assert trace_of_metrics(scraped(logged())).metrics.accounts is None  # type: ignore[union-attr]


def test_the_accuracy_page_shows_the_results() -> None:
    """The tables of docs/explanation/accuracy-metrics.md are those of results.csv and real.csv."""
    for name, text in page.written().items():
        assert stated_table(page.PAGE, name) == text
