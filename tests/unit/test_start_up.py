"""A command imports the libraries that it uses, and no others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gcsim.cli.main import run

HEAVY = ("google", "llvmlite", "matplotlib", "multiprocessing", "numpy", "rich", "scipy", "simpy")
ONE_SHORT_RUN = ("order-service", "--duration", "5s", "--replicas", "1")
GRID = ("--gogc", "50,100")
_PROGRAM = (
    "import sys\n"
    "from gcsim.cli.main import run\n"
    "status = run(sys.argv[2:])\n"
    "print(status, *sorted(set(sys.argv[1].split(',')) & set(sys.modules)), file=sys.stderr)"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a simulated minute in gctrace format."""
    made = tmp_path_factory.mktemp("start-up")
    assert run(["simulate", *ONE_SHORT_RUN, "--duration", "60s", "--trace-out", str(made / "a.log")]) == 0
    return made


def loaded_by(*arguments: str) -> tuple[int, list[str]]:
    """The exit status of a command and the heavy libraries that its process has loaded."""
    command = [sys.executable, "-c", _PROGRAM, ",".join(HEAVY), *arguments]
    found = subprocess.run(command, capture_output=True, text=True, timeout=900, check=True)
    status, *libraries = found.stderr.splitlines()[-1].split()
    return int(status), libraries


@pytest.mark.parametrize(
    ("arguments", "libraries"),
    [
        (("--help",), []),
        (("--version",), []),
        (("sweep", "--help"), []),
        (("capture", "-o", "{folder}/true.log", "--", "true"), []),
        (("versions",), ["rich"]),
        (("inspect", "{folder}/a.log", "--json"), ["numpy"]),
        (("inspect", "{folder}/a.log"), ["numpy", "rich"]),
        (("inspect", "{folder}/a.log", "-o", "{folder}/figures", "--json"), ["matplotlib", "numpy"]),
        (("diagnose", "{folder}/a.log"), ["numpy"]),
        (("simulate", *ONE_SHORT_RUN, "--json"), ["numpy"]),
        (("simulate", *ONE_SHORT_RUN), ["numpy", "rich"]),
        (("sweep", *ONE_SHORT_RUN, *GRID, "--json"), ["numpy"]),
        (("recommend", *ONE_SHORT_RUN, "--memory", "512Mi", "--json"), ["numpy"]),
    ],
)
def test_a_command_loads_only_the_libraries_that_it_uses(
    arguments: tuple[str, ...], libraries: list[str], folder: Path
) -> None:
    """The heavy libraries in the process at its end are exactly those of the command."""
    status, loaded = loaded_by(*(one.format(folder=folder) for one in arguments))
    if arguments[-1] == "--help":  # typer draws the help; its oldest allowed version does so with rich
        loaded = [one for one in loaded if one != "rich"]
    assert (status, loaded) == (0, libraries)


def test_the_help_of_a_command_loads_no_engine() -> None:
    """It needs no module of the engines, of calibration or of figures."""
    program = (
        "import sys; from gcsim.cli.main import run; run(['sweep', '--help'])\n"
        "rooms = ('gcsim.engine.lanes', 'gcsim.engine.des', 'gcsim.calibration', 'gcsim.report')\n"
        "print(*[name for name in sys.modules if name.startswith(rooms)], file=sys.stderr)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=900, check=True
    )
    assert found.stderr.split() == []


def test_a_captured_program_has_the_environment_of_the_user(tmp_path: Path) -> None:
    """The variables that keep gcsim's own start quick are not passed on."""
    command = [sys.executable, "-m", "gcsim", "capture", "-o", str(tmp_path / "a.log"), "--", "env"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS")}
    found = subprocess.run(command, capture_output=True, text=True, timeout=900, check=True, env=clean)
    assert "GODEBUG=" in found.stdout
    assert "OPENBLAS" not in found.stdout


def test_the_figures_of_a_command_are_those_of_python(folder: Path) -> None:
    """Its process loads matplotlib without docstrings, which changes no byte."""
    drawn = ["plot", "order-service", "--gogc", "50,200", "-o"]
    command = [sys.executable, "-m", "gcsim", *drawn, str(folder / "command")]
    subprocess.run(command, capture_output=True, timeout=900, check=True)
    assert run([*drawn, str(folder / "python")]) == 0
    for name in ("heap.svg", "pauses.png"):
        assert (folder / "command" / name).read_bytes() == (folder / "python" / name).read_bytes()
