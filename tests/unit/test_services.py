"""Sweeps of many services: each has the results of its own sweep, and a bad one costs only itself."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from example_service import example_service

from gcsim.engine.plan import Plan
from gcsim.service.model import Model
from gcsim.tuning import services as services_module
from gcsim.tuning.run_columns import RunColumns
from gcsim.tuning.services import Grid, file_digest, model_files, service_settings, sweep_services, tasks_of
from gcsim.tuning.sweep import sweep
from gcsim.tuning.unfinished import Unfinished
from gcsim.units import MIB

GRID = Grid(
    gogc=(50, 200, None), gomemlimit_bytes=(None, 250 * MIB), plan=Plan(duration_seconds=10.0, replicas=2)
)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Three models, of which the second cannot be read and the fourth cannot be simulated."""
    folder = tmp_path / "models"
    folder.mkdir()
    for place, live in enumerate((1.0, 2.0, 0.5, 1.5)):
        replace(example_service().scaled(live=live), name=f"s{place}").save(folder / f"s{place}.toml")
    (folder / "s1.toml").write_text("name = 'broken'\n", encoding="utf-8")
    old = replace(example_service(), settings=replace(example_service().settings, go="1.16"))
    replace(old, name="s3").save(folder / "s3.toml")
    return [str(path) for path in sorted(folder.iterdir())]


def swept(files: Sequence[str], path: Path, *, resume: bool = False) -> list[RunColumns | str | None]:
    """The columns of each service, or the sentence of its refusal."""
    about = GRID.about([(file, file_digest(file)) for file in files])
    reports: list[tuple[int, int]] = []
    with Unfinished.opened(path, about, resume=resume) as kept:
        assert sweep_services(files, GRID, kept, progress=lambda *now: reports.append(now))
        found = [kept.described(place) for place in range(len(files))]
        assert reports[-1] == (len(files) * len(GRID),) * 2
        assert reports == sorted(reports)
        return [one["refused"] or kept.finished(place) for place, one in enumerate(found) if one is not None]


def test_each_service_has_the_results_of_its_own_sweep(files: list[str], tmp_path: Path) -> None:
    """To the last bit; the bad ones have a sentence that names the file or the fault."""
    found = swept(files, tmp_path / "a")
    for place in (0, 2):
        model = Model.load(files[place])
        alone = sweep(model, gogc=GRID.gogc, gomemlimit_bytes=GRID.gomemlimit_bytes, plan=GRID.plan)
        columns = found[place]
        assert isinstance(columns, RunColumns)
        knobs = {"gomaxprocs": model.settings.gomaxprocs, "go": model.settings.go}
        assert service_settings(GRID, knobs) == [run.settings for run in alone.finished]
        assert [run.metrics for run in columns.runs([run.settings for run in alone.finished])] == [
            run.metrics for run in alone.finished
        ]
    assert str(found[1]).startswith(f"{files[1]}: ")
    assert "1.16" in str(found[3])


def test_an_error_in_the_engine_costs_one_service(
    files: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The others are simulated, and the sentence asks for a report."""
    real = services_module.simulate_in_chunks

    def fails(model: Model, *rest: object, **named: object) -> object:
        if model.name == "s0":
            raise IndexError("out of bounds")
        return real(model, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(services_module, "simulate_in_chunks", fails)
    found = swept(files, tmp_path / "a")
    assert found[0] == "s0: internal error, please report it: IndexError: out of bounds"
    assert isinstance(found[2], RunColumns)


def test_an_unfinished_sweep_of_services_continues(
    files: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A finished service is not even read again."""
    whole = swept(files, tmp_path / "a")
    about = GRID.about([(file, file_digest(file)) for file in files])
    with Unfinished.opened(tmp_path / "b", about, resume=False) as kept:
        sweep_services(files[:1], GRID, kept)
    loaded: list[str] = []
    real = services_module.Model.load
    monkeypatch.setattr(services_module.Model, "load", lambda file: (loaded.append(file), real(file))[1])
    rest = swept(files, tmp_path / "b", resume=True)
    assert loaded == files[1:]
    for one, other in zip(rest, whole, strict=True):
        assert one == other if isinstance(one, str) else one.values.tolist() == other.values.tolist()  # type: ignore[union-attr]


def test_large_grids_are_cut_and_small_services_share_a_task(
    files: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The results do not depend on it."""
    whole = swept(files[:1], tmp_path / "a")[0]
    assert list(tasks_of([files[0], files[2]], GRID)) == [12]
    monkeypatch.setattr(services_module, "_ENOUGH_CYCLES", 1.0)
    monkeypatch.setattr(services_module, "_MOST_CYCLES", 1.0)
    assert list(tasks_of([files[0], files[2]], GRID)) == [3, 3, 3, 3]
    cut = swept(files[:1], tmp_path / "b")[0]
    assert isinstance(cut, RunColumns)
    assert isinstance(whole, RunColumns)
    assert cut.values.tolist() == whole.values.tolist()


def test_a_folder_stands_for_its_models(files: list[str], tmp_path: Path) -> None:
    """In the order of their names, each file once; other arguments stay."""
    (tmp_path / "models" / "notes.txt").write_text("no model", encoding="utf-8")
    folder = str(tmp_path / "models")
    assert model_files([files[2], folder, "order-service"]) == [
        files[2],
        files[0],
        files[1],
        files[3],
        "order-service",
    ]
    (tmp_path / "empty").mkdir()
    assert model_files([str(tmp_path / "empty")]) == [str(tmp_path / "empty")]
