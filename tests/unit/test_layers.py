"""Imports point down only, and a rule of the runtime needs NumPy at most."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import gcsim

PACKAGE = Path(gcsim.__file__).parent
BASE = ("units", "arrays", "distributions", "settings", "cycles", "metrics", "errors", "streams", "atomic", "documents",
        "interrupts",
        "printable")  # fmt: skip
# Rooms from the top down; those of one entry do not import each other. See docs/contributing/architecture.md.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("__main__",),
    ("cli",),
    ("report",),
    ("api", "diagnosis"),
    ("tuning", "calibration"),
    ("engine",),
    ("submodels",),
    ("priors", "service", "gctrace", "scrapes"),
    ("capture", "goruntime"),
    BASE,
)
RANK = {room: rank for rank, layer in enumerate(LAYERS) for room in layer}


def imports(source: str) -> Iterator[str]:
    """Modules of gcsim that a source text imports anywhere, in functions and for types too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "gcsim":
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] == "gcsim")


def wrong_imports(module: str, source: str) -> list[str]:
    """Imports of ``module`` that point up, or across to a room of its own layer."""
    room = module.split(".")[1]
    found = []
    for imported in imports(source):
        target = imported.split(".")[1] if "." in imported else ""
        if target not in RANK:
            found.append(f"{module} imports {imported}, which no layer holds")
        elif target != room and RANK[target] <= RANK[room] and not (room in BASE and target in BASE):
            found.append(f"{module} imports {imported}")
    return found


def modules() -> Iterator[tuple[str, str]]:
    """Name and source of every module below the package's root file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if len(parts) > 2 or parts[-1] not in ("__init__",):
            yield ".".join(parts), path.read_text(encoding="utf-8")


def test_imports_point_down() -> None:
    """No module imports a room above its own or a neighbour."""
    assert [line for name, source in modules() for line in wrong_imports(name, source)] == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("gcsim.goruntime.pacer", "from gcsim.engine.run import Run"),
        ("gcsim.engine.simulate", "def f():\n    import gcsim.report.figures"),
        ("gcsim.calibration.evidence", "from gcsim.tuning import sweep"),
        ("gcsim.units", "from gcsim.service.model import Model"),
        ("gcsim.service.model", "from gcsim.elsewhere import x"),
    ],
)
def test_an_upward_import_is_found(module: str, line: str) -> None:
    """The check above fails when one is added."""
    assert len(wrong_imports(module, line)) == 1


def test_engines_are_siblings() -> None:
    """Neither engine imports the other."""
    across = {
        (name, imported)
        for name, source in modules()
        for imported in imports(source)
        if (name.startswith("gcsim.engine.des") and imported.startswith("gcsim.engine.lanes"))
        or (name.startswith("gcsim.engine.lanes") and imported.startswith("gcsim.engine.des"))
    }
    assert across == set()


def test_rules_are_light() -> None:
    """No module of the room that an engine runs loads SimPy or matplotlib."""
    names = [name for name, _ in modules() if name.startswith("gcsim.goruntime.") and ".study." not in name]
    program = f"import sys, {', '.join(names)}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {one.split(".")[0] for one in run.stdout.split()} & {"simpy", "matplotlib", "typer"}
