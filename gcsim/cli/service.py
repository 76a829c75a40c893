"""The model of a command and its verdict, for all commands.

A command loads its model with ``load_service``, which notes a verdict other than trust on standard error, adds
``assessed`` to its JSON document, and ends with ``exit_by_verdict``.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from gcsim.cli.console import note
from gcsim.cli.readings import with_readings

if TYPE_CHECKING:
    from gcsim.calibration.memory.readings.source import MemoryReadings
    from gcsim.service.assessment import Assessment
    from gcsim.service.model import Model

NOT_TRUSTED = 1  # exit status


def load_service(name_or_path: str, readings: "MemoryReadings | None" = None) -> "Model":
    """The model of a path or shipped name, updated by readings of memory; notes a verdict other than trust.

    Raises InputError, also if the model contradicts a reading.
    """
    from gcsim.service.model import Model

    model = with_readings(Model.load(name_or_path), readings)
    if model.assessment is not None:
        note_verdict(name_or_path, model.assessment)
    return model


def note_verdict(name: str, assessment: "Assessment") -> None:
    """Notes a verdict other than trust in one line on standard error."""
    if assessment.verdict != "trust":
        note(f"{name}: {assessment.line}")


def verdict_heading(model: "Model") -> str:
    """A "do not trust" verdict as a paragraph above the results; empty for other verdicts."""
    found = model.assessment
    return "" if found is None or found.verdict != "do not trust" else f"{found.line}\n\n"


def verdict_parts(model: "Model") -> str:
    """The verdicts on memory and on CPU in one line, if care is needed; else empty."""
    found = model.assessment
    return "" if found is None or found.verdict != "trust with care" else f"{found.parts}\n"


def assessed(document: Mapping[str, Any], model: "Model") -> dict[str, Any]:
    """The document with ``verdict``, ``findings`` and ``growth`` of its model; null and empty without them."""
    if model.assessment is None:
        return {**document, "verdict": None, "verdicts": None, "findings": [], "growth": []}
    return {**document, **model.assessment.to_json()}


def exit_by_verdict(model: "Model") -> None:
    """Ends the command with status 1 if the verdict is "do not trust"."""
    if model.assessment is not None and model.assessment.verdict == "do not trust":
        raise typer.Exit(NOT_TRUSTED)
