"""The recommendation against rules of thumb in one container."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from example_service import example_service
from matplotlib.text import Text

from gcsim.cli.main import run
from gcsim.engine.controllers import (
    FIXED_SETTING,
    Ballast,
    Commit,
    Controller,
    ForcedAt,
    GcSetting,
    HeapTarget,
)
from gcsim.engine.plan import Engine, Plan
from gcsim.engine.run import Run
from gcsim.engine.simulate import simulate
from gcsim.goruntime.pacer import gc_percent_heap_goal_bytes
from gcsim.metrics import Estimate
from gcsim.report.rules_figure import rules_figure
from gcsim.settings import Settings
from gcsim.tuning.chances import chance_above, chances
from gcsim.tuning.compare import Comparison, compare
from gcsim.tuning.recommend import recommend
from gcsim.units import MAX_INT64, MIB

PLAN = Plan(duration_seconds=20.0, replicas=4)
MEMORY = 512 * MIB
DEFAULTS = Settings(gogc=100, gomaxprocs=2, go="1.27")


@pytest.fixture(scope="module")
def compared() -> Comparison:
    return compare(example_service(), memory_bytes=MEMORY, plan=PLAN)


def test_rules_stand_by_cost_and_the_recommendation_is_among_them(compared: Comparison) -> None:
    """Rules that fit come first, cheapest first; the recommendation and today's setting are those of recommend."""
    fitting = [row for row in compared.rows if row.feasible]
    assert compared.rows[: len(fitting)] == tuple(fitting)
    saved = [round(row.cores_saved, 2) for row in fitting]
    assert saved == sorted(saved, reverse=True)
    found = recommend(example_service(), memory_bytes=MEMORY, plan=PLAN)
    rows = {row.rule.name: row for row in compared.rows}
    assert rows["recommended"].run == found.run
    assert rows["today"].run == found.today
    assert rows["today"].cores_saved == 0.0
    assert len(rows) == 13


def test_a_fixed_rule_has_the_bytes_of_simulate(compared: Comparison) -> None:
    """Whatever the other rules are."""
    (row,) = [row for row in compared.rows if row.rule.name == "limit 0.7"]
    assert row.run.settings.gomemlimit_bytes == 358 * MIB
    assert simulate(example_service(), [row.run.settings], PLAN) == [row.run]


def test_a_heap_that_passes_the_container_is_killed() -> None:
    """A third of 512 MiB on top of twice the live heap does not fit into 300 MiB."""
    found = compare(example_service(), memory_bytes=300 * MIB, plan=PLAN)
    (row,) = [row for row in found.rows if row.rule.name == "ballast of a third"]
    assert row.chances.killed > 0.5
    assert row.verdict.startswith("is killed in ")
    assert not row.feasible


def test_the_chance_is_that_of_the_interval() -> None:
    """5 % above the high end, half above the median, 95 % above the low end, and falling."""
    found = Estimate(100.0, 90.0, 130.0)
    for bound, chance in ((130.0, 0.05), (100.0, 0.5), (90.0, 0.95)):
        assert chance_above(found, bound) == pytest.approx(chance)
    falling = [chance_above(found, bound) for bound in np.linspace(60.0, 200.0, 40)]
    assert falling == sorted(falling, reverse=True)
    exact = Estimate(100.0, 100.0, 100.0)
    assert [chance_above(exact, bound) for bound in (99.0, 101.0, -1.0)] == [1.0, 0.0, 1.0]


def test_hot_file_pages_without_room_are_a_stall() -> None:
    """Anonymous memory fits, container memory does not: the kernel kills nothing."""
    metrics = {
        "anonymous_peak_bytes": Estimate(80.0, 79.0, 81.0),
        "container_peak_bytes": Estimate(120.0, 119.0, 121.0),
    }
    found = chances(Run(settings=DEFAULTS, metrics=metrics), 100.0, kernel_bytes=1.0)
    assert found.killed < 1e-6
    assert found.stalls > 1.0 - 1e-6


def _commit(marked: float, roots: float) -> Commit:
    one = np.ones(1)
    setting = GcSetting(np.array([100]), np.array([MAX_INT64]))
    return Commit(
        now_seconds=one, heap_marked_bytes=marked * one, heap_end_bytes=2.0 * marked * one, live_bytes=marked * one,
        root_bytes=roots * one, setting=setting,
    )  # fmt: skip


@pytest.mark.parametrize(("marked", "roots"), [(40.0 * MIB, 0.0), (300.0 * MIB, 7.0 * MIB)])
def test_a_ballast_has_the_goal_of_gogc_100_with_it(marked: float, roots: float) -> None:
    """By the runtime's own formula, to one percent of the marked heap."""
    size = 100.0 * MIB
    percent = Ballast(size_bytes=size).at_commit(_commit(marked, roots)).gc_percent
    goal = gc_percent_heap_goal_bytes(int(marked), int(roots), 0, int(percent[0]), 0)
    with_ballast = gc_percent_heap_goal_bytes(int(marked + size), int(roots), 0, 100, 0)
    assert goal + size == pytest.approx(with_ballast, abs=0.01 * (marked + roots) + 1.0)


@pytest.mark.parametrize("engine", ["lanes", "des"])
@pytest.mark.parametrize(("goal_mib", "wanted_mib"), [(340, 340.0), (120, 175.0)])
def test_both_engines_follow_a_tuner(engine: Engine, goal_mib: int, wanted_mib: float) -> None:
    """The mean goal is the tuner's, or that of its least GOGC: 1.5 x 117 MiB."""
    found = _simulated(engine, HeapTarget(goal_bytes=goal_mib * MIB))
    assert found.metrics["heap_goal_mean_bytes"].value / MIB == pytest.approx(wanted_mib, rel=0.03)


@pytest.mark.parametrize("engine", ["lanes", "des"])
def test_a_forced_collection_starts_near_its_watermark(engine: Engine) -> None:
    """The heap ends between the watermark and 17 MiB above it, the allocation of a mark phase."""
    found = _simulated(engine, ForcedAt(heap_bytes=180 * MIB))
    assert 180.0 <= found.metrics["heap_peak_mean_bytes"].value / MIB <= 197.0


def test_a_tuner_that_never_acts_changes_no_byte() -> None:
    """Also in a run of more cycles than the engine simulates: a watermark above the heap is Go's default."""
    fixed, never = (
        simulate(example_service(), [DEFAULTS], duration_seconds=1200.0, replicas=2, controller=policy)
        for policy in (FIXED_SETTING, ForcedAt(heap_bytes=1e15))
    )
    assert fixed == never


def _simulated(engine: Engine, controller: Controller) -> Run:
    (found,) = simulate(
        example_service(), [DEFAULTS], duration_seconds=5.0, replicas=2, engine=engine, controller=controller
    )
    return found


def test_the_labels_of_the_figure_do_not_overlap(compared: Comparison) -> None:
    """Also where seven rules are one point."""
    figure = rules_figure(compared, "example")
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    names = {row.rule.name for row in compared.rows}
    texts = [one for one in figure.axes[0].findobj(Text) if isinstance(one, Text) and one.get_text() in names]
    boxes = [text.get_window_extent(renderer) for text in texts]
    assert len(boxes) == len(names)
    pairs = [(one, two) for place, one in enumerate(boxes) for two in boxes[:place]]
    assert not [pair for pair in pairs if pair[0].overlaps(pair[1])]
    assert all(box.x1 <= figure.bbox.width for box in boxes)


def test_the_command_prints_80_columns_and_ends_with_1_if_nothing_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The nearest miss then stands in place of the recommendation."""
    monkeypatch.chdir(tmp_path)
    replace(example_service(), name="example").save("example.toml")
    short = ["--duration", "10s", "--replicas", "2", "--jobs", "1"]
    assert run(["compare", "example.toml", "--memory", "512Mi", *short]) == 0
    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines()[2:] if len(line) > 80] == []
    assert "tuner, goal 0.7" in shown
    assert run(["compare", "example.toml", "--memory", "64Mi", *short, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["recommended"]["feasible"] is False
    assert "nearest miss" in [rule["rule"] for rule in document["rules"]]
