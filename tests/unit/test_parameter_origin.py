"""The origin of a parameter: a typed field of the model file, derived from the source text in older files."""

import re
from pathlib import Path

import pytest

from gcsim.errors import InputError
from gcsim.service.model import Model, shipped_models
from gcsim.service.parameters import PARAMETER_NAMES, ParameterOrigin, origin_from_source

MODELS = sorted(shipped_models())


@pytest.mark.parametrize("name", MODELS)
def test_calibration_sets_the_origin_that_the_source_text_states(name: str) -> None:
    """In every shipped model the field agrees with the words next to it."""
    parameters = Model.load(name).parameters
    for one in PARAMETER_NAMES:
        parameter = getattr(parameters, one)
        assert parameter.origin == origin_from_source(parameter.source), one


@pytest.mark.parametrize("name", MODELS)
def test_a_model_file_without_origins_is_read_as_before(name: str, tmp_path: Path) -> None:
    """Files of an older gcsim hold no origins; the model read from one equals the model saved today."""
    older = tmp_path / "older.toml"
    text = shipped_models()[name].read_text("utf-8")
    older.write_text(re.sub(r'(?m)^origin = ".*"\n', "", text), "utf-8")
    assert older.stat().st_size < len(text)
    assert Model.load(older).parameters == Model.load(name).parameters


def test_an_unknown_origin_is_refused_with_the_origins_that_exist(tmp_path: Path) -> None:
    """The message names the parameter and lists the origins."""
    damaged = tmp_path / "damaged.toml"
    text = shipped_models()[MODELS[0]].read_text("utf-8")
    damaged.write_text(text.replace('origin = "log"', 'origin = "hearsay"', 1), "utf-8")
    with pytest.raises(InputError, match=r"parameters\.\w+: origin must be one of log, capture, .*'hearsay'"):
        Model.load(damaged)


@pytest.mark.parametrize(
    ("source", "origin", "is_prior"),
    [
        ("log", "log", False),
        ("log: whole MiB hide what is allocated in a cycle", "log", False),
        ("prior: measured on Go 1.27", "prior", True),
        ("prior: measured on Go 1.27; held to the limit's goals", "limit goals", True),
        ("prior and 3 captures", "prior", True),
        ("3 captures", "capture", False),
        ("log; the runtime's own counts", "capture", False),
        ("2 logs, 1.2 % apart beyond their own errors", "pooled", False),
        ("from the two above", "derived", False),
    ],
)
def test_source_texts_of_older_files(source: str, origin: ParameterOrigin, is_prior: bool) -> None:
    """Each text that calibration wrote before the field existed gives one origin."""
    assert origin_from_source(source) == origin
    assert (origin in ("prior", "limit goals")) == is_prior
