"""The model that a command was given, with a word on standard error where it should not be trusted."""

from typing import TYPE_CHECKING

from gcsim.cli.console import note

if TYPE_CHECKING:
    from gcsim.workload.model import Model


def load_service(name_or_path: str) -> "Model":
    """A model by path or shipped name. Raises InputError; notes calibration's own verdict where it is a bad one."""
    from gcsim.workload.model import Model

    model = Model.load(name_or_path)
    verdict = model.provenance.get("verdict", "")
    if verdict.startswith("do not trust"):
        note(f"{name_or_path}: calibration says {verdict}")
    return model
