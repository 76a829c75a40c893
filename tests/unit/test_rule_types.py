"""Rules and submodels state their types: no signature or field there is ``Any``."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import gcsim

PACKAGE = Path(gcsim.__file__).parent


def names_any(annotation: ast.expr | None) -> bool:
    """Whether an annotation contains the name ``Any``."""
    return annotation is not None and any(
        isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(annotation)
    )


def untyped(source: str) -> Iterator[str]:
    """Functions with ``Any`` in their signature, and classes with ``Any`` in a field."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            a = node.args
            arguments = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
            if any(names_any(one) for one in (node.returns, *(x.annotation for x in arguments))):
                yield node.name
        elif isinstance(node, ast.ClassDef):
            fields = [one for one in node.body if isinstance(one, ast.AnnAssign)]
            if any(names_any(one.annotation) for one in fields):
                yield node.name


@pytest.mark.parametrize("room", ["goruntime", "submodels"])
def test_no_signature_is_any(room: str) -> None:
    """Every function of a rule states which numbers or arrays it takes and returns."""
    found = {
        f"{'.'.join(path.relative_to(PACKAGE).with_suffix('').parts)}.{name}"
        for path in sorted((PACKAGE / room).rglob("*.py"))
        for name in untyped(path.read_text(encoding="utf-8"))
    }
    assert found == set()


@pytest.mark.parametrize(
    "source",
    [
        "def rule(a: Any) -> int: ...",
        "def rule(a: int) -> tuple[int, Any]: ...",
        "def rule(*, a: int | Any) -> int: ...",
        "class Record:\n    field: dict[str, Any]",
    ],
)
def test_any_is_found(source: str) -> None:
    """The check above finds ``Any`` in arguments, results and fields."""
    assert list(untyped(source)) != []
