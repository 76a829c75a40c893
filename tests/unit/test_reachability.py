"""The tested rule is the running rule: what no engine runs is not among the rules of the runtime."""

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

import gcsim

PACKAGE = Path(gcsim.__file__).parent
RULES, STUDY = "gcsim.goruntime.", "gcsim.goruntime.study."
USERS = ("gcsim.engine", "gcsim.calibration", "gcsim.submodels", "gcsim.service", "gcsim.tuning", "gcsim.gctrace",
         "gcsim.cli", "gcsim.report")  # fmt: skip

Name = tuple[str, str]  # module, and a name at its top level


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package by its name."""
    return {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): ast.parse(path.read_text("utf-8"))
        for path in PACKAGE.rglob("*.py")
    }


def definitions(tree: ast.Module) -> dict[str, ast.stmt]:
    """Functions, classes and constants at the top level."""
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign):
            found.update({target.id: node for target in node.targets if isinstance(target, ast.Name)})
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node
    return found


def imported(tree: ast.Module, known: dict[str, ast.Module]) -> dict[str, Name | str]:
    """By local name: a module of gcsim, or a name in one."""
    found: dict[str, Name | str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("gcsim"):
            for name in node.names:
                whole = f"{node.module}.{name.name}"
                found[name.asname or name.name] = whole if whole in known else (node.module, name.name)
    return found


@cache
def uses() -> dict[Name, set[Name]]:
    """For each definition the definitions that it names."""
    known = modules()
    found: dict[Name, set[Name]] = defaultdict(set)
    for module, tree in known.items():
        names, here = imported(tree, known), definitions(tree)
        for definition, node in here.items():
            for part in ast.walk(node):
                if isinstance(part, ast.Name):
                    target = names.get(part.id)
                    if isinstance(target, tuple):
                        found[module, definition].add(target)
                    elif part.id in here:
                        found[module, definition].add((module, part.id))
                elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
                    target = names.get(part.value.id)
                    if isinstance(target, str):
                        found[module, definition].add((target, part.attr))
    return found


def test_every_public_rule_is_run() -> None:
    """Each public function of goruntime/ outside study/ is reached from an engine, calibration or what they use."""
    used = uses()
    reached = {name for name in used if name[0].startswith(USERS)}
    todo = list(reached)
    while todo:
        for name in used.get(todo.pop(), ()):
            if name not in reached:
                reached.add(name)
                todo.append(name)
    rules = {
        (module, name)
        for module, tree in modules().items()
        if module.startswith(RULES) and not module.startswith(STUDY)
        for name, node in definitions(tree).items()
        if isinstance(node, ast.FunctionDef) and not name.startswith("_")
    }
    assert len(rules) > 50
    assert rules - reached == set()


def test_no_engine_runs_what_is_for_study() -> None:
    """Nothing outside study/ names a definition in it."""
    assert {
        (name, target)
        for name, targets in uses().items()
        for target in targets
        if target[0].startswith(STUDY) and not name[0].startswith(STUDY)
    } == set()
