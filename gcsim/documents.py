"""Reading of TOML and JSON files.

Every failure becomes an ``InputError`` of one sentence that names the file: the file is missing, too large, not text,
not TOML or JSON, nested too deeply, or its conversion fails.
"""

import json
import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from gcsim.errors import InputError

if TYPE_CHECKING:
    from gcsim.arrays import FloatArray

T = TypeVar("T")

MOST_BYTES = {"TOML": 16 << 20, "JSON": 64 << 20}  # of one file: models have about 10 KB, sweeps a few MB
MOST_VALUES = 100_000  # in one list of numbers
_MOST_TABLES = 1000
LONGEST_TEXT = 1000  # characters of a name or a note
_LEAST_INTEGER, _MOST_INTEGER = -(1 << 63), (1 << 64) - 1
_LONGEST_SENTENCE = 400  # characters of an error message
_LONGEST_REASON = 160  # characters of a parser's or conversion's message
_BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, RecursionError)


def read_document(
    path: Path,
    convert: Callable[[Any], T],
    *,
    form: Literal["TOML", "JSON"],
    what: str,
    advice: str,
    check_numbers: bool = True,
) -> T:
    """The result of ``convert`` on a file's content. Raises InputError, naming the file, for every failure.

    ``what`` describes the expected file with its article, such as "a model". ``advice`` ends the message with a remedy.
    Without ``check_numbers``, ``convert`` receives integers of any size and, from JSON, NaN and infinities.
    """
    text = _text(path, form=form, what=what, advice=advice)
    try:
        document = tomllib.loads(text) if form == "TOML" else json.loads(text)
    except RecursionError as error:
        raise InputError(f"{path}: is not {form}, or not {what} (nested too deeply); {advice}") from error
    except ValueError as error:
        raise InputError(f"{path}: is not {form}, or not all of it ({_short(error)}); {advice}") from error
    try:
        if check_numbers:
            _check_numbers(document, form)
        return convert(document)
    except InputError as error:
        raise InputError(f"{path}: {_short(error, _LONGEST_SENTENCE)}") from error
    except _BROKEN as error:
        raise InputError(f"{path}: not {what} ({_described(error)}); {advice}") from error


def number(table: Mapping[str, Any], name: str) -> float:
    """The number under ``name``. Raises InputError for another type, KeyError if it is missing."""
    value = table[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{name} must be a number, got {_shown(value)}")
    return float(value)


def whole_number(table: Mapping[str, Any], name: str) -> int:
    """The whole number under ``name``. Raises InputError for another type, KeyError if it is missing."""
    value = table[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{name} must be a whole number, got {_shown(value)}")
    return value


def text_of(table: Mapping[str, Any], name: str) -> str:
    """The text under ``name``. Raises InputError for another type or long text, KeyError if it is missing."""
    value = table[name]
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise InputError(f"{name} must be text of at most {LONGEST_TEXT} characters, got {_shown(value)}")
    return value


def table_of(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The table under ``name``. Raises InputError for another type, KeyError if it is missing."""
    value = table[name]
    if not isinstance(value, Mapping):
        raise InputError(f"{name} must be a table, got {_shown(value)}")
    return value


def tables_of(table: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The tables under ``name``, none without it. Raises InputError for another type, or for more than 1,000."""
    values = table.get(name, [])
    if not isinstance(values, list) or not all(isinstance(one, Mapping) for one in values):
        raise InputError(f"{name} must be a list of tables, written with two brackets")
    if len(values) > _MOST_TABLES:
        raise InputError(f"{name} holds {len(values):,} tables, but gcsim reads at most {_MOST_TABLES:,}")
    return values


def check_keys(table: Mapping[str, Any], known: set[str], what: str) -> None:
    """Raises InputError that names ``what`` and the first key of the table that is not known."""
    unknown = sorted(set(table) - known)
    if unknown:
        raise InputError(f"{what}: unknown key {unknown[0]!r}; known keys: {', '.join(sorted(known))}")


def numbers(table: Mapping[str, Any], name: str) -> "FloatArray":
    """The list of numbers under ``name``, as an array. Raises InputError for other values, KeyError without it."""
    values = table[name]
    if not isinstance(values, list) or any(type(value) not in (int, float) for value in values):
        raise InputError(f"{name} must be a list of numbers")
    if len(values) > MOST_VALUES:
        raise InputError(f"{name} holds {len(values):,} numbers, but gcsim reads at most {MOST_VALUES:,}")
    import numpy as np  # here: ``gcsim capture`` reads and writes documents without arrays

    return np.array(values, dtype=np.float64)


def _text(path: Path, *, form: Literal["TOML", "JSON"], what: str, advice: str) -> str:
    """The text of the file. Raises InputError if it is too large or not text; /dev/zero has no end."""
    most = MOST_BYTES[form]
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read ({reason}); {advice}") from error
    if len(content) > most:
        raise InputError(f"{path}: is larger than {most >> 20} MiB, so not {what}; {advice}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not text, so not {what}; {advice}") from error


def _check_numbers(document: object, form: str) -> None:
    """Raises InputError, naming the entry, for integers beyond 64 bits and for infinite or NaN numbers in JSON."""
    for name, value in _entries(document):
        if isinstance(value, int) and not _LEAST_INTEGER <= value <= _MOST_INTEGER:
            raise InputError(f"{name} is an integer of more than 64 bits")
        if form == "JSON" and isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{name} must be a finite number, got {value}")


def _entries(document: object) -> Iterator[tuple[str, object]]:
    """Yields every value that is neither a table nor a list, with its path; without recursion."""
    left: list[tuple[str, object]] = [("", document)]
    while left:
        name, value = left.pop()
        if isinstance(value, dict):
            left += [(f"{name}.{key}" if name else str(key), item) for key, item in value.items()]
        elif isinstance(value, list):
            left += [(name, item) for item in value]
        else:
            yield (name if len(name) <= _LONGEST_REASON else name[-_LONGEST_REASON:]) or "the document", value


def _described(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"{_shown(error.args[0])} is missing"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return _short(error)


def _short(error: BaseException, most: int = _LONGEST_REASON) -> str:
    """The text of an error in one line of limited length."""
    reason = " ".join(str(error).split())
    return reason if len(reason) <= most else reason[:most] + " …"


def _shown(value: object) -> str:
    """A value for a message: text and numbers in full up to 40 characters, tables and lists by kind."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    return shown if len(shown) <= 40 else shown[:40] + " …"
