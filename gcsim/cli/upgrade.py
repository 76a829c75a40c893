"""The note on standard error for predictions of another Go version than the calibrated one."""

from typing import TYPE_CHECKING

from gcsim.cli.console import note

if TYPE_CHECKING:
    from gcsim.service.model import Model
    from gcsim.settings import Settings


def note_upgrade(model: "Model", asked: "Settings") -> None:
    """Notes the mark costs that the prediction uses; nothing for the calibrated version."""
    from gcsim.tuning.upgrade import upgrade_note

    text = upgrade_note(model.settings, asked)
    if text is not None:
        note(f"gcsim: note: {text}")
