"""docs/reference/json.md is kept true: its examples have the keys of the documents that the commands print."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from json_documents import documents_of, file_of

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


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document of each command on one short log, by section of the page."""
    return documents_of(tmp_path_factory.mktemp("documents"))


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
        "heap",
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


def test_every_document_keeps_its_published_schema(documents: dict[str, Any]) -> None:
    """The schemas are themselves valid, the page links each of them, and a lost key or a wrong type is found."""
    Draft202012Validator = pytest.importorskip("jsonschema").Draft202012Validator  # noqa: N806
    for section, document in documents.items():
        schema = json.loads(file_of(section).read_text(encoding="utf-8"))
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(schema)
        faults = [
            f"{section}: {fault.json_path}: {fault.message[:200]}"
            for fault in validator.iter_errors(document)
        ]
        assert faults == []
        assert f"schemas/{file_of(section).name}" in PAGE
        for key in schema["required"]:
            assert not validator.is_valid({name: value for name, value in document.items() if name != key})
    recommended = Draft202012Validator(json.loads(file_of("recommend").read_text(encoding="utf-8")))
    assert not recommended.is_valid(documents["recommend"] | {"feasible": "yes"})
    wrong = json.loads(json.dumps(documents["recommend"]))
    wrong["stress"][0]["metrics"]["gc_cpu_fraction"]["high"] = "much"
    assert not recommended.is_valid(wrong)


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
