"""Indented JSON is what the standard library writes."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcsim.cli.json_text import indented

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(DOCUMENTS)
def test_the_text_is_that_of_the_standard_library(document: object) -> None:
    """Every value, empty containers and quotes included, has the same text."""
    assert indented(document) == json.dumps(document, indent=2, ensure_ascii=False)


def test_numbers_without_a_json_form_are_null() -> None:
    """NaN and infinities inside a document become null; an object of another type is an error."""
    assert json.loads(indented({"a": [math.nan, -math.inf, (1.5, 2)]})) == {"a": [None, None, [1.5, 2]]}
    with pytest.raises(TypeError):
        indented({"a": {1, 2}})
