"""Sweeps of many services: the same grid for each, with the parts of all of them side by side on an executor.

A task has whole rows of the grid, of one service or of several small ones. A service whose model cannot be read or
simulated costs only itself: the sentence about it is kept in place of its results.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gcsim.engine.environment import versions_here
from gcsim.engine.executors import IN_PROCESS, Executor
from gcsim.engine.lanes.run import lane_cycles, supported_rules
from gcsim.engine.plan import Plan
from gcsim.errors import InputError
from gcsim.interrupts import Terminated
from gcsim.service.model import Model, find_model
from gcsim.settings import Settings
from gcsim.tuning.grid import settings_grid
from gcsim.tuning.run_columns import RunColumns
from gcsim.tuning.sweep import SWEEP_PLAN, Progress, base_settings, simulate_in_chunks
from gcsim.tuning.unfinished import Unfinished

_MOST_CYCLES = 50e6  # expected in a task: seconds of work, which a kill at the wrong moment costs
_ENOUGH_CYCLES = (
    2e5  # expected in a task: with less, the scheduler of a large cluster would limit the workers
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The settings that each service is simulated at, and how."""

    gogc: tuple[int | None, ...]
    gomemlimit_bytes: tuple[int | None, ...] = (None,)
    gomaxprocs: int | None = None  # None: as calibrated
    go: str | None = None  # None: as calibrated
    plan: Plan = SWEEP_PLAN

    def __len__(self) -> int:
        return len(self.gogc) * len(self.gomemlimit_bytes)

    def check(self) -> None:
        """Raises InputError if no service can be simulated so."""
        self.plan.check()
        if self.go is not None:
            supported_rules(self.go)
        self.settings(Settings(gomaxprocs=1 if self.gomaxprocs is None else self.gomaxprocs))

    def settings(self, knobs: Settings) -> list[Settings]:
        """The settings, limit by limit with GOGC fastest, for a service with these processors and this Go."""
        return settings_grid(self.gogc, self.gomemlimit_bytes, gomaxprocs=knobs.gomaxprocs, go=knobs.go)

    def about(self, models: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """All that determines the results of a sweep: grid, plan, versions, name and SHA-256 of each model's file."""
        plan = self.plan.to_json("")
        del plan["gcsim_version"], plan["model"]
        return {
            "model" if len(models) == 1 else "list of models": [list(one) for one in models],
            "grid": {"gogc": list(self.gogc), "gomemlimit_bytes": list(self.gomemlimit_bytes)},
            "gomaxprocs": self.gomaxprocs,
            "go": self.go,
            **plan,
            **{f"version of {name}": version for name, version in versions_here().items()},
        }

    def metadata(
        self, models: Sequence[Mapping[str, Any]], *, memory_bytes: int | None, unfinished: int
    ) -> dict[str, Any]:
        """The document in a Parquet file of this grid; ``models`` describe its services."""
        versions = {f"{name.lower()}_version": version for name, version in versions_here().items()}
        plan = self.plan.to_json("")
        del plan["model"]
        return {
            **versions,
            **plan,
            "memory_bytes": memory_bytes,
            "gogc": list(self.gogc),
            "gomemlimit_bytes": list(self.gomemlimit_bytes),
            **({"unfinished": unfinished} if unfinished else {}),
            "models": list(models),
        }


def file_digest(name_or_path: str) -> str:
    """The SHA-256 of a model's file; empty if the file cannot be read."""
    try:
        return hashlib.sha256(find_model(name_or_path).read_bytes()).hexdigest()
    except (InputError, OSError):
        return ""


def model_files(arguments: Sequence[str]) -> list[str]:
    """The models of a command: a folder stands for the model files in it. Raises InputError for an empty folder."""
    found: list[str] = []
    for argument in arguments:
        folder = Path(argument)
        try:
            is_folder = folder.is_dir()
        except (OSError, ValueError):  # an impossible name: reading it reports the fault
            is_folder = False
        if not is_folder:
            found.append(argument)
            continue
        inside = [str(path) for path in sorted(folder.glob("*.toml"))]
        if not inside:
            found.append(argument)  # perhaps a shipped model of that name
        found.extend(inside)
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Consecutive rows of the grid of one service."""

    service: int
    first: int  # setting
    model: Model
    settings: tuple[Settings, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """The result of a part, or the sentence of its refusal."""

    service: int
    first: int
    found: RunColumns | str


def sweep_services(
    files: Sequence[str],
    grid: Grid,
    kept: Unfinished,
    *,
    progress: Progress | None = None,
    executor: Executor = IN_PROCESS,
) -> bool:
    """Simulates what ``kept`` lacks of the grid for each model, and keeps each part; returns whether all is done.

    It is not if KeyboardInterrupt or Terminated ended the work. ``service_settings`` and ``kept`` then have the
    results. Raises InputError if the parts cannot be kept.
    """
    done = dict.fromkeys(range(len(files)), 0)  # settings of each service

    def count(service: int, settings: int) -> None:
        done[service] = max(done[service], settings)
        if progress is not None:
            progress(sum(done.values()), len(files) * len(grid))

    try:
        tasks = _tasks(_parts(files, grid, kept, count), grid.plan)
        for results in executor.map(partial(_simulate_parts, grid.plan), tasks):
            for one in results:
                if isinstance(one.found, str):
                    kept.describe(one.service, {**(kept.described(one.service) or {}), "refused": one.found})
                    count(one.service, len(grid))
                else:
                    kept.keep(one.service, one.first, one.found)
                    count(one.service, one.first + len(one.found))
    except (KeyboardInterrupt, Terminated):
        return False
    return True


def tasks_of(files: Sequence[str], grid: Grid) -> Iterator[int]:
    """Yields the number of settings of each task of a new sweep; leaves out models that cannot be read."""
    with TemporaryDirectory() as folder, Unfinished.opened(Path(folder) / "none", {}, resume=False) as kept:
        for task in _tasks(_parts(files, grid, kept, lambda _done, _total: None), grid.plan):
            yield sum(len(part.settings) for part in task)


def service_settings(grid: Grid, document: Mapping[str, Any]) -> list[Settings]:
    """The settings of a service from its document in the file of an unfinished sweep."""
    knobs = Settings(gomaxprocs=int(document["gomaxprocs"]), go=str(document["go"]))
    return grid.settings(knobs)


def _parts(files: Sequence[str], grid: Grid, kept: Unfinished, count: Progress) -> Iterator[_Part]:
    """The parts that are still to simulate, service by service; keeps the sentence about an unreadable model."""
    for service, file in enumerate(files):
        known = kept.described(service)
        done = kept.finished(service) if known is not None and not known["refused"] else None
        first = 0 if done is None else len(done)
        count(service, first)
        if first == len(grid):
            continue
        try:
            model = Model.load(file)
            knobs = base_settings(model, gomaxprocs=grid.gomaxprocs, go=grid.go)
            supported_rules(knobs.go)
        except InputError as error:
            kept.describe(service, {"file": file, "model": "", "refused": str(error)})
            count(service, len(grid))
            continue
        kept.describe(service, service_document(file, model, knobs))
        settings = grid.settings(knobs)
        step = _settings_per_task(model, grid)
        for place in range(first, len(grid), step):
            yield _Part(
                service=service, first=place, model=model, settings=tuple(settings[place : place + step])
            )


def _settings_per_task(model: Model, grid: Grid) -> int:
    """A whole number of rows; one setting of the event engine."""
    if grid.plan.engine == "des":
        return 1
    row = len(grid.gogc)
    cycles = row * grid.plan.replicas * lane_cycles(model, grid.plan)
    return row * max(int(_MOST_CYCLES / cycles), 1)


def _tasks(parts: Iterator[_Part], plan: Plan) -> Iterator[list[_Part]]:
    """The parts, small ones together."""
    task: list[_Part] = []
    cycles = 0.0
    for part in parts:
        task.append(part)
        cycles += len(part.settings) * plan.replicas * lane_cycles(part.model, plan)
        if cycles >= _ENOUGH_CYCLES or plan.engine == "des":
            yield task
            task, cycles = [], 0.0
    if task:
        yield task


def _simulate_parts(plan: Plan, parts: Sequence[_Part]) -> list[_Done]:
    return [_Done(service=one.service, first=one.first, found=_simulated(plan, one)) for one in parts]


def _simulated(plan: Plan, part: _Part) -> RunColumns | str:
    """The columns of a part, or a sentence; an error in gcsim must not end the sweeps of other services either."""
    try:
        chunks = simulate_in_chunks(part.model, part.settings, plan, is_grid=True)
        return RunColumns.of([run for chunk in chunks for run in chunk])
    except InputError as error:
        return str(error)
    except Exception as error:
        return f"{part.model.name}: internal error, please report it: {type(error).__name__}: {error}"


def service_document(file: str, model: Model, knobs: Settings) -> dict[str, Any]:
    """The document of a service in the file of an unfinished sweep; ``refused`` is empty, or a sentence."""
    return {
        "file": file,
        "model": model.name,
        "verdict": None if model.assessment is None else model.assessment.verdict,
        "gomaxprocs": knobs.gomaxprocs,
        "go": knobs.go,
        "refused": "",
    }
