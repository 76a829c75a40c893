"""``gcsim diagnose`` through the installed script: answers, exit status, streams, bad input and expensive input."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from gc_logs import GcLog
from installed_script import Installed

MIB = 1 << 20
MOST_MEMORY = 500 * 10**6  # bytes
HEADER = b"\x0a\x04\x08\x01\x10\x02" + b"".join(
    b"\x32" + bytes([len(one)]) + one for one in (b"", b"inuse_space", b"bytes")
)


@pytest.fixture(scope="module")
def folder(installed: Installed) -> Path:
    """Logs of a leak and of a healthy service, and goroutine profiles."""
    place = installed.folder / "diagnose"
    place.mkdir()
    (place / "leak.log").write_text(GcLog(live=lambda t: 20.0 + 2.0 * t).text)
    (place / "healthy.log").write_text(GcLog().text)
    for name, count in (("g1", 100), ("g2", 900)):
        (place / name).write_text(
            f"goroutine profile: total {count}\n{count} @ 0x1\n#\t0x1\tmain.send+0x1\t/src/main.go:30\n"
        )
    return place


def test_the_exit_status_says_whether_a_finding_is_serious(installed: Installed, folder: Path) -> None:
    """1 for the leak, 0 for the healthy service."""
    leak = installed.run("diagnose", "leak.log", "--memory", "512Mi", cwd=folder)
    assert leak.returncode == 1
    assert leak.stdout.startswith("Likely cause: heap leak")
    assert "leak.log:" in leak.stdout
    healthy = installed.run("diagnose", "healthy.log", cwd=folder)
    assert healthy.returncode == 0
    assert healthy.stdout.startswith("Healthy: GC is not the problem")


def test_standard_input_is_read(installed: Installed, folder: Path) -> None:
    """A log and a profile through a pipe, packed or not."""
    content = (folder / "leak.log").read_bytes()
    for piped in (content, gzip.compress(content)):
        found = installed.run("diagnose", "-", "--json", cwd=folder, stdin=piped)
        document = json.loads(found.stdout)
        assert document["findings"][0]["name"] == "heap-leak"
        assert document["findings"][0]["evidence"][0]["source"] == "standard input"
    profiles = installed.run("diagnose", "g1", "-", cwd=folder, stdin=(folder / "g2").read_bytes())
    assert "goroutine leak" in profiles.stdout


def test_a_named_pipe_is_read_once(installed: Installed, folder: Path) -> None:
    """As a shell makes it for <(kubectl logs ...)."""
    command = f"{installed.script} diagnose --json <(cat leak.log) <(cat g1) <(cat g2)"
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=300)
    kinds = [one["kind"] for one in json.loads(done.stdout)["files"]]
    assert kinds == ["log", "goroutines", "goroutines"]


def test_json_is_one_document(installed: Installed, folder: Path) -> None:
    """Nothing else is on standard output, and the kinds of the files are named."""
    found = installed.run("diagnose", "leak.log", "g1", "g2", "--json", cwd=folder)
    document = json.loads(found.stdout)
    assert found.returncode == 1
    assert document["serious"] is True
    assert [one["kind"] for one in document["files"]] == ["log", "goroutines", "goroutines"]
    assert {one["name"] for one in document["findings"]} >= {"heap-leak", "goroutine-leak"}


def test_figures_are_written_together(installed: Installed, folder: Path) -> None:
    """The findings, the forecast of a leak, pauses and assists, and predicted next to observed."""
    leak = installed.run("diagnose", "leak.log", "--memory", "512Mi", "-o", "leaking", cwd=folder)
    assert leak.returncode == 1
    names = {"diagnosis", "forecast", "pauses-and-assists", "predicted-and-observed"}
    kinds = ("png", "svg")
    assert {path.name for path in (folder / "leaking").iterdir()} == {
        f"{n}.{k}" for n in names for k in kinds
    }
    healthy = installed.run("diagnose", "healthy.log", "-o", "healthy", cwd=folder)
    assert healthy.returncode == 0
    assert not (folder / "healthy" / "forecast.png").exists()
    assert (folder / "healthy" / "diagnosis.png").stat().st_size > 10_000


def test_output_fits_80_columns(installed: Installed, folder: Path) -> None:
    """Commands to copy are left whole."""
    found = installed.run("diagnose", "leak.log", "--memory", "512Mi", cwd=folder)
    assert all(len(line) <= 80 for line in found.stdout.splitlines() if not line.startswith("    $ "))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["diagnose"], "LOG"),
        (["diagnose", "missing.log"], "missing.log"),
        (["diagnose", "."], "folder"),
        (["diagnose", "leak.log", "--cpus", "many"], "--cpus"),
        (["diagnose", "leak.log", "--cpus", "0"], "--cpus"),
        (["diagnose", "leak.log", "--memory", "512"], "--memory"),
        (["diagnose", "-", "-"], "standard input"),
        (["diagnose", "leak.log", "empty"], "empty"),
        (["diagnose", "leak.log", "cut.pb.gz"], "cut.pb.gz"),
        (["diagnose", "leak.log", "text"], "text"),
        (["diagnose", "leak.log", "binary"], "binary"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str], named: str, installed: Installed, folder: Path
) -> None:
    """Status 2, nothing on standard output, and the file or option by name."""
    (folder / "empty").write_bytes(b"")
    (folder / "cut.pb.gz").write_bytes(gzip.compress(HEADER + b"\x12\x7f"))
    (folder / "text").write_text("nothing that gcsim knows\n" * 50)
    (folder / "binary").write_bytes(bytes(range(256)) * 5000)
    found = installed.run(*arguments, cwd=folder)
    assert found.returncode == 2
    assert found.stdout == ""
    assert named in found.stderr
    assert len(found.stderr.splitlines()) == 1


EXPENSIVE = {  # name: (content, repeated so many times behind the header, packed)
    "empty-samples": (b"\x12\x00" * 1000, 20_000, True),
    "empty-strings": (b"\x32\x00" * 1000, 20_000, True),
    "one-string": (b"\x32\x80\x80\x80\x60" + b"a" * 1000, 200_000, True),
    "ids": (b"\x12\xfc\x3f\x0a\xf9\x3f" + b"\x01" * 8185, 1200, True),
    "groups": (b"\x7b" * 1000, 20_000, True),
    "nested": (b"\x12\xe8\x07" + b"\x7b" * 1000, 10_000, True),
    "200-MB": (b"\x32\xe4\x07" + b"a" * 996, 200_000, False),
    "bomb": (b"\0" * MIB, 800, True),
    "dump": (
        b"goroutine 7 [select, 3 minutes]:\nmain.wait(0x7)\n\t/src/main.go:30 +0x19\n\n",
        2_500_000,
        False,
    ),
}


@pytest.mark.parametrize("name", list(EXPENSIVE))
def test_expensive_profiles_and_dumps_take_little_memory(
    name: str, installed: Installed, tmp_path: Path
) -> None:
    """Each is read or refused in one sentence, in at most 500 MB."""
    piece, times, packed = EXPENSIVE[name]
    path = tmp_path / name
    with gzip.open(path, "wb", 1) if packed else path.open("wb") as file:
        file.write(HEADER * (name != "dump"))
        for _ in range(100):
            file.write(piece * (times // 100))
    program = (
        "import os, subprocess, sys\n"
        "done = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
        "_, status, usage = os.wait4(done.pid, 0)\n"
        "print(os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024)"
    )
    command = [sys.executable, "-c", program, str(installed.script), "diagnose", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, env=os.environ)
    status, peak = (int(word) for word in done.stdout.split())
    assert status in (0, 2)
    assert peak <= MOST_MEMORY
    if status == 2:
        assert name in done.stderr
        assert len(done.stderr.splitlines()) == 1
