"""Ctrl-C, SIGTERM and SIGKILL at chosen moments: one line, the documented status, files whole.

A module that Python loads at its start sends the signal when a given event happens in the process, so that the
moment does not depend on the machine's speed.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from installed_script import TIMEOUT_SECONDS, Installed, without_progress

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")

_HOOK = """
import os, signal, sys
event, argument, action = os.environ["AT_EVENT"], os.environ["AT_ARGUMENT"], os.environ["THEN"]
done = False

def watch(name, arguments):
    global done
    if done or name != event or (argument and argument not in str(arguments[0])):
        return
    done = True
    if action == "mark":
        os.close(os.open(os.environ["MARK"], os.O_CREAT | os.O_WRONLY))
    elif action == "MemoryError":
        raise MemoryError
    else:
        os.kill(os.getpid(), getattr(signal, action))

sys.addaudithook(watch)
"""
QUICK = ["--duration", "20s", "--replicas", "2"]
SWEEP = ["sweep", "order-service", "--gogc", "50,100", *QUICK]
LONG = ["simulate", "order-service", "--engine", "des", "--duration", "5000h", "--replicas", "2000"]
SET_OF_A_SWEEP = 12  # two tables, five figures in two formats
ENDINGS = [("SIGINT", 130, "gcsim: interrupted\n"), ("SIGTERM", 143, "gcsim: terminated\n")]


@pytest.fixture(scope="session")
def two_sweeps(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders with the set of files of two seeds, to copy from."""
    folder = tmp_path_factory.mktemp("sweeps")
    for name, seed in (("first", "1"), ("second", "2")):
        assert installed.run(*SWEEP, "--seed", seed, "-o", folder / name).returncode == 0
    return folder / "first", folder / "second"


@pytest.fixture
def hooked(tmp_path: Path) -> dict[str, str]:
    """Environment variables that load the hook; a test adds the event, its argument and the action."""
    folder = tmp_path / "hook"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_HOOK, encoding="utf-8")
    return {"PYTHONPATH": str(folder), "MARK": str(tmp_path / "mark")}


@pytest.mark.parametrize(("name", "status", "line"), ENDINGS)
@pytest.mark.parametrize(
    "module",
    ["gcsim.cli.main", "numpy._core", "PIL"],
)  # fmt: skip
def test_a_signal_during_an_import(
    module: str,
    name: str,
    status: int,
    line: str,
    hooked: dict[str, str],
    installed: Installed,
    tmp_path: Path,
) -> None:
    """No traceback of a library that is half loaded."""
    event = {"AT_EVENT": "import", "AT_ARGUMENT": module, "THEN": name}
    found = installed.run(*SWEEP, "-o", tmp_path / "out", env=hooked | event)
    assert (found.returncode, found.stderr) == (status, line)
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(("name", "status", "line"), ENDINGS)
@pytest.mark.parametrize("delay", [0.0, 1.2])
def test_a_signal_after_the_start(
    delay: float, name: str, status: int, line: str, hooked: dict[str, str], installed: Installed
) -> None:
    """Some time after the command line begins to load: in imports, or in work."""
    process = _started(installed, LONG, hooked, module="gcsim.cli.main")
    time.sleep(delay)
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, out, err) == (status, "", line)


def test_an_interrupted_sweep_writes_what_is_finished(
    hooked: dict[str, str], installed: Installed, tmp_path: Path
) -> None:
    """A whole set, with the number of settings that are missing in sweep.json and on standard error."""
    grid = ["--gogc", "25:800:60", "--gomemlimit", "128MiB:2GiB:40", "--replicas", "500"]  # minutes in all
    for delay in (3.0, 6.0, 12.0, 24.0, 48.0):  # until a part is finished, however slow the machine
        Path(hooked["MARK"]).unlink(missing_ok=True)
        out = tmp_path / f"after-{delay:g}s"
        arguments = ["sweep", "order-service", *grid, "-o", str(out)]
        process = _started(installed, arguments, hooked, module="gcsim.engine")
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=TIMEOUT_SECONDS)
        err = without_progress(err)
        assert process.returncode == 130
        if "finished" in err:
            break
        assert err == "gcsim: interrupted\n"
    first, wrote = err.splitlines()
    finished, total = int(first.split()[2]), int(first.split()[4])
    assert first.startswith(f"gcsim: interrupted: {finished} of {total} settings finished")
    assert 0 < finished < total
    assert wrote.startswith("wrote to ")
    document = json.loads((out / "sweep.json").read_text(encoding="utf-8"))
    assert (len(document["runs"]), document["unfinished"]) == (finished, total - finished)


def test_two_interrupts_in_a_row(hooked: dict[str, str], installed: Installed, tmp_path: Path) -> None:
    """The second one may come while the first is handled: still status 130, no traceback, no part of a set."""
    out = tmp_path / "out"
    arguments = ["sweep", "order-service", "--gogc", "25:800:500", "--replicas", "64", "-o", str(out)]
    process = _started(installed, arguments, hooked, module="gcsim.engine")
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("gcsim: interrupted")
    assert len(list(out.iterdir())) in (0, SET_OF_A_SWEEP) if out.exists() else True


@pytest.mark.parametrize(("name", "status", "line"), ENDINGS)
def test_a_signal_while_a_set_of_files_is_renamed_waits(
    name: str,
    status: int,
    line: str,
    hooked: dict[str, str],
    installed: Installed,
    two_sweeps: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    """All the files are new, then the command ends as the signal asks."""
    out = shutil.copytree(two_sweeps[0], tmp_path / "out")
    before = _contents(out)
    event = {"AT_EVENT": "os.rename", "AT_ARGUMENT": str(out), "THEN": name}
    found = installed.run(*SWEEP, "--seed", "2", "-o", out, env=hooked | event)
    assert (found.returncode, found.stderr) == (status, line)
    after = _contents(out)
    assert len(after) == SET_OF_A_SWEEP
    assert after.keys() == before.keys()
    assert all(after[file] != before[file] for file in after)


@pytest.mark.parametrize(
    ("event", "argument"),
    [("import", "numpy"), ("import", "matplotlib"), ("os.rename", ""), ("os.rename", "json")],
)
def test_sigkill_leaves_no_file_cut_short(
    event: str,
    argument: str,
    hooked: dict[str, str],
    installed: Installed,
    two_sweeps: tuple[Path, Path],
    tmp_path: Path,
    large: bool,
) -> None:
    """Before the work, before the figures, before the first renaming and before the last one."""
    if not large and (event, argument) not in (("import", "matplotlib"), ("os.rename", "json")):
        pytest.skip("runs with --large")
    out = shutil.copytree(two_sweeps[0], tmp_path / "out")
    before, new = _contents(out), _contents(two_sweeps[1])
    killed = {"AT_EVENT": event, "AT_ARGUMENT": argument, "THEN": "SIGKILL"}
    found = installed.run(*SWEEP, "--seed", "2", "-o", out, env=hooked | killed)
    assert found.returncode == -signal.SIGKILL
    after = {name: content for name, content in _contents(out).items() if not name.startswith(".gcsim-")}
    assert after["sweep.json"] == before["sweep.json"], (
        "the file that vouches for the others came before them"
    )
    assert after.keys() == before.keys()
    if argument == "json":
        assert all(after[name] == new[name] for name in after if name != "sweep.json")
    else:
        assert after == before
    assert event == "os.rename" or len(list(out.iterdir())) == len(before), "a temporary file is left"


def test_a_full_disk_leaves_the_old_set_and_prints_the_answer(
    installed: Installed, two_sweeps: tuple[Path, Path], tmp_path: Path
) -> None:
    """No file may grow beyond 20 KiB: the figures do. Status 2, one sentence, the table on standard output."""
    out = shutil.copytree(two_sweeps[0], tmp_path / "out")
    before = _contents(out)
    assert max(map(len, before.values())) > 20 << 10
    found = installed.shell(f'ulimit -f 20; "$GCSIM" {" ".join(SWEEP)} --seed 2 -o "$1"', out)
    assert found.returncode == 2
    assert found.stderr.startswith(f"gcsim: {out}/")
    assert found.stderr.count("\n") == 1
    assert "GC CPU" in found.stdout
    assert _contents(out) == before


def test_a_process_started_to_ignore_interrupts_does(hooked: dict[str, str], installed: Installed) -> None:
    """As ``nohup`` and shells' background jobs ask for."""
    event = {"AT_EVENT": "import", "AT_ARGUMENT": "numpy", "THEN": "SIGINT"}
    command = 'trap "" INT; exec "$GCSIM" simulate order-service --duration 20s --replicas 2'
    found = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        env={**os.environ, **hooked, **event, "GCSIM": str(installed.script)},
    )
    assert (found.returncode, found.stderr) == (0, "")


def test_little_memory_is_a_sentence(hooked: dict[str, str], installed: Installed) -> None:
    """Wherever in the command it runs out."""
    event = {"AT_EVENT": "open", "AT_ARGUMENT": "order-service.toml", "THEN": "MemoryError"}
    found = installed.run(*LONG, env=hooked | event)
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1), found
    assert found.stderr.startswith("gcsim: not enough memory")


def _started(
    installed: Installed, arguments: list[str], hooked: dict[str, str], *, module: str
) -> subprocess.Popen[str]:
    """The process, once it has begun to import a module."""
    mark = Path(hooked["MARK"])
    event = {"AT_EVENT": "import", "AT_ARGUMENT": module, "THEN": "mark"}
    process = subprocess.Popen(
        [installed.script, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=installed.folder,
        env={**os.environ, **hooked, **event},
    )
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not mark.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
