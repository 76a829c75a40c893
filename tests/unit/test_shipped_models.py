"""The shipped models are what the committed captures give, byte for byte."""

from pathlib import Path

import pytest

from experiments.models import MODELS, SHIPPED, shipped_model
from gcsim.service.model import Model, shipped_models


def test_every_shipped_model_has_its_captures() -> None:
    """No model file without a recipe, and no recipe without a file."""
    assert sorted(shipped_models()) == sorted(SHIPPED)
    assert sorted(path.stem for path in MODELS.glob("*.toml")) == sorted(SHIPPED)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_shipped_model_is_what_its_captures_give(name: str, tmp_path: Path) -> None:
    """``python -m experiments.models`` would write the same bytes."""
    made = tmp_path / f"{name}.toml"
    shipped_model(name).save(made)
    assert made.read_bytes() == (MODELS / f"{name}.toml").read_bytes(), "run python -m experiments.models"


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_model_file_is_read_back_whole(name: str, tmp_path: Path) -> None:
    """Loading and saving gives the same bytes."""
    again = tmp_path / "again.toml"
    Model.load(name).save(again)
    assert again.read_bytes() == (MODELS / f"{name}.toml").read_bytes()
