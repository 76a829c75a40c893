"""Indented JSON text. The standard library indents in Python, item by item, which takes longer than a large sweep."""

import json
import math
from collections.abc import Callable, Mapping

_text: Callable[[str], str] = json.JSONEncoder(ensure_ascii=False).encode


class Written(str):
    """The text of a value that is written already, at the place where it is used."""

    __slots__ = ()


def indented(value: object, indent: str = "\n") -> str:
    """The text of ``json.dumps(value, indent=2, ensure_ascii=False)``, with null for NaN and infinities.

    ``indent`` begins each line of this value. Raises TypeError for a value that JSON has no form for.
    """
    if isinstance(value, Written):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return float.__repr__(value) if math.isfinite(value) else "null"
    inner = indent + "  "
    if isinstance(value, Mapping):
        if not value:
            return "{}"
        items = [f"{_text(key)}: {indented(item, inner)}" for key, item in value.items()]
        return f"{{{inner}{f',{inner}'.join(items)}{indent}}}"
    if isinstance(value, list | tuple):
        if not value:
            return "[]"
        return f"[{inner}{f',{inner}'.join([indented(item, inner) for item in value])}{indent}]"
    return json.dumps(value)
