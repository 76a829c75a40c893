"""``gcsim capture`` of wrappers, for a time, and under signals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from capture_app import GCSIM, PROGRAM, capture
from go_toolchain import GoToolchain

from gcsim.capture.info import CaptureInfo, side_file
from gcsim.capture.watch import Family


@pytest.fixture(scope="module")
def app(go_toolchain: GoToolchain) -> Path:
    """The program of this module."""
    return go_toolchain.build(PROGRAM)


@pytest.mark.parametrize(
    "script", ['GOGC=50 "$0" "$@"; exit $?', 'GOGC=50 exec "$0" "$@"', '(GOGC=50 "$0" "$@"); exit $?']
)
def test_a_wrapper_is_followed_to_the_go_program(app: Path, tmp_path: Path, script: str) -> None:
    """The side file describes the Go program, with the settings that it got from the wrapper."""
    log = tmp_path / "a.log"
    done = capture(log, "sh", "-c", script, app, "-duration", "600ms", "-exit", "3")
    assert done.returncode == 3
    info = CaptureInfo.load(side_file(log))
    assert info.gogc == 50
    assert info.go_version is not None
    assert info.rss_peak_bytes is not None
    assert info.rss_peak_bytes > 4 << 20
    assert info.wall_seconds is not None
    assert 0.5 < info.wall_seconds < 10
    assert info.heap_accounts is not None
    assert "several" not in done.stderr


def test_a_shell_that_became_the_program_at_once_is_followed(app: Path) -> None:
    """``exec`` may be over before the first look at the shell: then the root runs the Go program from the start."""
    process = subprocess.Popen([app, "-duration", "5s"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        family = Family(process.pid, time.monotonic(), go=None, own_group=False)
        deadline = time.monotonic() + 4.0
        while not family.go_programs and time.monotonic() < deadline:
            family.look(time.monotonic())
            time.sleep(0.01)
        assert [watch.pid for watch in family.go_programs] == [process.pid]
    finally:
        process.kill()
        process.wait()


def test_a_script_file_is_followed(app: Path, tmp_path: Path) -> None:
    """A #! script in Python that starts the program, as package managers install them."""
    script = tmp_path / "tool"
    script.write_text(
        f"#!{sys.executable}\nimport subprocess, sys\n"
        f"sys.exit(subprocess.call([{json.dumps(str(app))}, *sys.argv[1:]]))\n"
    )
    script.chmod(0o755)
    done = capture(tmp_path / "a.log", script, "-duration", "600ms", "-exit", "3", env={"GOGC": "60"})
    assert done.returncode == 3
    assert CaptureInfo.load(side_file(tmp_path / "a.log")).gogc == 60


def test_a_wrapper_that_drops_the_environment_is_reported(app: Path, tmp_path: Path) -> None:
    """Without GODEBUG there is no trace, and the note says whose it is."""
    done = capture(tmp_path / "a.log", "sh", "-c", 'env -u GODEBUG "$0" -duration 600ms', app)
    assert f"{app.resolve()} did not get the GODEBUG of gcsim" in done.stderr


@pytest.mark.parametrize("start", ['"$0"', 'sleep 0.2; "$0"'])
def test_a_program_left_behind_by_its_wrapper_is_waited_for(app: Path, tmp_path: Path, start: str) -> None:
    """The capture lasts as long as the Go program, which may start after the wrapper has ended."""
    done = capture(tmp_path / "a.log", "sh", "-c", f"({start} -duration 600ms) & exit 4", app)
    assert done.returncode == 4
    assert done.stderr.startswith("ready\ndone\n")


@pytest.mark.parametrize("option", ["--duration", "--for"])
def test_a_duration_stops_the_program(app: Path, tmp_path: Path, option: str) -> None:
    """A program that ends by SIGTERM has done as asked: status 0; the side file has what it was."""
    log = tmp_path / "a.log"
    done = capture(log, app, "-duration", "50s", options=(option, "500ms"))
    assert done.returncode == 0
    info = CaptureInfo.load(side_file(log))
    assert info.exit_status == 143
    assert info.wall_seconds is not None
    assert info.wall_seconds < 20


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("-duration", "50s", "-handle", "-exit", "3"), 4),
        (("sh", "-c", '"$0" -duration 50s -handle; exit $?'), 1),
        (("sh", "-c", 'while true; do "$0" -duration 50s; done'), 0),
    ],
)
def test_a_stopped_program_ends_in_its_own_way(
    app: Path, tmp_path: Path, command: tuple[str, ...], status: int
) -> None:
    """One SIGTERM for the program; a wrapper that would start it again is stopped too."""
    arguments = (*command, str(app)) if command[0] == "sh" else (str(app), *command)
    done = capture(tmp_path / "a.log", *arguments, options=("--for", "500ms"))
    assert done.returncode == status


@pytest.mark.parametrize("text", ["0s", "soon", "-1s", ""])
def test_a_bad_duration_is_refused_before_the_program_starts(tmp_path: Path, text: str) -> None:
    """One sentence, status 2."""
    done = capture(tmp_path / "a.log", "touch", tmp_path / "ran", options=(f"--duration={text}",))
    assert done.returncode == 2
    assert done.stderr.startswith("gcsim: --duration: ")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("wrapper", [(), ("sh", "-c", '"$0" "$@"; exit $?')])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_to_the_group_reaches_the_program_once(
    app: Path, tmp_path: Path, name: str, wrapper: tuple[str, ...]
) -> None:
    """As timeout and CI send it; the capture is complete afterwards."""
    log = tmp_path / "a.log"
    command = [*GCSIM, "capture", "-o", str(log), "--", *wrapper, str(app), "-duration", "50s", "-handle"]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
        time.sleep(0.3)  # a wrapped program is found 20 ms after its start
        os.killpg(process.pid, getattr(signal, name))
        assert process.wait(30) == 1
    assert CaptureInfo.load(side_file(log)).exit_status == 1
