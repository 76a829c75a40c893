"""The file of an unfinished sweep: its parts are whole, and only the same sweep continues it."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from example_service import example_service

from gcsim.engine.executors import InProcess
from gcsim.errors import InputError
from gcsim.tuning import sweep as sweep_module
from gcsim.tuning.run_columns import RunColumns
from gcsim.tuning.sweep import Sweep, sweep
from gcsim.tuning.unfinished import ServiceKeeper, Unfinished
from gcsim.units import MIB

ABOUT = {"seed": 1, "grid": {"gogc": [50, None]}}
QUICK = {"duration_seconds": 20.0, "replicas": 2}


def part(settings: int, start: float = 0.0) -> RunColumns:
    """Made up results of some settings."""
    values = start + np.arange(settings * 6, dtype=np.float64).reshape(settings, 2, 3)
    return RunColumns(
        names=("gc_rate_hz", "heap_peak_bytes"), values=values, simulated=np.full((len(values), 2), np.nan)
    )


def test_parts_are_read_as_they_were_kept(tmp_path: Path) -> None:
    """Exact to the last bit, in order, up to the first missing setting."""
    path = tmp_path / "a.unfinished"
    with Unfinished.opened(path, ABOUT, resume=False) as kept:
        kept.keep(0, 0, part(2, start=0.1))
        kept.keep(0, 2, part(1, start=1 / 3))
        kept.keep(0, 9, part(1))
        kept.describe(0, {"model": "ä"})
    with Unfinished.opened(path, ABOUT, resume=True) as kept:
        found = kept.finished(0)
        assert found is not None
        assert found.values.tolist() == [
            *part(2, start=0.1).values.tolist(),
            *part(1, start=1 / 3).values.tolist(),
        ]
        assert (kept.count(), kept.count(0), kept.count(1), kept.finished(1)) == (4, 4, 0, None)
        assert (kept.described(0), kept.described(1)) == ({"model": "ä"}, None)
        kept.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_without_parts_leaves_no_file(tmp_path: Path) -> None:
    """Also if it ends with an error."""
    with pytest.raises(InputError), Unfinished.opened(tmp_path / "a", ABOUT, resume=True):
        raise InputError("no")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("about", "resume", "says"),
    [
        ({**ABOUT, "seed": 2}, True, "with another seed (1, now 2)"),
        ({**ABOUT, "grid": {"gogc": [50]}}, True, "with another grid"),
        ({**ABOUT, "version of NumPy": "2"}, True, 'with another version of NumPy (null, now "2")'),
        (ABOUT, False, "has 3 finished settings of an unfinished sweep; add --resume"),
    ],
)
def test_another_sweep_is_refused(about: dict[str, object], resume: bool, says: str, tmp_path: Path) -> None:
    """One sentence, and the parts stay."""
    path = tmp_path / "a"
    with Unfinished.opened(path, ABOUT, resume=False) as kept:
        kept.keep(0, 0, part(3))
    with pytest.raises(InputError) as refused, Unfinished.opened(path, about, resume=resume):
        pass
    assert says in str(refused.value)
    with Unfinished.opened(path, ABOUT, resume=True) as kept:
        assert kept.count() == 3


def test_two_processes_never_share_a_file(tmp_path: Path) -> None:
    """The second one is refused while the first one lives, and not after SIGKILL of it."""
    path = tmp_path / "a"
    program = (
        "import sys, time; from pathlib import Path; from gcsim.tuning.unfinished import Unfinished\n"
        "with Unfinished.opened(Path(sys.argv[1]), {}, resume=False): print('open', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with (
            pytest.raises(InputError, match="another gcsim uses this file"),
            Unfinished.opened(path, {}, resume=True),
        ):
            pass
        other.kill()
    with Unfinished.opened(path, {}, resume=True) as kept:
        assert kept.count() == 0


def test_another_file_is_refused(tmp_path: Path) -> None:
    """One sentence; the file is not touched."""
    for content in (b"not a database, but long enough to look at\n" * 20,):
        (tmp_path / "a").write_bytes(content)
        with (
            pytest.raises(InputError, match="is not an unfinished sweep"),
            Unfinished.opened(tmp_path / "a", ABOUT, resume=True),
        ):
            pass
        assert (tmp_path / "a").read_bytes() == content
    with sqlite3.connect(tmp_path / "b") as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    with (
        pytest.raises(InputError, match="is not an unfinished sweep"),
        Unfinished.opened(tmp_path / "b", ABOUT, resume=False),
    ):
        pass


class Dies(InProcess):
    """Ends the work after some tasks, as SIGKILL would between two parts."""

    def __init__(self, tasks: int) -> None:
        self.left = tasks

    def map(self, function, tasks):  # type: ignore[no-untyped-def]
        for result in super().map(function, tasks):
            if self.left == 0:
                raise MemoryError
            self.left -= 1
            yield result


class Counts(InProcess):
    """Counts the tasks."""

    tasks = 0

    def map(self, function, tasks):  # type: ignore[no-untyped-def]
        for result in super().map(function, tasks):
            self.tasks += 1
            yield result


@pytest.mark.parametrize("dies_after", [0, 2, 5, 7])
def test_a_sweep_continues_in_its_edges_and_in_its_chunks(
    dies_after: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The same bytes as in one go, and no task twice: five tasks are edges."""
    monkeypatch.setattr(sweep_module, "LANES_PER_CHUNK", 4)
    monkeypatch.setattr(sweep_module, "_KNOWN_PER_CHUNK", 16)
    asked = {
        "gogc": (50, 100, 200, 400, 800),
        "gomemlimit_bytes": (None, *(x * MIB for x in (150, 200, 250, 300))),
    }

    def swept(executor: InProcess, *, resume: bool) -> Sweep:
        with Unfinished.opened(tmp_path / "a", ABOUT, resume=resume) as kept:
            return sweep(example_service(), **asked, **QUICK, executor=executor, keeper=ServiceKeeper(kept))

    whole, dying, rest = Counts(), Dies(dies_after), Counts()
    expected = sweep(example_service(), **asked, **QUICK, executor=whole)
    with pytest.raises(MemoryError):
        swept(dying, resume=False)
    assert swept(rest, resume=True).to_csv() == expected.to_csv()
    assert (whole.tasks, rest.tasks) == (9, 9 - dies_after)
