"""Converts a log's bytes to plain UTF-8 with the trace lines as the runtime printed them.

Log shippers, viewers and shells replace the runtime's bytes: by UTF-16, by escapes of JSON and HTML in one or more
layers, by lists of byte values, typed arrows, no-break spaces and colours. Each step reverses one of these changes for
the whole log. No step adds or removes a line.
"""

import codecs
import html
import re

import numpy as np

from gcsim.gctrace.partial import join_partial_records

_ANSI = re.compile(rb"\x1b\[[0-9;:?]*[A-Za-z]")
_BYTE_LIST = re.compile(
    rb"\[\s*\d{1,3}(?:\s*,\s*\d{1,3}){7,}\s*\]"
)  # journald's form of a text with controls
_UNICODE_ESCAPE = re.compile(
    rb"\\{1,8}[uU](?:0000)?(00[2-7][0-9a-fA-F]|00[aA]0|20[012][0-9a-fA-F]|2192|27[9fF][0-9a-fA-F]|202[fF]|2212|[fF][eE][fF]{2})"
)
_HEX_ESCAPE = re.compile(rb"\\{1,8}x([2-7][0-9a-fA-F])")
_ESCAPED = re.compile(rb"\\{1,8}([/>])")
_ENTITY = re.compile(rb"&(?:amp;){0,4}((?:gt|nbsp|rarr|plus|sol|percnt|#\d{2,5}|#[xX][0-9a-fA-F]{2,5});)")
_DASHES = "\u2010\u2011\u2012\u2013\u2212"
_PUNCTUATION = {
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", ""),
    **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u200a\u202f", " "),
    **dict.fromkeys("\u2192\u2794\u279c\u279e\u27f6\u21d2", "->"),
    **dict.fromkeys((dash + head for dash in "-" + _DASHES for head in ">\u203a\uff1e"), "->"),
}
"""Characters of editors and typographers, with the empty text, blank or arrow that they replace."""

_BY_LEAD: dict[bytes, list[tuple[bytes, bytes]]] = {}
for _typed, _plain in _PUNCTUATION.items():
    if _typed != "->":
        _lead = next(character for character in _typed if not character.isascii()).encode()
        _BY_LEAD.setdefault(_lead, []).append((_typed.encode(), _plain.encode()))
_LATIN1_SPACE = re.compile(rb"(?<![\x80-\xff])\xa0")
_ALTERNATING = re.compile(rb"[\x01-\x7f]?(?:\x00[\x01-\x7f]){3,}\x00?")
_NARROW = re.compile(rb"[\x01-\x7f]{48,}")  # so much consecutive ASCII is not UTF-16


def plain_text(data: bytes) -> bytes:
    """The log in UTF-8 without escapes and wrappers inside its lines; see the module."""
    if b"\0" in data or data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = _without_utf16(data)
    data = join_partial_records(_without_byte_lists(data))
    if b"\\" in data:
        data = _without_escapes(data)
    if b"&" in data:
        data = _ENTITY.sub(_entity, data)
    if b"\x1b" in data:
        data = _ANSI.sub(b"", data)
    return data if data.isascii() else _plain_punctuation(data)


def _without_utf16(data: bytes) -> bytes:
    """UTF-16 as UTF-8, in the whole file, or in parts if a shell appended to a file in another encoding.

    In UTF-16 every other byte of ASCII text is 0. Without these bytes it is the ASCII text, in either byte order.
    """
    encoding = _utf16_throughout(data)
    if encoding is not None:
        return data.decode(encoding, errors="replace").lstrip("\ufeff").encode()
    data = _ALTERNATING.sub(lambda match: match[0].replace(b"\0", b""), data)
    return data.replace(codecs.BOM_UTF16_LE, b"").replace(codecs.BOM_UTF16_BE, b"")


def _utf16_throughout(data: bytes) -> str | None:
    """The encoding if the whole file is UTF-16."""
    if len(data) % 2 or _NARROW.search(data):
        return None
    if data.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if data.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    first, second = data[::2].count(0), data[1::2].count(0)
    if 2 * max(first, second) < len(data) // 4 or min(first, second) > max(first, second) // 20:
        return None
    return "utf-16-be" if first > second else "utf-16-le"


def _without_byte_lists(data: bytes) -> bytes:
    """Lists like ``[103,99,32,49]`` as text; a line break in the text is an escape, line breaks of the list stay."""
    if b"[" not in data or b"99" not in data:
        return data
    return _BYTE_LIST.sub(_text_of_bytes, data)


def _text_of_bytes(match: re.Match[bytes]) -> bytes:
    values = [int(number) for number in re.findall(rb"\d+", match[0])]
    if max(values) > 255:
        return match[0]
    text = bytes(values).replace(b"\n", b"\\n")
    return b'"' + text + b'"' + b"\n" * match[0].count(b"\n")


def _without_escapes(data: bytes) -> bytes:
    """The text without JSON escapes of any number of layers; quotation marks and line breaks stay escaped."""
    for escaped in (b"\\u003e", b"\\u003E"):
        data = data.replace(escaped, b">")
    if b"\\/" in data or b"\\>" in data:
        data = _ESCAPED.sub(rb"\1", data)
    if b"\\u" in data or b"\\U" in data:
        data = _UNICODE_ESCAPE.sub(lambda match: chr(int(match[1], 16)).encode(), data)
    return _HEX_ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), data) if b"\\x" in data else data


def _entity(match: re.Match[bytes]) -> bytes:
    text = html.unescape("&" + match[1].decode())
    return match[0] if text in ("\n", "\r", "\0") else text.encode(errors="replace")


def _plain_punctuation(data: bytes) -> bytes:
    leads = _leads(data)
    for lead, replacements in _BY_LEAD.items():
        if lead in leads:
            for typed, plain in replacements:
                if plain == b"->":
                    data = data.replace(b" " + typed + b" ", plain)
                data = data.replace(typed, plain)
    return _LATIN1_SPACE.sub(b" ", data) if b"\xa0" in data else data


def _leads(data: bytes) -> set[bytes]:
    """The non-ASCII characters of a text: the bytes of those of two or three, the first three of longer ones."""
    text = np.frombuffer(data + b"\0\0", np.uint8)
    places = np.flatnonzero(text >= 0xC2)
    first, second, third = (text[places + i].astype(np.uint32) for i in range(3))
    two, three = first << 8 | second, first << 16 | second << 8 | third
    found = np.unique(np.where(first < 0xE0, two, three)).tolist()
    return {number.to_bytes(2 if number < 1 << 16 else 3, "big") for number in found}
