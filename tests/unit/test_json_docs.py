"""docs/reference/json.md is kept true: its examples have the keys of the documents that the commands print."""

import contextlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gcsim.cli.main import run

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
NAMED = {
    "metrics",
    "parameters",
    "ratios",
    "rules",
}  # their keys are names of metrics, parameters and versions
COMMON = {  # described once on the page
    "settings", "origins", "findings", "growth", "env", "check", "today", "verdicts", "outside_heap_bytes",
    "not_counted_bytes",
}  # fmt: skip
EXAMPLE = Path(__file__).parents[2] / "experiments" / "changes" / "example"
PROFILES = (
    "--profile",
    str(EXAMPLE / "allocs-after.pb.gz"),
    "--before",
    str(EXAMPLE / "allocs-before.pb.gz"),
)
SHORT = ("--duration", "5s", "--replicas", "2", "--json")


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document of each command on one short log, by section of the page."""
    folder = tmp_path_factory.mktemp("documents")
    log, model = str(folder / "app.log"), str(folder / "app.toml")
    _printed("simulate", "order-service", "--gogc", "100", "--trace-out", log, *SHORT)
    return {
        "simulate": _printed("simulate", "order-service", *SHORT),
        "inspect": _printed("inspect", log, "--json"),
        "diagnose": _printed("diagnose", log, "--json", "--memory", "512Mi"),
        "calibrate": _printed("calibrate", log, "-o", model, "--json"),
        "sweep": _printed("sweep", "order-service", "--gogc", "100,200", *SHORT),
        "recommend": _printed("recommend", "order-service", "--memory", "512MiB", *SHORT),
        "compare": _printed("compare", "order-service", "--memory", "512MiB", *SHORT),
        "fleet": _printed("fleet", "order-service", "--memory", "1GiB", *SHORT),
        "recommend without --memory": {
            "containers": _printed("recommend", "order-service", "--max-gc-cpu", "20%", *SHORT)["containers"]
        },
        "whatif": _printed("whatif", "order-service", "--scale-live", "2", "--memory", "512MiB", *SHORT),
        "sites": _printed("sites", str(EXAMPLE / "nearest.log.gz"), *PROFILES, "--open-loop", *SHORT),
        "pool": _printed("pool", "order-service", "--gets", "20000", *SHORT),
        "validate": _printed("validate", model, log, "--max-error", "0.001%", "--replicas", "2", "--json"),
        "versions": _printed("versions", "--json"),
    }


@pytest.mark.parametrize(
    "section",
    [
        "simulate",
        "inspect",
        "diagnose",
        "calibrate",
        "sweep",
        "recommend",
        "compare",
        "fleet",
        "recommend without --memory",
        "whatif",
        "sites",
        "pool",
        "validate",
        "versions",
    ],
)
def test_the_first_example_has_the_keys_of_the_document(section: str, documents: dict[str, Any]) -> None:
    """No key is missing on the page, and none is invented, at any depth."""
    found = re.search(r"^```text\n(.*?)^```$", SECTIONS[section], re.M | re.S)
    assert found
    shown = re.sub(r"(?<![\w\"])…(?![\w\"])", "null", found[1])
    assert set(_keys(json.loads(shown))) == set(_keys(documents[section]))


def _printed(*arguments: str) -> Any:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        assert run(list(arguments)) in (0, 1)
    return json.loads(out.getvalue())


def _keys(document: Any, path: str = "") -> Iterator[str]:
    """Each key with those above it; below parts that the page describes once, none."""
    if isinstance(document, list):
        for entry in document:
            yield from _keys(entry, path)
    if not isinstance(document, dict):
        return
    for key, value in document.items():
        yield f"{path}.{key}"
        if key in NAMED and isinstance(value, dict):
            yield from _keys(list(value.values()), f"{path}.{key}") if key == "parameters" else ()
        elif key not in COMMON:
            yield from _keys(value, f"{path}.{key}")
