"""The JSON documents of all commands on one short log, and their JSON schemas.

    python tests/helpers/json_documents.py    # writes docs/reference/schemas/*.json

A schema is inferred from documents: a key that each of them has is required, a value that is null in one may be null.
"""

import contextlib
import io
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "docs" / "reference" / "schemas"
MAPS = {"metrics", "parameters", "ratios", "rules", "env", "ranges"}  # their keys are names, not fixed ones
_INTEGERS = {"gogc", "gomaxprocs", "replicas", "seed"}
_ESTIMATE, _SETTINGS = {"value", "low", "high"}, {"gogc", "gomemlimit_bytes", "gomaxprocs", "go"}
_EXAMPLE = ROOT / "experiments" / "changes" / "example"
_PROFILES = (
    "--profile",
    str(_EXAMPLE / "allocs-after.pb.gz"),
    "--before",
    str(_EXAMPLE / "allocs-before.pb.gz"),
)
SHORT = ("--duration", "5s", "--replicas", "2", "--json")


def documents_of(folder: Path) -> dict[str, Any]:
    """The document of each command, by section of the page; files go into ``folder``."""
    log, model = str(folder / "app.log"), str(folder / "app.toml")
    printed("simulate", "order-service", "--gogc", "100", "--trace-out", log, *SHORT)
    return {
        "simulate": printed("simulate", "order-service", *SHORT),
        "inspect": printed("inspect", log, "--json"),
        "diagnose": printed("diagnose", log, "--json", "--memory", "512Mi"),
        "calibrate": printed("calibrate", log, "-o", model, "--json"),
        "sweep": printed("sweep", "order-service", "--gogc", "100,200", *SHORT),
        "recommend": printed("recommend", "order-service", "--memory", "512MiB", *SHORT),
        "compare": printed("compare", "order-service", "--memory", "512MiB", *SHORT),
        "fleet": printed("fleet", "order-service", "--memory", "1GiB", *SHORT),
        "recommend without --memory": {
            "containers": printed("recommend", "order-service", "--max-gc-cpu", "20%", *SHORT)["containers"]
        },
        "whatif": printed("whatif", "order-service", "--scale-live", "2", "--memory", "512MiB", *SHORT),
        "sites": printed("sites", str(_EXAMPLE / "nearest.log.gz"), *_PROFILES, "--open-loop", *SHORT),
        "pool": printed("pool", "order-service", "--gets", "20000", *SHORT),
        "heap": printed("heap", str(_plan(folder)), "--json"),
        "validate": printed("validate", model, log, "--max-error", "0.001%", "--replicas", "2", "--json"),
        "versions": printed("versions", "--json"),
    }


def _plan(folder: Path) -> Path:
    """A short plan of a heap."""
    path = folder / "plan.toml"
    path.write_text(
        '[[kind]]\nsize_bytes = 4096\n[[phase]]\nduration = "2s"\nkept_per_second = ["5MiB"]\n',
        encoding="utf-8",
    )
    return path


def further_documents() -> dict[str, list[Any]]:
    """More documents of some commands: other answers, in which other keys are null."""
    return {
        "recommend": [
            printed("recommend", "order-service", "--memory", "64MiB", *SHORT),
            printed("recommend", "order-service-open", "--memory", "8GiB", *SHORT),
            printed("recommend", "order-service", "--memory", "512MiB", "--gomaxprocs", "1", *SHORT),
        ],
        "compare": [printed("compare", "order-service-open", "--memory", "64MiB", *SHORT)],
        "fleet": [printed("fleet", "order-service", "--memory", "64MiB", *SHORT)],
        "whatif": [printed("whatif", "order-service-open", "--traffic", "2", *SHORT)],
        "sweep": [printed("sweep", "order-service-open", "--gogc", "off,50", "--memory", "512MiB", *SHORT)],
    }


def printed(*arguments: str) -> Any:
    """The JSON document that a command prints."""
    from gcsim.cli.main import run

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        assert run(list(arguments)) in (0, 1)
    return json.loads(out.getvalue())


def schema_of(name: str, documents: Sequence[Any]) -> dict[str, Any]:
    """The JSON schema of a command's documents."""
    number = {"type": "number"}
    integer = {"type": ["integer", "null"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"gcsim {name} --json",
        "description": "Inferred from documents. Later versions may add keys; ignore those that you do not know.",
        **_inferred("", list(documents)),
        "$defs": {
            "estimate": {
                "description": "median, 5th and 95th percentile of a new run",
                "type": "object",
                "properties": {key: {"type": ["number", "null"]} for key in ("value", "low", "high")},
                "required": ["value", "low", "high"],
            },
            "settings": {
                "description": "null is off",
                "type": "object",
                "properties": {
                    "gogc": integer, "gomemlimit_bytes": integer, "gomaxprocs": number, "go": {"type": "string"},
                },
                "required": ["gogc", "gomemlimit_bytes", "gomaxprocs", "go"],
            },
        },
    }  # fmt: skip


def _inferred(key: str, values: list[Any]) -> dict[str, Any]:
    """The schema of the values that one key has."""
    known = [value for value in values if value is not None]
    if not known:
        return {}
    may_be_null = len(known) < len(values)
    if all(isinstance(value, dict) for value in known):
        return _nullable(_of_objects(key, known), may_be_null)
    if all(isinstance(value, list) for value in known):
        entries = [entry for value in known for entry in value]
        return _nullable({"type": "array", "items": _inferred(key, entries)}, may_be_null)
    kinds = {_kind(key, value) for value in known} | ({"null"} if may_be_null else set())
    return {"type": sorted(kinds) if len(kinds) > 1 else next(iter(kinds))}


def _of_objects(key: str, values: list[dict[str, Any]]) -> dict[str, Any]:
    keys = set(values[0])
    if all(set(value) == _ESTIMATE for value in values):
        return {"$ref": "#/$defs/estimate"}
    if (
        all(set(value) == _SETTINGS for value in values)
        and isinstance(values[0]["go"], str)
        and key != "origins"
    ):
        return {"$ref": "#/$defs/settings"}
    if key in MAPS and all(isinstance(entry, dict | str) for value in values for entry in value.values()):
        entries = [entry for value in values for entry in value.values()]
        return {"type": "object", "additionalProperties": _inferred("", entries)}
    names = list(dict.fromkeys(name for value in values for name in value))
    for value in values:
        keys &= set(value)
    properties = {name: _inferred(name, [value[name] for value in values if name in value]) for name in names}
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in names if name in keys],
    }


def _nullable(schema: dict[str, Any], may_be_null: bool) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]} if may_be_null else schema


def _kind(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if key in _INTEGERS and isinstance(value, int) else "number"
    return "string"


def file_of(section: str) -> Path:
    """The schema's file."""
    return SCHEMAS / f"{re.sub('[^a-z]+', '-', section)}.json"


def main() -> None:
    """Writes all schemas."""
    with tempfile.TemporaryDirectory() as folder:
        found = {name: [document] for name, document in documents_of(Path(folder)).items()}
    for name, more in further_documents().items():
        found[name] += more
    SCHEMAS.mkdir(exist_ok=True)
    for name, documents in found.items():
        text = json.dumps(schema_of(name, documents), indent=1, ensure_ascii=False) + "\n"
        file_of(name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {file_of(name).relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
