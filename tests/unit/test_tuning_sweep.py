"""The sweep: what goes in comes out labelled, and what is interrupted stays usable."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from example_service import example_service

from gcsim.engine.run import Run
from gcsim.metrics import Estimate
from gcsim.settings import Settings
from gcsim.tuning import sweep as sweep_module
from gcsim.tuning.feasible import fault_of, is_feasible, keeps_limit
from gcsim.tuning.sweep import Sweep, sweep
from gcsim.tuning.sweep_file import sweep_from_json
from gcsim.units import MIB

QUICK = {"duration_seconds": 60.0, "replicas": 4, "seed": 3}


def small_sweep() -> Sweep:
    return sweep(example_service(), gogc=[50, 100, 400], gomemlimit_bytes=[None, 150 * MIB], **QUICK)


def test_runs_stand_in_grid_order() -> None:
    """Limit by limit, GOGC running fastest, as the arrays are labelled."""
    found = small_sweep()
    settings = [(run.settings.gomemlimit_bytes, run.settings.gogc) for run in found.finished]
    assert settings == [(limit, gogc) for limit in (None, 150 * MIB) for gogc in (50, 100, 400)]
    assert found.metric("gc_cpu_fraction").value.shape == (2, 3)
    assert found.metric("gc_cpu_fraction").value[0, 1] == found.runs[1].metrics["gc_cpu_fraction"].value


def test_more_gogc_costs_less_cpu_and_more_memory() -> None:
    """Along a row without a limit; under a binding limit memory stays below it."""
    found = small_sweep()
    assert (np.diff(found.metric("gc_cpu_fraction").value[0]) < 0).all()
    assert (np.diff(found.metric("rss_peak_bytes").value[0]) > 0).all()
    assert (found.metric("heap_peak_bytes").value[1] <= 150 * MIB).all()


def test_intervals_enclose_their_median() -> None:
    """low ≤ value ≤ high in every cell of every metric."""
    found = small_sweep()
    for name in found.metric_names:
        grid = found.metric(name)
        assert (grid.low <= grid.value).all(), name
        assert (grid.value <= grid.high).all(), name


def test_the_same_seed_gives_the_same_document_and_another_seed_another() -> None:
    """Byte for byte, as sweep.json is written."""
    service = example_service()
    first, again = (json.dumps(sweep(service, gogc=[80, 160], **QUICK).to_json()) for _ in range(2))
    other = json.dumps(sweep(service, gogc=[80, 160], **{**QUICK, "seed": 4}).to_json())
    assert first == again
    assert first != other


def test_json_holds_simulate_objects_and_reads_back() -> None:
    """The contract's shape, and its inverse."""
    found = small_sweep()
    document = json.loads(json.dumps(found.to_json()))
    about = {"runs", "model", "gcsim_version", "seed", "duration_seconds", "engine", "memory_bytes"}
    assert about <= set(document)
    assert all({"settings", "metrics", "feasible"} == set(run) for run in document["runs"])
    assert set(document["runs"][0]["settings"]) == {"gogc", "gomemlimit_bytes", "gomaxprocs", "go"}
    back = sweep_from_json(document)
    assert (back.gogc, back.gomemlimit_bytes) == (found.gogc, found.gomemlimit_bytes)
    assert np.array_equal(back.metric("rss_peak_bytes").high, found.metric("rss_peak_bytes").high)
    assert (back.plan, back.model, back.memory_bytes) == (found.plan, "example", None)
    assert sweep_from_json({"runs": document["runs"]}).finished == found.finished  # as earlier versions wrote


def test_csv_spells_the_knobs_as_go_does() -> None:
    """One row per setting, three columns per metric."""
    found = small_sweep()
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [row["gomemlimit"] for row in rows] == ["off"] * 3 + ["150MiB"] * 3
    assert float(rows[0]["gc_cpu_fraction"]) == pytest.approx(found.metric("gc_cpu_fraction").value[0, 0])
    assert {"gc_cpu_fraction_low", "gc_cpu_fraction_high"} <= set(rows[0])
    assert {rows[0][name] for name in ("model", "seed", "duration_seconds", "engine")} == {
        "example",
        "3",
        "60.0",
        "lanes",
    }


def test_documents_say_what_is_feasible_in_the_memory_given() -> None:
    """Run by run, as the arrays do; without memory only a broken limit counts."""
    found = sweep(example_service(), gogc=[50, 100, 400], memory_bytes=220 * MIB, **QUICK)
    document = found.to_json()
    runs = document["runs"]
    assert isinstance(runs, list)
    assert [run["feasible"] for run in runs] == (~found.infeasible()[0]).tolist()
    assert [run["feasible"] for run in runs][-1] is False
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [row["feasible"] for row in rows] == [str(run["feasible"]).lower() for run in runs]
    assert {row["memory_bytes"] for row in rows} == {str(220 * MIB)}


def test_an_interrupted_sweep_keeps_what_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C after the first chunk: those runs stay, the rest of the grid is empty, documents are whole."""
    monkeypatch.setattr(sweep_module, "LANES_PER_CHUNK", 8)

    def interrupt(finished: int, _total: int) -> None:
        if finished == 4:
            raise KeyboardInterrupt

    found = sweep(
        example_service(),
        gogc=[50, 100, 400],
        gomemlimit_bytes=[None, 150 * MIB],
        progress=interrupt,
        **QUICK,
    )
    assert len(found.finished) == 4
    assert found.runs[4:] == (None, None)
    assert np.isnan(found.metric("gc_rate_hz").value[1, 1:]).all()
    assert not found.infeasible()[1, 1:].any()
    assert len(found.to_json()["runs"]) == 4
    assert len(found.to_csv().splitlines()) == 5


def test_a_limit_below_the_live_heap_is_not_kept() -> None:
    """There the CPU limiter lets the heap grow past the limit."""
    tight, wide = sweep(
        example_service(), gogc=[None], gomemlimit_bytes=[90 * MIB, 300 * MIB], **QUICK
    ).finished
    assert not keeps_limit(tight)
    assert keeps_limit(wide)


def test_memory_is_judged_at_the_pessimistic_end() -> None:
    """A median that fits is not enough."""
    run = Run(
        settings=Settings(gogc=100), metrics={"rss_peak_bytes": Estimate(90.0 * MIB, 80.0 * MIB, 110.0 * MIB)}
    )
    assert not is_feasible(run, 100 * MIB)
    assert is_feasible(run, 110 * MIB)
    assert is_feasible(run, None)
    unknown = replace(run, metrics={"rss_peak_bytes": Estimate(1.0, 1.0, float("nan"))})
    assert not is_feasible(unknown, 100 * MIB)


def test_each_fault_has_its_name() -> None:
    """Too big for the memory, over its own limit, or half of the CPU in GC."""
    peak, cpu = Estimate(90.0 * MIB, 80.0 * MIB, 110.0 * MIB), Estimate(0.1, 0.1, 0.2)
    metrics = {"rss_peak_bytes": peak, "gc_cpu_fraction": cpu, "heap_peak_bytes": peak}
    run = Run(settings=Settings(gogc=100, gomemlimit_bytes=200 * MIB), metrics=metrics)
    assert fault_of(run, 120 * MIB) is None
    assert fault_of(run, 100 * MIB) == "memory"
    over = replace(run, settings=replace(run.settings, gomemlimit_bytes=50 * MIB))
    assert fault_of(over, 120 * MIB) == "limit"
    assert (
        fault_of(replace(run, metrics=metrics | {"gc_cpu_fraction": Estimate(0.1, 0.1, 0.6)}), None)
        == "gc_cpu"
    )
