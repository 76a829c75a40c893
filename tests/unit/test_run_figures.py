"""Figures over time show the runs that were asked for: their length, engine and seed, and no more cycles than fit."""

import re
from pathlib import Path

import numpy as np
import pytest
from example_service import example_service

import gcsim
from gcsim.cli.main import run
from gcsim.cycles import CycleTable
from gcsim.engine.plan import Plan
from gcsim.engine.simulate import simulate
from gcsim.report import sweep_figures
from gcsim.settings import Settings
from gcsim.tuning.recorded import SHOWN_CYCLES, record_runs, settings_to_record
from gcsim.tuning.sweep import sweep
from gcsim.units import MIB

SETTINGS = [Settings(gogc=gogc, gomaxprocs=2, go="1.27") for gogc in (50, 400)]
QUICK = ["--duration", "30s", "--seed", "7"]
GRID = ["--gogc", "50,200", "--replicas", "2"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "example.toml"
    example_service().save(path)
    return str(path)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Settings, CycleTable]]:
    """The cycles that any figure over time is drawn from, in order."""
    found: list[tuple[Settings, CycleTable]] = []
    curve = sweep_figures.heap_curve_data

    def noticed(cycles: CycleTable, settings: Settings, **options: object) -> object:
        found.append((settings, cycles))
        return curve(cycles, settings, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(sweep_figures, "heap_curve_data", noticed)
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        ["sweep", *GRID, "-o", "out"],
        ["recommend", "--memory", "512MiB", "--replicas", "2", "-o", "out"],
        ["plot", "--gogc", "50,200", "-o", "out"],
        ["report", *GRID, "-o", "page.html"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_figures_end_where_the_runs_end(
    arguments: list[str],
    model: str,
    drawn: list[tuple[Settings, CycleTable]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every figure of a 30 s command holds 30 s of cycles of the asked seed, not the ten minutes of a default run."""
    monkeypatch.chdir(tmp_path)
    command, *options = arguments
    assert run([command, model, *options, *QUICK]) == 0
    assert drawn
    for settings, cycles in drawn:
        assert 20e9 < cycles.start_ns[-1] <= 30e9
        (again,) = simulate(
            example_service(), [settings], duration_seconds=30.0, replicas=1, seed=7, record=True
        )
        assert cycles == again.cycles


@pytest.mark.usefixtures("only_large")
def test_figures_of_the_event_engine_are_its_own(
    model: str, drawn: list[tuple[Settings, CycleTable]], tmp_path: Path
) -> None:
    """``sweep --engine des`` and ``plot --engine des`` draw that engine's cycles."""
    asked = ["--engine", "des", "--duration", "1s", "--replicas", "1", "--seed", "3"]
    assert run(["sweep", model, *GRID, *asked, "-o", str(tmp_path / "out")]) == 0
    assert run(["plot", model, "--gogc", "50", *asked[:4], *asked[6:], "-o", str(tmp_path / "plot")]) == 0
    assert len(drawn) >= 3
    for settings, cycles in drawn:
        (again,) = simulate(
            example_service(),
            [settings],
            duration_seconds=1.0,
            replicas=1,
            seed=3,
            record=True,
            engine="des",
        )
        assert cycles == again.cycles


def test_a_long_plan_records_what_a_figure_shows() -> None:
    """A hundred thousand hours take some hundred cycles each; a short plan takes its own length."""
    long = record_runs(example_service(), SETTINGS, Plan(duration_seconds=3.6e8))
    assert [run.settings for run in long] == SETTINGS
    for found in long:
        assert found.cycles is not None
        assert len(found.cycles) == SHOWN_CYCLES


def test_a_setting_that_never_collects_is_not_recorded() -> None:
    """GOGC=off without a limit has nothing to draw."""
    off = Settings(gogc=None, gomaxprocs=2, go="1.27")
    found = record_runs(example_service(), [off, SETTINGS[0]], Plan(duration_seconds=30.0))
    assert [run.settings for run in found] == [SETTINGS[0]]


def test_recorded_settings_are_the_cheap_the_calibrated_and_the_chosen() -> None:
    """Up to three, each once; the least memory is that of a setting feasible in the memory given."""
    found = sweep(
        example_service(),
        gogc=[50, 100, 400],
        duration_seconds=30.0,
        replicas=2,
        memory_bytes=2048 * MIB,
    )
    chosen = found.finished[2].settings
    settings = settings_to_record(found, example_service(), chosen=chosen)
    assert [each.gogc for each in settings] == [50, 100, 400]
    assert settings_to_record(found, example_service(), chosen=settings[1]) == settings[:2]


def test_drawing_code_simulates_nothing() -> None:
    """No file of report/ starts a simulation or records a run."""
    folder = Path(gcsim.__file__).parent / "report"
    for path in folder.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"import .*\b(simulate|record_cycles|record_events|record_runs)\b", text), path
        assert "engine.simulate" not in text, path


def test_recorded_cycles_do_not_depend_on_their_company() -> None:
    """A setting alone and among others has the same cycles."""
    plan = Plan(duration_seconds=30.0, seed=5)
    together = record_runs(example_service(), SETTINGS, plan)
    alone = [record_runs(example_service(), [each], plan)[0] for each in SETTINGS]
    for one, other in zip(together, alone, strict=True):
        assert one.cycles == other.cycles
        assert one.cycles is not None
        assert np.all(np.diff(one.cycles.start_ns) > 0)


def test_twins_are_drawn_once() -> None:
    """A setting with nearly the calibrated GOGC and the same limit would repeat its curves."""
    found = sweep(example_service(), gogc=[90, 200], duration_seconds=20.0, replicas=2)
    assert [one.gogc for one in settings_to_record(found, example_service(), chosen=None)] == [100, 200]
