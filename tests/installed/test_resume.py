"""Sweeps that lose nothing: SIGKILL, signals, a full disk and a folder that cannot be written."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from installed_script import TIMEOUT_SECONDS, Installed, without_progress

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
needs_parquet = pytest.mark.skipif(find_spec("pyarrow") is None, reason="needs the extra gcsim[parquet]")

SETTINGS = 14  # each is a part: a setting of the event engine
SWEEP = ["sweep", "order-service", "--engine", "des", "--gogc", f"50:400:{SETTINGS}", "--replicas", "1"]
SWEEP += ["--duration", "4s", "--jobs", "1"]
MOMENTS = 20


def started(installed: Installed, *arguments: str | Path) -> subprocess.Popen[str]:
    """A sweep in a process of its own."""
    return subprocess.Popen(
        [installed.script, *SWEEP, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=installed.folder,
    )


def wait_for_parts(process: subprocess.Popen[str], unfinished: Path, parts: int) -> None:
    """Returns when about so many parts are kept, by the size of the log of the file; also if the sweep has ended."""
    log = Path(f"{unfinished}-wal")
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while process.poll() is None and not (log.exists() and log.stat().st_size > 30_000 + parts * 8_000):
        assert time.monotonic() < deadline
        time.sleep(0.002)


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="session")
def whole(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The output of an uninterrupted sweep, and a folder with its files."""
    folder = tmp_path_factory.mktemp("whole")
    found = installed.run(*SWEEP, "-o", folder / "out")
    assert found.returncode == 0
    return found.stdout, folder / "out"


@pytest.fixture(scope="session")
def whole_parquet(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    """The output of an uninterrupted sweep into a Parquet file, and the file."""
    path = tmp_path_factory.mktemp("whole") / "a.parquet"
    found = installed.run(*SWEEP, "-o", path)
    assert found.returncode == 0
    return found.stdout, path.read_bytes()


def kill_twice(installed: Installed, output: Path, unfinished: Path, generator: random.Random) -> None:
    """SIGKILL at random moments: between parts, inside of one, before the first, in the outputs, or after the end."""
    for _ in range(2):
        process = started(installed, "-o", output, "--resume")
        if generator.random() < 0.9:
            more = generator.randrange(SETTINGS // 2)
            wait_for_parts(process, unfinished, more)
        time.sleep(generator.random() * 0.3)
        process.kill()
        process.communicate(timeout=TIMEOUT_SECONDS)


@pytest.mark.parametrize("moment", range(0, MOMENTS, 2))
def test_a_killed_sweep_resumes_to_the_same_bytes(
    moment: int, installed: Installed, whole: tuple[str, Path], tmp_path: Path, large: bool
) -> None:
    """All files of the folder, after SIGKILL at two random moments."""
    if not large and moment > 0:
        pytest.skip("runs with --large")
    out = tmp_path / "out"
    kill_twice(installed, out, out / "sweep.unfinished", random.Random(moment))
    found = installed.run(*SWEEP, "-o", out, "--resume")
    assert (found.returncode, found.stdout) == (0, whole[0]), found.stderr
    assert contents(out) == contents(whole[1])


@needs_parquet
@pytest.mark.parametrize("moment", range(1, MOMENTS, 2))
def test_a_killed_sweep_resumes_to_the_same_parquet_file(
    moment: int, installed: Installed, whole_parquet: tuple[str, bytes], tmp_path: Path, large: bool
) -> None:
    """The table and the file, after SIGKILL at two random moments."""
    if not large and moment > 1:
        pytest.skip("runs with --large")
    out = tmp_path / "a.parquet"
    kill_twice(installed, out, tmp_path / "a.parquet.unfinished", random.Random(moment))
    found = installed.run(*SWEEP, "-o", out, "--resume")
    assert (found.returncode, found.stdout) == (0, whole_parquet[0]), found.stderr
    assert contents(tmp_path) == {"a.parquet": whole_parquet[1]}


@needs_parquet
@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_writes_the_finished_settings_and_keeps_them(
    name: str, status: int, installed: Installed, whole_parquet: tuple[str, bytes], tmp_path: Path
) -> None:
    """The outputs say how many are missing; another sweep is refused; the same one continues."""
    out = tmp_path / "a.parquet"
    process = started(installed, "-o", out, "--json")
    wait_for_parts(process, tmp_path / "a.parquet.unfinished", 2)
    process.send_signal(getattr(signal, name))
    printed, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    document = json.loads(printed)
    done = len(document["runs"])
    first, wrote = without_progress(errors).splitlines()
    assert process.returncode == status
    assert first.startswith(f"gcsim: interrupted: {done} of {SETTINGS} settings finished; ")
    assert first.endswith("--resume continues")
    assert wrote == f"wrote {out}"
    assert document["unfinished"] == SETTINGS - done > 0

    before = contents(tmp_path)
    assert before["a.parquet"] != whole_parquet[1]
    for arguments, says in (
        ([*SWEEP], f"has {done} finished settings of an unfinished sweep; add --resume"),
        ([*SWEEP, "--resume", "--seed", "2"], "with another seed (1, now 2)"),
        (["sweep", "order-service-open", *SWEEP[2:], "--resume"], "with another model"),
    ):
        if name == "SIGINT":
            refused = installed.run(*arguments, "-o", out)
            assert (refused.returncode, refused.stdout) == (2, "")
            assert says in refused.stderr.splitlines()[-1]
            assert contents(tmp_path) == before
    found = installed.run(*SWEEP, "-o", out, "--resume")
    assert found.stderr.splitlines()[0] == f"gcsim: resume: {done} of {SETTINGS} settings are finished"
    assert (found.returncode, found.stdout) == (0, whole_parquet[0])
    assert contents(tmp_path) == {"a.parquet": whole_parquet[1]}


@needs_parquet
def test_a_full_disk_keeps_what_was_reported_as_finished(
    installed: Installed, whole_parquet: tuple[str, bytes], tmp_path: Path
) -> None:
    """No file may grow beyond 40 KiB: one sentence, status 2, and the parts before that are used."""
    out = tmp_path / "a.parquet"
    found = installed.shell(f'ulimit -f 40; "$GCSIM" {" ".join(SWEEP)} -o "$1"', out)
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1), found
    assert found.stderr.startswith(f"gcsim: {out}.unfinished: cannot be written (")
    assert "--resume" in found.stderr
    rest = installed.run(*SWEEP, "-o", out, "--resume")
    resumed = rest.stderr.splitlines()[0]
    assert resumed.startswith("gcsim: resume: ")
    assert 0 < int(resumed.split()[2]) < SETTINGS
    assert (rest.returncode, rest.stdout) == (0, whole_parquet[0])
    assert contents(tmp_path) == {"a.parquet": whole_parquet[1]}


@needs_parquet
def test_a_disk_that_is_full_at_the_end_keeps_all_parts(
    installed: Installed, whole_parquet: tuple[str, bytes], tmp_path: Path
) -> None:
    """A small file system has room for the parts but not for the Parquet file, which is made later."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=108k", "none", str(place)]
    if (
        os.geteuid() != 0
        or not shutil.which("mount")
        or subprocess.run(mount, capture_output=True).returncode
    ):
        pytest.skip("no file system can be mounted here")
    try:
        found = installed.run(*SWEEP, "-o", place / "a.parquet")
        assert (found.returncode, found.stderr.count("\n")) == (2, 1), found.stderr
        assert found.stderr.startswith(f"gcsim: {place}/a.parquet")
        assert not (place / "a.parquet").exists()
        subprocess.run(["mount", "-o", "remount,size=10m", place], check=True)
        rest = installed.run(*SWEEP, "-o", place / "a.parquet", "--resume")
        assert rest.returncode == 0, rest.stderr
        assert "gcsim: resume: " in rest.stderr
        assert contents(place) == {"a.parquet": whole_parquet[1]}
    finally:
        subprocess.run(["umount", place], check=True)


@needs_parquet
@pytest.mark.parametrize("output", ["/proc/none/out", "/dev/null/a.parquet"])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    output: str, installed: Installed
) -> None:
    """One sentence that names it."""
    found = installed.run(*SWEEP, "-o", output)
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1)
    assert found.stderr.startswith(f"gcsim: {output}: cannot be written")


def test_resume_needs_an_output_and_begins_without_parts(installed: Installed, tmp_path: Path) -> None:
    """A job that is started again may always pass the option."""
    assert "name it with -o" in installed.run(*SWEEP, "--resume").stderr
    one = ["sweep", "order-service", "--gogc", "50,100", "--duration", "10s", "--replicas", "1"]
    found = installed.run(*one, "-o", tmp_path / "out", "--resume", "--json")
    assert found.returncode == 0
    assert len(json.loads(found.stdout)["runs"]) == 2
    assert "sweep.unfinished" not in contents(tmp_path / "out")


@needs_parquet
def test_many_models_are_one_file_and_a_bad_one_is_named(installed: Installed, tmp_path: Path) -> None:
    """The file has the others, the status is 2; after a kill the rest gives the same bytes."""
    models, bad = tmp_path / "models", tmp_path / "models" / "bad.toml"
    models.mkdir()
    bad.write_text("loop = 1\n", encoding="utf-8")
    shipped = Path(__file__).parents[2] / "models"
    for name in ("order-service", "order-service-open"):
        shutil.copy(shipped / f"{name}.toml", models)
    asked = [*SWEEP, "--gogc", "50,200", "--memory", "1GiB"]
    asked[1] = str(models)
    found = installed.run(*asked, "-o", tmp_path / "a.parquet", "--json")
    document = json.loads(found.stdout)
    assert found.returncode == 2
    assert [(Path(one["file"]).name, one["settings"]) for one in document["models"]] == [
        ("bad.toml", 0),
        ("order-service-open.toml", 2),
        ("order-service.toml", 2),
    ]
    assert f"gcsim: {bad}: " in found.stderr
    assert "1 of 3 models were refused" in found.stderr
    process = subprocess.Popen(
        [installed.script, *asked, "-o", tmp_path / "b.parquet"], stderr=subprocess.DEVNULL
    )
    log = tmp_path / "b.parquet.unfinished-wal"
    while process.poll() is None and not (log.exists() and log.stat().st_size > 40_000):
        time.sleep(0.002)
    process.kill()
    process.wait()
    rest = installed.run(*asked, "-o", tmp_path / "b.parquet", "--resume")
    assert rest.returncode == 2
    assert (tmp_path / "b.parquet").read_bytes() == (tmp_path / "a.parquet").read_bytes()
    assert installed.run(*asked).stderr.startswith(
        "gcsim: several models are written into one file: name it with -o"
    )
