"""The Parquet file of a sweep: what goes in comes out, in groups that do not depend on the services."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gcsim.metrics import METRICS
from gcsim.settings import Settings
from gcsim.tuning import parquet_file
from gcsim.tuning.parquet_file import ServiceRows, write_parquet
from gcsim.tuning.run_columns import RunColumns
from gcsim.units import MIB

pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra gcsim[parquet]")


def rows(name: str, settings: int, *, peak: float = 100.0 * MIB) -> ServiceRows:
    """Made up results, all with the same memory."""
    values = np.full((settings, 2, 3), peak)
    values[:, 1] = np.arange(settings * 3).reshape(settings, 3) / 7.0
    return ServiceRows(
        file=f"{name}.toml",
        model=name,
        verdict=None,
        settings=[
            Settings(gogc=place or None, gomemlimit_bytes=None, gomaxprocs=2) for place in range(settings)
        ],
        columns=RunColumns(
            names=("container_peak_bytes", "gc_rate_hz"),
            values=values,
            simulated=np.full((len(values), 2), np.nan),
        ),
        memory_bytes=150 * MIB,
    )


def written(path: Path, *services: ServiceRows) -> list[dict[str, Any]]:
    """The rows of a file as a reader of Parquet returns them."""
    write_parquet(path, {"seed": 1, "name": "ä"}, services)
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Exact numbers, null for off and for a metric that is missing."""
    found = written(tmp_path / "a.parquet", rows("a", 3), rows("b", 2, peak=200.0 * MIB))
    assert [(one["model"], one["file"], one["gogc"], one["feasible"]) for one in found] == [
        ("a", "a.toml", None, True),
        ("a", "a.toml", 1, True),
        ("a", "a.toml", 2, True),
        ("b", "b.toml", None, False),
        ("b", "b.toml", 1, False),
    ]
    assert [found[1][f"gc_rate_hz{end}"] for end in ("", "_low", "_high")] == [3 / 7, 4 / 7, 5 / 7]
    assert {f"{name}{end}" for name in METRICS for end in ("", "_low", "_high")} < found[0].keys()
    assert found[0]["heap_peak_bytes"] is found[0]["gomemlimit_bytes"] is found[0]["verdict"] is None
    assert json.loads(pq.read_schema(tmp_path / "a.parquet").metadata[b"gcsim"]) == {"seed": 1, "name": "ä"}


def test_groups_do_not_depend_on_the_services(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Full groups, and a last one with the rest."""
    monkeypatch.setattr(parquet_file, "ROWS_PER_GROUP", 4)
    found = written(tmp_path / "a.parquet", *(rows(f"s{place}", 3) for place in range(3)), rows("large", 9))
    assert [one["model"] for one in found] == ["s0"] * 3 + ["s1"] * 3 + ["s2"] * 3 + ["large"] * 9
    file = pq.ParquetFile(tmp_path / "a.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)] == [
        4,
        4,
        4,
        4,
        2,
    ]
