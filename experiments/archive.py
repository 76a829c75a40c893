"""Captured runs, packed in one file per program.

A folder of captures holds ``PROGRAM.tar.xz``, with the program's logs, side files and results. ``unpacked`` gives a
folder with the files themselves, logs compressed with gzip as they were captured; it unpacks them once.

python -m experiments.archive pack FOLDER     pack what stands unpacked, captured since or not, into FOLDER
"""

import argparse
import gzip
import hashlib
import io
import lzma
import shutil
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from gcsim.atomic import replacing

_UNPACKED = Path(__file__).parent / ".unpacked"
_LOG, _ENDING, _VERSION = ".log.gz", ".tar.xz", "-go1"


def unpacked(folder: Path) -> Path:
    """A folder with all files of the archives in ``folder``; ``folder`` itself where it has no archive.

    Processes may ask at once. Other archives get another folder.
    """
    archives = sorted(folder.glob(f"*{_ENDING}"))
    if not archives:
        return folder
    target = _UNPACKED / f"{folder.parent.name}-{folder.name}-{_digest(archives)}"
    if not target.exists():
        _UNPACKED.mkdir(exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=_UNPACKED))
        for archive in archives:
            _unpack(archive, partial)
        for other in folder.glob("*.json"):
            shutil.copy(other, partial)
        try:
            partial.rename(target)
        except OSError:  # another process was first
            shutil.rmtree(partial)
    return target


def pack(folder: Path) -> list[Path]:
    """Packs the files of ``folder``, unpacked and loose, one archive per program; returns the archives.

    A loose file replaces the packed one of its name. Files that are of no run, such as the note on the machine, stay
    in ``folder`` as they are.
    """
    source = unpacked(folder)
    loose = [path for path in folder.iterdir() if _is_of_a_run(path)]
    programs: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(
        {path.name: path for path in [*source.iterdir(), *loose]}.values(), key=lambda path: path.name
    ):
        if _is_of_a_run(path):
            programs[path.name.split(_VERSION)[0]].append(path)
        elif source != folder:
            shutil.copy(path, folder)
    written = [_pack(program, files, folder) for program, files in programs.items()]
    for path in loose:
        path.unlink()
    return written


def _is_of_a_run(path: Path) -> bool:
    return _VERSION in path.name


def _pack(program: str, files: Iterable[Path], folder: Path) -> Path:
    target = folder / f"{program}{_ENDING}"
    with (
        replacing(target) as partial,
        lzma.open(partial, "wb", preset=9 | lzma.PRESET_EXTREME) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in files:
            content = path.read_bytes()
            if path.name.endswith(_LOG):
                content = gzip.decompress(content)
            entry = tarfile.TarInfo(path.name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return target


def _unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as entries:
        for entry in entries:
            source = entries.extractfile(entry)
            assert source is not None
            content = source.read()
            if entry.name.endswith(_LOG):
                content = gzip.compress(content, compresslevel=1, mtime=0)
            (folder / Path(entry.name).name).write_bytes(content)


def _digest(archives: Iterable[Path]) -> str:
    found = hashlib.sha256()
    for archive in archives:
        found.update(archive.name.encode() + archive.read_bytes())
    return found.hexdigest()[:16]


def main() -> None:
    """The command of this module."""
    parser = argparse.ArgumentParser(prog="python -m experiments.archive")
    parser.add_argument("command", choices=["pack"])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    for path in pack(options.folder):
        print(f"{path} {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
