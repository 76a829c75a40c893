"""The Parquet file of a sweep of many services, made from the file of its finished parts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gcsim.tuning.parquet_file import ServiceRows, write_parquet
from gcsim.tuning.run_columns import RunColumns
from gcsim.tuning.services import Grid, file_digest, service_settings
from gcsim.tuning.sweep import Sweep
from gcsim.tuning.unfinished import Unfinished

_RANGES = ("gc_cpu_fraction", "container_peak_bytes")


@dataclass(slots=True, kw_only=True)
class ServiceSummary:
    """One service of a sweep: its finished settings in short, or the sentence of its refusal."""

    file: str
    model: str
    sha256: str  # of the file
    verdict: str | None
    settings: int  # finished
    refused: str | None
    feasible: int = 0  # of the finished settings
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)  # of predicted medians over the grid

    def to_json(self) -> dict[str, Any]:
        """The document of the service in the metadata of the file."""
        return {
            "file": self.file,
            "model": self.model,
            "sha256": self.sha256,
            "verdict": self.verdict,
            "settings": self.settings,
            "refused": self.refused,
        }

    def summary_json(self) -> dict[str, Any]:
        """The document of the service in ``gcsim sweep --json``."""
        ranges = {name: {"least": least, "most": most} for name, (least, most) in self.ranges.items()}
        return {**self.to_json(), "feasible": self.feasible, "ranges": ranges}


def write_services(
    path: Path, files: Sequence[str], grid: Grid, kept: Unfinished, *, memory_bytes: int | None
) -> list[ServiceSummary]:
    """Writes all finished settings into one file, in the order of the services, and summarises each service.

    Without a finished setting there is no file. Services that the sweep did not reach are left out. Raises InputError
    if the file cannot be written.
    """
    found = {
        place: one for place, file in enumerate(files) if (one := _summary(kept, place, file)) is not None
    }
    finished = sum(one.settings for one in found.values())
    refused = len(grid) * sum(one.refused is not None for one in found.values())
    if finished:
        about = grid.metadata(
            [one.to_json() for one in found.values()],
            memory_bytes=memory_bytes,
            unfinished=len(files) * len(grid) - finished - refused,
        )
        write_parquet(path, about, _rows(found, grid, kept, memory_bytes))
    return list(found.values())


def write_sweep(path: Path, sweep: Sweep, file: str, grid: Grid, *, verdict: str | None) -> None:
    """Writes the finished settings of the sweep of one model. Raises InputError if the file cannot be written."""
    runs = sweep.finished
    one = ServiceSummary(
        file=file,
        model=sweep.model,
        sha256=file_digest(file),
        verdict=verdict,
        settings=len(runs),
        refused=None,
    )
    rows = ServiceRows(
        file=file,
        model=sweep.model,
        verdict=verdict,
        settings=[run.settings for run in runs],
        columns=RunColumns.of(runs),
        memory_bytes=sweep.memory_bytes,
    )
    unfinished = len(sweep.runs) - len(runs)
    about = grid.metadata([one.to_json()], memory_bytes=sweep.memory_bytes, unfinished=unfinished)
    write_parquet(path, about, [rows])


def _summary(kept: Unfinished, place: int, file: str) -> ServiceSummary | None:
    known = kept.described(place)
    if known is None:
        return None
    return ServiceSummary(
        file=file,
        model=known["model"],
        sha256=file_digest(file),
        verdict=known.get("verdict"),
        settings=0 if known["refused"] else kept.count(place),
        refused=known["refused"] or None,
    )


def _rows(
    found: dict[int, ServiceSummary], grid: Grid, kept: Unfinished, memory_bytes: int | None
) -> Iterator[ServiceRows]:
    """The rows of each service, which also complete its summary."""
    for place, one in found.items():
        columns = kept.finished(place) if one.settings else None
        known = kept.described(place)
        if columns is None or known is None:
            continue
        settings = service_settings(grid, known)[: len(columns)]
        rows = ServiceRows(
            file=one.file, model=one.model, verdict=one.verdict, settings=settings, columns=columns,
            memory_bytes=memory_bytes,
        )  # fmt: skip
        one.feasible = int(rows.feasible.sum())
        one.ranges = {name: columns.range_of(name) for name in _RANGES}
        yield rows
