"""``gcsim capture`` from the outside: real Go programs, real logs, real signals."""

import os
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from capture_app import GCSIM, PROGRAM, capture
from go_toolchain import GoToolchain

from gcsim.capture.info import side_file
from gcsim.gctrace import read_gctrace


@pytest.fixture(scope="module")
def app(go_toolchain: GoToolchain) -> Path:
    """The program of this module."""
    return go_toolchain.build(PROGRAM)


def test_the_trace_is_in_the_log_and_not_on_the_terminal(app: Path, tmp_path: Path) -> None:
    """The program's own lines are in both, and gcsim's notes can be silenced."""
    done = capture(tmp_path / "a.log", app, "-exit", "3")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("ready\ndone\ngcsim: wrote ")
    text = (tmp_path / "a.log").read_text()
    assert "ready\n" in text
    assert "gc 1 @" in text
    assert "pacer: " in text
    done = capture(tmp_path / "a.log", app, options=("--quiet",))
    assert (done.returncode, done.stderr) == (0, "ready\ndone\n")


def test_the_side_file_belongs_to_its_log(app: Path, tmp_path: Path) -> None:
    """A log that another run overwrote is not read with the first run's settings."""
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    capture(first, app, env={"GOGC": "50"})
    capture(second, app, env={"GOGC": "75"})
    info = read_gctrace(first).info
    assert info is not None
    assert info.gogc == 50
    first.write_bytes(second.read_bytes())
    trace = read_gctrace(first)
    assert trace.info is None
    assert "written for another log" in str(trace.parse_warnings[0])


def test_a_killed_capture_leaves_no_side_file_of_an_earlier_one(app: Path, tmp_path: Path) -> None:
    """The log is new by then, and its settings are not known."""
    log = tmp_path / "a.log"
    capture(log, app)
    assert side_file(log).exists()
    command = [*GCSIM, "capture", "-o", str(log), "--", str(app), "-duration", "20s"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
        process.kill()
    assert not side_file(log).exists()
    children = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdecimal() and _runs(p, app)]
    for pid in children:  # SIGKILL of gcsim does not reach the program
        os.kill(pid, signal.SIGKILL)
    assert children


def _runs(process: Path, program: Path) -> bool:
    try:
        return (process / "exe").readlink() == program.resolve()
    except OSError:
        return False


@pytest.mark.parametrize("log", ["/dev/full", "/dev/zero", "/dev/null"])
def test_devices_end_well(app: Path, log: str) -> None:
    """A log that is no file is never read back, has no side file, and does not cost the exit status."""
    done = capture(log, app, "-exit", "3")
    assert done.returncode == 3
    assert not Path(f"{log}.meta.json").exists()
    assert "Traceback" not in done.stderr
    assert ("is incomplete (No space left on device)" in done.stderr) is (log == "/dev/full")


def test_a_fifo_gets_the_trace(app: Path, tmp_path: Path) -> None:
    """A capture into a pipe ends when the program does; a reader that leaves is reported."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["cat", str(fifo)], stdout=subprocess.PIPE, text=True) as reader:
        done = capture(fifo, app, "-exit", "3")
        read, _ = reader.communicate(timeout=20)
    assert done.returncode == 3
    assert "gc 1 @" in read
    assert not side_file(fifo).exists()
    with subprocess.Popen(["head", "-c", "1", str(fifo)], stdout=subprocess.DEVNULL):
        done = capture(fifo, app, "-exit", "3")
    assert done.returncode == 3
    assert "is incomplete (Broken pipe)" in done.stderr


def test_standard_output_as_the_log(app: Path, tmp_path: Path) -> None:
    """In a pipe, and in a file that already holds something."""
    done = capture("/dev/stdout", app, "-exit", "3")
    assert done.returncode == 3
    assert "gc 1 @" in done.stdout
    out = tmp_path / "out"
    with out.open("ab") as file:
        file.write(b"before\n")
        file.flush()
        subprocess.run(
            [*GCSIM, "capture", "-o", "/dev/stdout", "--", str(app)],
            stdout=file, stderr=subprocess.DEVNULL, timeout=60, check=True,
        )  # fmt: skip
    assert out.read_bytes().startswith(b"before\nready\n")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_log_that_fails_costs_neither_program_nor_exit_status(app: Path, tmp_path: Path) -> None:
    """The file may hold 1,000 bytes: they are all there, and the sentence says why there is no more."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    log = tmp_path / "a.log"
    done = capture(log, app, "-exit", "3", limit=limit)
    assert done.returncode == 3
    assert "done\n" in done.stderr
    assert f"{log}: is incomplete (File too large)" in done.stderr
    assert "Traceback" not in done.stderr
    assert log.stat().st_size == 1000
    assert not side_file(log).exists()


def test_a_log_that_is_moved_away_keeps_its_side_file(app: Path, tmp_path: Path) -> None:
    """As logrotate does; the side file is believed of the moved log and not of a new one in its place."""
    log, moved = tmp_path / "a.log", tmp_path / "a.log.1"

    def rotate() -> None:
        deadline = time.monotonic() + 20
        while not (log.exists() and b"gc 1 @" in log.read_bytes()) and time.monotonic() < deadline:
            time.sleep(0.01)
        log.rename(moved)

    rotating = threading.Thread(target=rotate)
    rotating.start()
    done = capture(log, app, "-duration", "1s", "-exit", "3", env={"GOGC": "50"})
    rotating.join()
    assert done.returncode == 3
    assert "a.log: was moved or removed" in done.stderr
    side_file(log).rename(side_file(moved))
    info = read_gctrace(moved).info
    assert info is not None
    assert info.gogc == 50


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"GODEBUG": "gctrace=0"}, "gctrace=0 turns it off"),
        ({"GOGC": "off"}, "GOGC=off without GOMEMLIMIT never collects"),
        ({"GOGC": "off", "GOMEMLIMIT": "1GiB"}, "only near GOMEMLIMIT=1GiB"),
        ({"GOGC": "100000"}, "before its heap reached its first goal"),
    ],
)
def test_why_no_gc_line_came(app: Path, tmp_path: Path, env: dict[str, str], words: str) -> None:
    """The trace is off, collection is off, or the program was too short."""
    done = capture(tmp_path / "a.log", app, "-exit", "3", env=env)
    assert done.returncode == 3
    assert "no gc line came" in done.stderr
    assert words in done.stderr
