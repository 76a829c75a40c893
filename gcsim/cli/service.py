"""The model that a command was given, and how far calibration trusts it: one place for every command.

A command loads its model with ``load_service``, which notes a verdict other than trust on standard error, adds
``assessed`` to its JSON document, and ends with ``exit_by_verdict``.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from gcsim.cli.console import note

if TYPE_CHECKING:
    from gcsim.service.assessment import Assessment
    from gcsim.service.model import Model

NOT_TRUSTED = 1  # exit status


def load_service(name_or_path: str) -> "Model":
    """A model by path or shipped name; notes its verdict where that is not trust. Raises InputError."""
    from gcsim.service.model import Model

    model = Model.load(name_or_path)
    if model.assessment is not None:
        note_verdict(name_or_path, model.assessment)
    return model


def note_verdict(name: str, assessment: "Assessment") -> None:
    """The verdict in one line on standard error, where it is not trust."""
    if assessment.verdict != "trust":
        note(f"{name}: {assessment.line}")


def verdict_heading(model: "Model") -> str:
    """The verdict as a paragraph to print before a figure that must not be taken without it; empty if trusted."""
    found = model.assessment
    return "" if found is None or found.verdict != "do not trust" else f"{found.line}\n\n"


def assessed(document: Mapping[str, Any], model: "Model") -> dict[str, Any]:
    """The document with ``verdict``, ``findings`` and ``growth`` of its model; null and empty where none is known."""
    if model.assessment is None:
        return {**document, "verdict": None, "findings": [], "growth": []}
    return {**document, **model.assessment.to_json()}


def exit_by_verdict(model: "Model") -> None:
    """Ends the command with status 1 where calibration says not to trust the model."""
    if model.assessment is not None and model.assessment.verdict == "do not trust":
        raise typer.Exit(NOT_TRUSTED)
