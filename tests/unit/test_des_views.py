"""What one event-by-event run shows beside its cycles: memory over time, colours, objects."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from example_service import example_service
from typer.testing import CliRunner

from gcsim.cli.main import app
from gcsim.engine.des.run.parameters import SchedulerParameters
from gcsim.engine.des.run.recorder import Recording
from gcsim.engine.des.run.runner import record_run
from gcsim.engine.des.run.timeline import chrome_trace
from gcsim.errors import InputError
from gcsim.service.objects.kinds_file import assumed_objects, read_objects
from gcsim.units import MIB

LIVE = 100.0 * MIB

FILE = """
[[kind]]
size_bytes = 64
weight = 20
lifetime = "512KiB"

[[kind]]
size_bytes = 4096
pointers = false
weight = 1
lifetime = "2s"
phases = 3

[[pool]]
name = "buffers"
gets_per_second = 5000
in_flight = 4
"""


@pytest.fixture(scope="module")
def recording() -> Recording:
    """Five seconds of the example with everything kept."""
    model = example_service()
    objects = assumed_objects(model.parameters.live_bytes.value, slot_garbage_share=0.8)
    return record_run(
        model, model.settings, duration_seconds=5.0, seed=1, knobs=SchedulerParameters(), objects=objects
    )


def test_colours_are_the_whole_heap_while_a_cycle_marks(recording: Recording) -> None:
    """White, grey and black add up to heapLive, black only grows, and none is negative."""
    rows = recording.heap
    colours = np.stack([rows["white_bytes"], rows["grey_bytes"], rows["black_bytes"]])
    marking = colours.sum(axis=0) > 0
    assert 0.1 < marking.mean() < 1.0
    assert colours.min() >= 0
    assert colours[:, marking].sum(axis=0) == pytest.approx(rows["heap_live_bytes"][marking])
    same_phase = marking[1:] & marking[:-1] & (rows["white_bytes"][1:] <= rows["white_bytes"][:-1] + 1)
    black = np.diff(rows["black_bytes"])
    assert (black[same_phase] >= -1).all()


def test_memory_classes_bound_each_other(recording: Recording) -> None:
    """Heap in use holds heapLive, resident memory holds both, and sweeping gives pages back between cycles."""
    rows = recording.heap
    assert (rows["heap_in_use_bytes"] >= rows["heap_live_bytes"] - 1).all()
    assert (rows["heap_free_bytes"] >= 0).all()
    assert (rows["resident_bytes"] >= rows["heap_in_use_bytes"] + rows["heap_free_bytes"]).all()
    assert rows["heap_free_bytes"].max() > 0.1 * LIVE
    assert np.diff(rows["heap_in_use_bytes"]).min() < 0


def test_the_heap_at_any_time_falls_when_marking_ends(recording: Recording) -> None:
    """Just after a cycle's end the heap is what was marked, and at its start what gctrace says."""
    cycles = recording.cycles
    ends = cycles.start_ns + cycles.stw_sweep_term_ns + cycles.mark_ns + cycles.stw_mark_term_ns
    after = recording.heap_at(ends[:-1] + 1000.0)
    assert after == pytest.approx(cycles.heap_marked_bytes[:-1].astype(float), rel=0.01)
    starts = recording.heap_at(cycles.start_ns.astype(float))
    assert starts == pytest.approx(cycles.heap_start_bytes.astype(float), rel=0.01)


def test_counters_come_at_the_resolution_that_was_asked_for(recording: Recording) -> None:
    """Three counters, each at even steps."""
    events = chrome_trace(recording, name="x", step_ns=2e6)["traceEvents"]
    for name in ("heapLive", "memory", "marking"):
        times = [event["ts"] for event in events if event["ph"] == "C" and event["name"] == name]
        assert len(times) == pytest.approx(2500, rel=0.1)
        assert np.diff(times) == pytest.approx(np.full(len(times) - 1, 2000.0))


def test_objects_follow_the_run(recording: Recording) -> None:
    """They allocate what the run allocated, and their live and marked bytes are near the run's."""
    view, cycles = recording.objects, recording.cycles
    assert view is not None
    rows = view.cycles
    assert len(rows) == pytest.approx(len(cycles), abs=1)
    made = np.array([row.allocated_bytes for row in rows[1:-1]], dtype=float)
    grown = (cycles.heap_end_bytes[1:] - cycles.heap_marked_bytes[:-1]).astype(float)
    assert made.sum() == pytest.approx(grown[: len(made)].sum(), rel=0.02)
    live = np.array([row.live_bytes for row in rows])
    assert live.mean() == pytest.approx(LIVE, rel=0.08)
    assert np.mean([row.marked_bytes for row in rows]) == pytest.approx(
        float(cycles.heap_marked_bytes.mean()), rel=0.08
    )
    for row in rows:
        assert row.marked_bytes == row.live_bytes + row.floating_bytes
        assert row.fragmentation_bytes == row.heap_in_use_bytes - row.marked_bytes
    assert sum(map(sum, view.live_bytes_by_age)) == pytest.approx(live.mean(), rel=1e-3)


@pytest.mark.usefixtures("only_large")
def test_the_command_writes_objects_of_a_file_with_their_pools(tmp_path: Path) -> None:
    """Kinds and pools come from the file; the pool's hits follow from the run's collections."""
    model = tmp_path / "m.toml"
    replace(example_service(), name="m").save(model)
    (tmp_path / "objects.toml").write_text(FILE)
    run = f"simulate {model} --engine des --replicas 1 --duration 2s"
    files = f"--objects-out {tmp_path / 'o.json'} --objects {tmp_path / 'objects.toml'}"
    result = CliRunner().invoke(app, f"{run} {files}".split())
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "o.json").read_text())
    assert document["assumed"] is False
    assert {c["slot_bytes"]: c["pointers"] for c in document["span_classes"]} == {64: True, 4096: False}
    assert 0.5 < document["pools"][0]["hit_share"] < 1.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"no \[\[kind\]\]"),
        ("[[kind]]\nsize_bytes = 8\nweight = 1\n", "'lifetime' is missing"),
        (FILE.replace("weight = 20", "weigth = 20"), "unknown key 'weigth'"),
        (FILE.replace('"2s"', '"2 parsecs"'), "not a duration"),
        (
            FILE.replace("in_flight = 4", "in_flight = 0"),
            "in_flight must be from 0.000001 to 1,000,000, got 0",
        ),
        ("[[kind", "TOML"),
    ],
)
def test_a_wrong_file_of_objects_is_named_with_the_mend(tmp_path: Path, text: str, says: str) -> None:
    """One sentence, with the file's name."""
    path = tmp_path / "objects.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        read_objects(path)
