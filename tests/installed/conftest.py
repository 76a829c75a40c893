"""The script that ``pip install`` puts into an environment, installed once per test session outside the checkout."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from installed_script import CHECKOUT, Installed


def _checked(command: Sequence[str | Path]) -> None:
    """Runs a step of the installation; a failure is the whole session's, with what the step printed."""
    found = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=CHECKOUT)
    if found.returncode != 0:
        pytest.fail(f"{' '.join(map(str, command))} failed:\n{found.stdout}\n{found.stderr}", pytrace=False)


def _build_wheel(folder: Path) -> Path:
    """The wheel of this checkout: by the build backend here, or through pip, which downloads one."""
    if find_spec("hatchling") is not None:
        _checked([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder])
    else:
        _checked([sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", folder, CHECKOUT])
    (wheel,) = folder.glob("gcsim-*.whl")
    return wheel


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A fresh environment with the wheel; its dependencies are those of the interpreter that runs the tests."""
    root = tmp_path_factory.mktemp("installed")
    wheel = _build_wheel(root / "wheel")
    environment = root / "env"
    _checked([sys.executable, "-m", "venv", "--without-pip", environment])
    binaries = environment / ("Scripts" if os.name == "nt" else "bin")
    python = binaries / ("python.exe" if os.name == "nt" else "python")
    _checked(
        [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "-q", wheel]
    )
    here = sysconfig.get_path("purelib", vars={"base": str(environment), "platbase": str(environment)})
    borrowed = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    Path(here, "borrowed.pth").write_text("\n".join(borrowed) + "\n", encoding="utf-8")
    script = binaries / ("gcsim.exe" if os.name == "nt" else "gcsim")
    assert script.exists(), "the wheel declares no gcsim script"
    folder = root / "work"
    folder.mkdir()
    return Installed(script=script, folder=folder)
