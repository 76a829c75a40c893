"""Mutations of a model file: values replaced, entries dropped, added or of another type, text damaged."""

import copy
import math
import random
from collections.abc import Callable
from typing import Any

import tomli_w

Document = dict[str, Any]
Place = tuple[Any, Any]  # a table or list, and a key or index in it

_VALUES: tuple[Any, ...] = (
    0, 0.0, -0.0, 1, -1, 2, 0.5, 0.999999, 1.000001, 1e-300, 5e-324, 1e-30, 1e-12, 1e-9, 1e-6, 1e-3, 10.0, 1e3,
    1e6, 1e9, 1e12, 1e15, 1e18, 1e30, 1e300, 1.7e308, -1e300, math.inf, -math.inf, math.nan, 2**31, 2**32, 2**47,
    2**48 - 1, 2**48, 2**53 + 1, 2**63 - 1, -(2**63), True, False, "", "1.0", "off", "100", "nan", "x" * 2000, [],
    [0.0], [[1.0]], {}, {"value": 1.0},
)  # fmt: skip
_TEXTS = (
    "\x00", "\n", '"', "'''", "[", "]]", "[[", "=", ".", ",", "#", "\\", "\ufeff", "1_0", "0x", "1e400", "9" * 4400,
    "1" + "0" * 400, "[" * 3000, "{a=" * 1500, "inf", "nan", "-", "e9", "true", "1979-05-27", "\u0663", "\x1b[31m",
)  # fmt: skip


def mutated(document: Document, generator: random.Random) -> bytes:
    """The file's bytes after one to three mutations."""
    changed = copy.deepcopy(document)
    damages = []
    for _ in range(generator.choice((1, 1, 1, 2, 3))):
        if generator.random() < 0.85:
            generator.choice(_CHANGES)(changed, generator)
        else:
            damages.append(generator.choice(_DAMAGES))
    try:
        text = tomli_w.dumps(changed).encode()
    except (TypeError, ValueError, AttributeError):  # what no TOML can hold
        text = repr(changed).encode()
    for damage in damages:
        text = damage(text, generator)
    return text


def _places(document: Any) -> list[Place]:
    """Every entry of every table and list."""
    found: list[Place] = []
    left = [document]
    while left:
        holder = left.pop()
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        found += [(holder, key) for key in keys]
        left += [holder[key] for key in keys if isinstance(holder[key], dict | list)]
    return found


def _numbers(document: Document) -> list[Place]:
    """Entries that are numbers: one of each list is enough, or quantiles would be most of all."""
    every = [(h, k) for h, k in _places(document) if type(h[k]) in (int, float)]
    return [(h, k) for h, k in every if isinstance(h, dict) or k == 0]


def _replace(document: Document, generator: random.Random) -> None:
    holder, key = generator.choice(_places(document))
    holder[key] = copy.deepcopy(generator.choice(_VALUES))


def _replace_number(document: Document, generator: random.Random) -> None:
    holder, key = generator.choice(_numbers(document))
    holder[key] = copy.deepcopy(generator.choice(_VALUES))


def _scale_number(document: Document, generator: random.Random) -> None:
    holder, key = generator.choice(_numbers(document))
    holder[key] = holder[key] * 10.0 ** generator.uniform(-12, 12)


def _parameters(document: Document) -> list[Any]:
    """The tables of parameters, where an earlier mutation has left any."""
    entries = document.get("parameters")
    return list(entries.values()) if isinstance(entries, dict) else []


def _replace_parameter(document: Document, generator: random.Random) -> None:
    entries = [entry for entry in _parameters(document) if isinstance(entry, dict)]
    if entries:
        generator.choice(entries)[generator.choice(("value", "value", "rel_sd"))] = generator.choice(_VALUES)


def _widen(document: Document, generator: random.Random) -> None:
    for entry in _parameters(document):
        if isinstance(entry, dict) and generator.random() < 0.3:
            entry["rel_sd"] = 10.0 ** generator.uniform(-3, 1)


def _scale_list(document: Document, generator: random.Random) -> None:
    lists = [(h, k) for h, k in _places(document) if isinstance(h[k], list)]
    if lists:
        holder, key = generator.choice(lists)
        factor = generator.choice((0.0, -1.0, 10.0 ** generator.uniform(-12, 12)))
        holder[key] = [x * factor if type(x) in (int, float) else x for x in holder[key]]


def _resize_list(document: Document, generator: random.Random) -> None:
    lists = [(h, k) for h, k in _places(document) if isinstance(h[k], list)]
    if lists:
        holder, key = generator.choice(lists)
        values = holder[key]
        holder[key] = generator.choice(
            (values[:-1], values * 2, values[::-1], sorted(map(str, values)), values * 400)
        )


def _drop(document: Document, generator: random.Random) -> None:
    holder, key = generator.choice(_places(document))
    del holder[key]


def _rename(document: Document, generator: random.Random) -> None:
    holder, key = generator.choice([(h, k) for h, k in _places(document) if isinstance(h, dict)])
    holder[generator.choice((key + "s", key.upper(), "", "x"))] = holder.pop(key)


def _swap(document: Document, generator: random.Random) -> None:
    (one, a), (other, b) = generator.choice(_places(document)), generator.choice(_places(document))
    one[a], other[b] = copy.deepcopy(other[b]), copy.deepcopy(one[a])


def _move(document: Document, generator: random.Random) -> None:
    """A course in time of some knots, not all of them sensible."""
    knots = generator.choice((1, 2, 3, 10, 1000))
    seconds = sorted(10.0 ** generator.uniform(-6, 6) for _ in range(knots - 1))
    factors = [[10.0 ** generator.uniform(-3, 3) for _ in range(knots)] for _ in range(2)]
    document["profile"] = {"seconds": [0.0, *seconds], "live_factor": factors[0], "alloc_factor": factors[1]}


def _truncate(text: bytes, generator: random.Random) -> bytes:
    return text[: generator.randrange(len(text))]


def _cut(text: bytes, generator: random.Random) -> bytes:
    start = generator.randrange(len(text))
    return text[:start] + text[start + generator.randrange(1, 200) :]


def _insert(text: bytes, generator: random.Random) -> bytes:
    place = generator.randrange(len(text))
    return text[:place] + generator.choice(_TEXTS).encode() + text[place:]


def _flip(text: bytes, generator: random.Random) -> bytes:
    damaged = bytearray(text)
    for _ in range(generator.randrange(1, 5)):
        damaged[generator.randrange(len(damaged))] = generator.randrange(256)
    return bytes(damaged)


def _repeat(text: bytes, generator: random.Random) -> bytes:
    lines = text.splitlines(keepends=True)
    first = generator.randrange(len(lines))
    return b"".join(lines[: first + 5] + lines[first:])


_CHANGES: tuple[Callable[[Document, random.Random], None], ...] = (
    _replace, _replace_number, _replace_number, _scale_number, _scale_number, _replace_parameter, _replace_parameter,
    _widen, _scale_list, _resize_list, _drop, _rename, _swap, _move,
)  # fmt: skip
_DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (_truncate, _cut, _insert, _flip, _repeat)
