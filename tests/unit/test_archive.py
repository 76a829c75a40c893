"""Captures packed in one file per program come out as they went in."""

import gzip
from pathlib import Path

import pytest

from experiments import archive


@pytest.fixture
def captures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two programs' runs, and a file that is of none."""
    monkeypatch.setattr(archive, "_UNPACKED", tmp_path / "unpacked")
    folder = tmp_path / "study" / "captures"
    folder.mkdir(parents=True)
    for name in ("one-go1.27-r1", "one-go1.27-r2", "one-more-go1.27-r1"):
        (folder / f"{name}.log.gz").write_bytes(gzip.compress(f"gc 1 of {name}\n".encode() * 100))
        (folder / f"{name}.log.gz.meta.json").write_text('{"gogc": 100}')
    (folder / "machine.json").write_text("{}")
    return folder


def test_packing_loses_nothing(captures: Path) -> None:
    """Logs, side files and other files are there again; the folder holds one archive per program."""
    before = {path.name: path.read_bytes() for path in captures.iterdir()}
    assert [path.name for path in archive.pack(captures)] == ["one.tar.xz", "one-more.tar.xz"]
    assert sorted(path.name for path in captures.iterdir()) == [
        "machine.json",
        "one-more.tar.xz",
        "one.tar.xz",
    ]
    after = {path.name: path.read_bytes() for path in archive.unpacked(captures).iterdir()}
    assert after.keys() == before.keys()
    for name, content in before.items():
        plain = gzip.decompress if name.endswith(".gz") else bytes
        assert plain(after[name]) == plain(content)


def test_a_capture_that_is_added_is_packed_with_the_others(captures: Path) -> None:
    """New captures are written to the unpacked folder; the next archive holds them, and gets a folder of its own."""
    archive.pack(captures)
    first = archive.unpacked(captures)
    (first / "one-go1.27-r3.result.json").write_text("{}")
    archive.pack(captures)
    second = archive.unpacked(captures)
    assert second != first
    assert (second / "one-go1.27-r3.result.json").exists()


def test_a_loose_capture_is_packed_and_not_lost(captures: Path) -> None:
    """A run that was captured into the folder itself joins the archive; a changed note on the machine is kept."""
    archive.pack(captures)
    (captures / "one-go1.27-r4.result.json").write_text("4")
    (archive.unpacked(captures) / "machine.json").write_text('{"cpus": 2}')
    archive.pack(captures)
    after = archive.unpacked(captures)
    assert (after / "one-go1.27-r4.result.json").read_text() == "4"
    assert (after / "one-go1.27-r1.log.gz").exists()
    assert (captures / "machine.json").read_text() == '{"cpus": 2}'
    assert not list(captures.glob("*.result.json"))


def test_a_folder_without_archives_is_used_as_it_is(tmp_path: Path) -> None:
    """So is one that does not exist."""
    assert archive.unpacked(tmp_path) == tmp_path
    assert archive.unpacked(tmp_path / "none") == tmp_path / "none"
