"""The file of an unfinished sweep: its finished parts, which survive the end of the process at any moment.

It is an SQLite database. A part is in it whole or not at all, also after SIGKILL and on a full disk, and only one
process at a time can use it. It is removed when the outputs of the sweep are written.
``docs/reference/sweep-files.md`` describes its tables.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.engine.run import Run
from gcsim.errors import InputError
from gcsim.settings import Settings
from gcsim.tuning.run_columns import RunColumns

FORMAT = 1
_TABLES = """
CREATE TABLE about (document TEXT NOT NULL);
CREATE TABLE services (service INTEGER PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE edges (part INTEGER PRIMARY KEY, sums INTEGER NOT NULL, lanes BLOB NOT NULL);
CREATE TABLE parts (
    service INTEGER NOT NULL,
    first INTEGER NOT NULL,
    settings INTEGER NOT NULL,
    metrics TEXT NOT NULL,
    estimates BLOB NOT NULL,
    simulated BLOB NOT NULL,
    PRIMARY KEY (service, first)
);
"""


class Unfinished:
    """The finished parts of a sweep of one or more services, in a file; settings are counted from 0 in each service."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path, self._connection = path, connection

    @classmethod
    @contextmanager
    def opened(cls, path: Path, about: Mapping[str, Any], *, resume: bool) -> Iterator[Self]:
        """A context with the file of the sweep that ``about`` describes; it stays unless ``remove`` is called.

        ``about`` has everything that determines the results: a JSON document. With ``resume`` the parts of an earlier
        sweep are kept. Raises InputError if they are of another sweep or, without ``resume``, if there are any; and if
        the file cannot be written or another process uses it.
        """
        connection = _connect(path)
        found = cls(path, connection)
        try:
            with found._faults():
                begun = found._begun()
                if begun is not None and resume:
                    found._refuse_another(begun, about)
                elif begun is not None and found.has_work():
                    raise InputError(
                        f"{path}: has {found.count():,} finished settings of an unfinished sweep; add --resume to "
                        "continue it, or remove the file to begin again"
                    )
                else:
                    found._begin({"format": FORMAT, **about})
            yield found
        finally:
            with suppress(
                sqlite3.Error, InputError
            ):  # the first error, if there is one, is the one to report
                if not found.has_work():
                    found.remove()
            with suppress(sqlite3.Error):
                connection.close()

    def count(self, service: int | None = None) -> int:
        """The number of finished settings of a service, or of all."""
        query = "SELECT coalesce(sum(settings), 0) FROM parts"
        return int(self._one(query) if service is None else self._one(f"{query} WHERE service = ?", service))

    def has_work(self) -> bool:
        """Whether the file has any finished part, also of the edges of a grid."""
        return bool(self.count() or self._one("SELECT count(*) FROM edges"))

    def finished(self, service: int) -> RunColumns | None:
        """The finished settings of a service from the first one on; None without any."""
        with self._faults():
            rows = self._connection.execute(
                "SELECT first, metrics, estimates, simulated FROM parts WHERE service = ? ORDER BY first",
                (service,),
            )
            parts: list[RunColumns] = []
            for first, *columns in rows:
                if first != sum(map(len, parts)):
                    break
                parts.append(RunColumns.from_bytes(*columns))
        return RunColumns.joined(parts) if parts else None

    def keep(self, service: int, first: int, part: RunColumns) -> None:
        """Adds a part. It is safe when this returns. Raises InputError if it cannot be written."""
        with self._faults(), self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?)",
                (service, first, len(part), *part.to_bytes()),
            )

    def edges(self) -> list[FloatArray]:
        """The parts of the edges of the only service's grid, which are simulated first (``engine.lanes.equal``)."""
        with self._faults():
            rows = self._connection.execute("SELECT sums, lanes FROM edges ORDER BY part").fetchall()
            return [
                np.frombuffer(lanes, dtype="<f8").reshape(sums, -1).astype(np.float64) for sums, lanes in rows
            ]

    def keep_edges(self, part: FloatArray) -> None:
        """Adds a part of the edges. Raises InputError if it cannot be written."""
        with self._faults(), self._connection:
            self._connection.execute(
                "INSERT INTO edges (sums, lanes) VALUES (?, ?)", (len(part), part.astype("<f8").tobytes())
            )

    def described(self, service: int) -> dict[str, Any] | None:
        """The document of a service, or None."""
        text = self._one("SELECT max(document) FROM services WHERE service = ?", service)
        return None if text is None else dict(json.loads(text))

    def describe(self, service: int, document: Mapping[str, Any]) -> None:
        """Keeps or replaces the document of a service. Raises InputError if it cannot be written."""
        with self._faults(), self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO services VALUES (?, ?)", (service, json.dumps(document))
            )

    def remove(self) -> None:
        """Removes the file, because the outputs of the sweep are written."""
        with suppress(sqlite3.Error, OSError):
            self._connection.close()
            for end in ("", "-wal", "-shm", "-journal"):
                Path(f"{self._path}{end}").unlink(missing_ok=True)

    def _begun(self) -> dict[str, Any] | None:
        """The description of the sweep in the file; None for a new file."""
        if not self._one("SELECT count(*) FROM sqlite_master"):
            return None
        text = self._one("SELECT max(document) FROM about")
        return None if text is None else dict(json.loads(text))

    def _begin(self, about: Mapping[str, Any]) -> None:
        for table in ("about", "services", "edges", "parts"):
            self._connection.execute(f"DROP TABLE IF EXISTS {table}")
        with self._connection:
            self._connection.executescript(f"BEGIN;{_TABLES}")
            self._connection.execute("INSERT INTO about VALUES (?)", (json.dumps(about),))

    def _refuse_another(self, begun: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        """Raises InputError, with the first difference, if the file is of another sweep."""
        asked = json.loads(json.dumps({"format": FORMAT, **about}))
        for name in dict.fromkeys([*asked, *begun]):
            if begun.get(name) != asked.get(name):
                raise InputError(
                    f"--resume: {self._path} is of a sweep with another {name.replace('_', ' ')}"
                    f"{_difference(begun.get(name), asked.get(name))}; give the same options and the same gcsim, "
                    "or remove the file to begin again"
                )

    def _one(self, query: str, *values: object) -> Any:
        with self._faults():
            row = self._connection.execute(query, values).fetchone()
        return None if row is None else row[0]

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except (sqlite3.Error, ValueError) as error:
            raise _refusal(self._path, error) from error


class ServiceKeeper:
    """Keeps the runs of one service of an unfinished sweep (``sweep.Keeper``)."""

    def __init__(self, unfinished: Unfinished, service: int = 0) -> None:
        self._unfinished, self._service = unfinished, service

    def finished(self, settings: Sequence[Settings]) -> list[Run]:
        """The finished runs at the first of the settings."""
        found = self._unfinished.finished(self._service)
        return [] if found is None else found.runs(settings[: len(found)])

    def edges(self) -> list[FloatArray]:
        """The kept parts of the edges of the grid."""
        return self._unfinished.edges()

    def keep_edges(self, part: FloatArray) -> None:
        """Keeps the next part of the edges."""
        self._unfinished.keep_edges(part)

    def keep(self, first: int, runs: Sequence[Run]) -> None:
        """Keeps the runs of consecutive settings."""
        self._unfinished.keep(self._service, first, RunColumns.of(runs))


def _connect(path: Path) -> sqlite3.Connection:
    """A connection that no other process shares. Raises InputError."""
    try:
        connection = sqlite3.connect(path, timeout=0.5)
        try:
            # Exclusive: the lock ends with the process. WAL: a commit waits for no disk, and SIGKILL loses nothing.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("BEGIN IMMEDIATE")
            connection.commit()
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise _refusal(path, error) from error
    return connection


def _refusal(path: Path, error: Exception) -> InputError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return InputError(f"{path}: another gcsim uses this file; wait for its end, or choose another output")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR):
        return InputError(f"{path}: is not an unfinished sweep of gcsim ({error}); remove it to begin again")
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return InputError(f"{path}: cannot be written ({error}); make room, and add --resume to continue")
    return InputError(f"{path}: cannot be written ({error}); choose another output")


def _difference(begun: object, asked: object) -> str:
    """Both values in parentheses if they are short."""
    both = f" ({json.dumps(begun)}, now {json.dumps(asked)})"
    return both if len(both) <= 80 else ""
