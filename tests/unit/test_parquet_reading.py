"""A Parquet file gives the sweep that was written into it, and says which model to name if it holds several."""

from pathlib import Path

import pytest
from example_service import example_service

from gcsim.cli.main import run
from gcsim.engine.plan import Plan
from gcsim.errors import InputError
from gcsim.tuning.parquet_file import ServiceRows, write_parquet
from gcsim.tuning.parquet_reading import read_parquet_sweep
from gcsim.tuning.run_columns import RunColumns
from gcsim.tuning.services import Grid
from gcsim.tuning.services_file import write_sweep
from gcsim.tuning.sweep import Sweep, sweep
from gcsim.units import MIB

pytest.importorskip("pyarrow.parquet", reason="needs the extra gcsim[parquet]")

GRID = Grid(gogc=(50, None), gomemlimit_bytes=(None, 250 * MIB), plan=Plan(duration_seconds=10.0, replicas=2))


@pytest.fixture(scope="module")
def swept() -> Sweep:
    axes = {"gogc": GRID.gogc, "gomemlimit_bytes": GRID.gomemlimit_bytes}
    return sweep(example_service(), **axes, plan=GRID.plan, memory_bytes=512 * MIB)


def test_the_sweep_comes_back(swept: Sweep, tmp_path: Path) -> None:
    """Axes, runs to the last bit, plan, name and memory; ``plot`` draws it."""
    path = tmp_path / "a.parquet"
    model = tmp_path / "example.toml"
    example_service().save(model)
    write_sweep(path, swept, str(model), GRID, verdict="trust")
    assert read_parquet_sweep(path) == swept
    assert run(["plot", str(path), "-o", str(tmp_path / "figures")]) == 0
    assert (tmp_path / "figures" / "gc-cpu.svg").stat().st_size > 0


def test_one_of_several_models_is_named(
    swept: Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its name or its file; the message lists what there is."""
    path = tmp_path / "two.parquet"
    about = {
        **GRID.metadata([], memory_bytes=None, unfinished=0),
        "models": [{"file": f"{name}.toml", "model": name, "settings": 4} for name in ("a", "b")],
    }
    runs = swept.finished
    rows = [
        ServiceRows(
            file=f"{name}.toml",
            model=name,
            verdict=None,
            settings=[one.settings for one in runs],
            columns=RunColumns.of(runs),
        )
        for name in ("a", "b")
    ]
    write_parquet(path, about, rows)
    assert read_parquet_sweep(path, model="b").model == read_parquet_sweep(path, model="b.toml").model == "b"
    with pytest.raises(
        InputError, match=r"two.parquet: holds 2 models; choose one with --model: 'a.toml', 'b.toml'"
    ):
        read_parquet_sweep(path)
    with pytest.raises(InputError, match="no model of the name 'c'"):
        read_parquet_sweep(path, model="c")
    assert run(["plot", "order-service", "--model", "a", "-o", str(tmp_path)]) == 2
    assert "only a Parquet file" in capsys.readouterr().err


def test_another_file_is_refused(tmp_path: Path) -> None:
    """In one sentence that names it: a text, a missing file, a Parquet file of another program."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = tmp_path / "text.parquet"
    text.write_text("gogc\n", encoding="utf-8")
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"gogc": [1]}), other)
    for path in (text, other):
        with pytest.raises(InputError, match=rf"{path.name}: not a Parquet file of gcsim"):
            read_parquet_sweep(path)
    with pytest.raises(InputError, match=r"none.parquet: no such file"):
        read_parquet_sweep(tmp_path / "none.parquet")
