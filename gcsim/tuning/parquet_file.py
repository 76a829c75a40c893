"""Sweeps as one Parquet file: a row for each service and setting, with the plan and the versions in its metadata.

``docs/reference/sweep-files.md`` describes the columns. The file does not depend on the parts of which it was made.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gcsim.arrays import BoolArray
from gcsim.atomic import replacing
from gcsim.errors import InputError
from gcsim.metrics import METRICS
from gcsim.settings import Settings
from gcsim.tuning.feasible import is_feasible
from gcsim.tuning.run_columns import RunColumns

if TYPE_CHECKING:
    import pyarrow as pa

METADATA_KEY = b"gcsim"
ROWS_PER_GROUP = 1 << 16
_ENDS = ("", "_low", "_high")
# The metrics that determine whether a setting is feasible
_JUDGED = ("container_peak_bytes", "rss_peak_bytes", "anonymous_peak_bytes", "gc_cpu_fraction",
           "limiter_time_fraction", "heap_peak_bytes")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRows:
    """The finished settings of one service."""

    file: str  # as the user named it
    model: str
    verdict: str | None
    settings: Sequence[Settings]
    columns: RunColumns
    memory_bytes: int | None = None  # of the container, if given

    @property
    def feasible(self) -> BoolArray:
        """Whether each setting is feasible."""
        judged = self.columns.select(_JUDGED).runs(self.settings)
        return np.array([is_feasible(run, self.memory_bytes) for run in judged], dtype=np.bool_)


def check_parquet(path: Path) -> None:
    """Raises InputError if the library that writes the file is not installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"{path}: the library that writes Parquet is not installed; install it with pip install 'gcsim[parquet]'"
        ) from error


def write_parquet(path: Path, about: Mapping[str, Any], services: Iterable[ServiceRows]) -> None:
    """Writes the rows of services, whole or not at all; holds one row group in memory.

    ``about`` is the JSON document of the metadata. Raises InputError if the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [(name, kind) for name, kind in _fields(pa)]
    schema = pa.schema(fields, metadata={METADATA_KEY: json.dumps(about, ensure_ascii=False).encode()})
    numbers = [name for name, kind in fields if kind == pa.float64()]
    texts = [name for name, kind in fields if kind == pa.string()]
    with (
        replacing(path) as temporary,
        temporary.open("wb") as file,
        pq.ParquetWriter(
            file, schema, compression="zstd", use_dictionary=texts, use_byte_stream_split=numbers
        ) as writer,
    ):
        for table in _in_groups((_table(one, schema) for one in services), pa):
            writer.write_table(table, row_group_size=ROWS_PER_GROUP)


def _fields(pa: Any) -> Iterator[tuple[str, Any]]:
    yield from ((name, pa.string()) for name in ("file", "model", "verdict"))
    yield from (("gogc", pa.int64()), ("gomemlimit_bytes", pa.int64()), ("gomaxprocs", pa.int32()))
    yield from (("go", pa.string()), ("feasible", pa.bool_()))
    yield from ((f"{name}{end}", pa.float64()) for name in METRICS for end in _ENDS)


def _table(one: ServiceRows, schema: "pa.Schema") -> "pa.Table":
    import pyarrow as pa

    rows = len(one.settings)
    cells: dict[str, Any] = {
        "file": [one.file] * rows,
        "model": [one.model] * rows,
        "verdict": [one.verdict] * rows,
        "gogc": [each.gogc for each in one.settings],
        "gomemlimit_bytes": [each.gomemlimit_bytes for each in one.settings],
        "gomaxprocs": [each.gomaxprocs for each in one.settings],
        "go": [each.go for each in one.settings],
        "feasible": one.feasible,
    }
    for place, name in enumerate(one.columns.names):
        for end, column in zip(_ENDS, one.columns.values[:, place].T, strict=True):
            cells[f"{name}{end}"] = column
    arrays = [
        pa.nulls(rows, field.type)
        if field.name not in cells
        else pa.array(cells[field.name], type=field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _in_groups(tables: Iterator["pa.Table"], pa: Any) -> Iterator["pa.Table"]:
    """The same rows in tables of ROWS_PER_GROUP, so that the groups do not depend on the services."""
    waiting: list[Any] = []
    rows = 0
    for table in tables:
        waiting.append(table)
        rows += table.num_rows
        if rows >= ROWS_PER_GROUP:
            whole = pa.concat_tables(waiting).combine_chunks()
            full = rows - rows % ROWS_PER_GROUP
            yield whole.slice(0, full)
            waiting, rows = [whole.slice(full)], rows - full
    if rows:
        yield pa.concat_tables(waiting).combine_chunks()
