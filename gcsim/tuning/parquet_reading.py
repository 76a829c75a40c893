"""Reading of the Parquet files that ``gcsim sweep`` wrote: the sweep of one of their models."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gcsim.errors import InputError
from gcsim.metrics import METRICS
from gcsim.printable import quoted
from gcsim.tuning.parquet_file import METADATA_KEY, check_parquet
from gcsim.tuning.sweep import Sweep
from gcsim.tuning.sweep_file import sweep_from_json

_ADVICE = "write one with gcsim sweep -o FILE.parquet"
_KNOBS = ("gogc", "gomemlimit_bytes", "gomaxprocs", "go")
_MOST_NAMED = 5


def read_parquet_sweep(path: Path, *, model: str | None = None) -> Sweep:
    """The sweep of one model in a Parquet file; ``model`` is its name or file, needed if there are several.

    Raises InputError, naming the file, also if the library that reads Parquet is not installed.
    """
    check_parquet(path)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        about = json.loads((pq.read_schema(path).metadata or {})[METADATA_KEY])
        file = _file_of(about, model)
        rows = pq.read_table(path, filters=[("file", "==", file)]).to_pylist()
        return sweep_from_json(_document(about, rows))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; {_ADVICE}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise InputError(f"{path}: not a Parquet file of gcsim; {_ADVICE}") from error


def _file_of(about: Mapping[str, Any], model: str | None) -> str:
    """The file of the wanted model. Raises InputError if it is unknown or not determined."""
    models = [one for one in about["models"] if one["settings"]]
    wanted = [one for one in models if model in (None, one["model"], one["file"])]
    if len(wanted) == 1:
        return str(wanted[0]["file"])
    named = ", ".join(quoted(one["file"]) for one in models[:_MOST_NAMED])
    more = f" and {len(models) - _MOST_NAMED} more" if len(models) > _MOST_NAMED else ""
    if model is None:
        raise InputError(f"holds {len(models)} models; choose one with --model: {named}{more}")
    what = "no model" if not wanted else f"{len(wanted)} models"
    raise InputError(f"--model: {what} of the name {quoted(model)}; it holds {named}{more}")


def _document(about: Mapping[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The document of ``gcsim sweep --json`` with the same content."""
    runs = [
        {
            "settings": {name: row[name] for name in _KNOBS},
            "metrics": {
                name: {"value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}
                for name in METRICS
                if row.get(name) is not None
            },
        }
        for row in rows
    ]
    return {**about, "model": rows[0]["model"] if rows else "", "runs": runs}
