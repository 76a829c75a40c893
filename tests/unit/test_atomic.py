"""Files replaced whole, alone and as a set, whatever stops the writing."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gcsim.atomic import (
    check_folder,
    check_output,
    make_folder,
    replacing,
    replacing_set,
    write_text_atomically,
)
from gcsim.errors import InputError
from gcsim.interrupts import held_back

OLD = {"heap.png": b"old heap", "sweep.json": b"old sweep"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    out = tmp_path / "out"
    out.mkdir()
    for name, content in OLD.items():
        (out / name).write_bytes(content)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_set_replaces_all_its_files_when_the_block_ends(folder: Path) -> None:
    """Not one of them before."""
    with replacing_set(folder) as files:
        path = files.write_bytes("heap.png", b"new heap")
        files.write_text("sweep.json", "new sweep")
        assert contents(folder) == OLD
    assert path == folder / "heap.png"
    assert contents(folder) == {"heap.png": b"new heap", "sweep.json": b"new sweep"}


def test_a_block_that_fails_changes_no_file_of_the_set(folder: Path) -> None:
    """And leaves no temporary file."""

    def fail() -> None:
        with replacing_set(folder) as files:
            files.write_bytes("heap.png", b"new heap")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert contents(folder) == OLD


def test_a_file_of_the_set_that_cannot_be_written_changes_none(folder: Path) -> None:
    """A folder has the last file's name: the first file stays too, and the sentence names the last."""
    (folder / "taken").mkdir()

    def write() -> None:
        with replacing_set(folder) as files:
            files.write_bytes("heap.png", b"new heap")
            files.write_bytes("taken", b"new")

    with pytest.raises(InputError, match="taken: cannot be written"):
        write()
    assert (folder / "heap.png").read_bytes() == OLD["heap.png"]
    assert {path.name for path in folder.iterdir()} == {*OLD, "taken"}


def test_a_set_is_renamed_in_the_order_it_was_added(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the file added last vouches for the others."""
    order: list[str] = []
    rename = Path.replace

    def noted(path: Path, target: Path) -> Path:
        order.append(target.name)
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", noted)
    with replacing_set(folder) as files:
        for name in ("zebra.png", "apple.png", "sweep.json"):
            files.write_bytes(name, b"")
    assert order == ["zebra.png", "apple.png", "sweep.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX limits")
def test_a_full_disk_leaves_the_old_set(folder: Path) -> None:
    """The second file exceeds the largest file size that the system allows: neither changes, nothing is left."""
    code = f"""
import resource
from pathlib import Path
from gcsim.atomic import replacing_set
from gcsim.errors import InputError
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    with replacing_set(Path({str(folder)!r})) as files:
        files.write_bytes("heap.png", b"n" * 9_000)
        files.write_bytes("sweep.json", b"n" * 11_000)
except InputError as error:
    print(error)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert f"{folder}/sweep.json: cannot be written (File too large)" in found.stdout, found
    assert contents(folder) == OLD


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_sigkill_while_rendering_leaves_the_old_set_and_no_temporary(folder: Path) -> None:
    """Nothing reaches the folder until every file's content is there."""
    code = f"""
import os, signal
from pathlib import Path
from gcsim.atomic import replacing_set
with replacing_set(Path({str(folder)!r})) as files:
    files.write_bytes("heap.png", b"new heap")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120)
    assert found.returncode == -signal.SIGKILL
    assert contents(folder) == OLD


def test_one_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    """A failure in the block leaves the old content and no temporary file."""
    path = tmp_path / "model.toml"
    write_text_atomically(path, "old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert contents(tmp_path) == {"model.toml": b"old"}


def test_a_name_as_long_as_the_file_system_allows_can_be_written(tmp_path: Path) -> None:
    """The temporary name is no longer than the name itself."""
    path = tmp_path / ("n" * 251 + ".txt")
    write_text_atomically(path, "whole")
    assert path.read_text() == "whole"


def test_a_link_is_followed(tmp_path: Path) -> None:
    """The link stays a link; a loop of links is refused."""
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_text_atomically(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "text"
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(InputError, match="loop: cannot be written"):
        write_text_atomically(tmp_path / "loop", "text")


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="needs /dev/stdout")
def test_dev_stdout_in_a_redirect_is_appended_to_not_replaced(tmp_path: Path) -> None:
    """What was printed before stays, in the same file."""
    code = (
        "import sys; from pathlib import Path; from gcsim.atomic import write_text_atomically\n"
        "print('printed', flush=True); write_text_atomically(Path('/dev/stdout'), 'written')"
    )
    path = tmp_path / "redirect"
    with path.open("wb") as redirect:
        subprocess.run([sys.executable, "-c", code], stdout=redirect, timeout=120, check=True)
    assert path.read_text() == "printed\nwritten"


@pytest.mark.parametrize("name", ["missing/file", "file/below", ".", "n" * 300])
def test_check_output_refuses_what_cannot_be_written(name: str, tmp_path: Path) -> None:
    """Before the work, with the path in the sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        check_output(tmp_path / name)


def test_check_output_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither the file nor a temporary one; an old file keeps its content."""
    check_output(tmp_path / "new")
    assert contents(tmp_path) == {}
    (tmp_path / "old").write_text("old")
    check_output(tmp_path / "old")
    check_output(Path("/dev/null"))
    assert contents(tmp_path) == {"old": b"old"}


def test_check_folder_makes_none(tmp_path: Path) -> None:
    """A folder that could be made is fine, one below a file or with a name too long is refused."""
    (tmp_path / "file").write_text("")
    check_folder(tmp_path / "new" / "deep")
    check_folder(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"file"}
    for name in ("file", "file/below", "/dev/null"):
        with pytest.raises(InputError, match="cannot be written into"):
            check_folder(tmp_path / name)


def test_make_folder_refuses_a_file_in_the_way(tmp_path: Path) -> None:
    """Names the path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: cannot be written into"):
        make_folder(tmp_path / "file")


@pytest.mark.skipif(not hasattr(signal, "SIGTERM"), reason="needs signals")
def test_a_signal_waits_for_the_end_of_a_held_back_block() -> None:
    """Then it is delivered to the handler that was there before."""
    reached = False

    def block() -> None:
        nonlocal reached
        with held_back():
            os.kill(os.getpid(), signal.SIGINT)
            reached = True

    with pytest.raises(KeyboardInterrupt):
        block()
    assert reached


def test_a_block_in_another_thread_holds_nothing_back() -> None:
    """Only the main thread can set handlers: the block runs all the same."""
    ran = []

    def work() -> None:
        with held_back():
            ran.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert ran
