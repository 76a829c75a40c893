"""Generated tables in pages, each between two comments that name it."""

from pathlib import Path

from gcsim.atomic import write_text_atomically
from gcsim.errors import InputError


def _parts(page: Path, name: str) -> tuple[str, str, str]:
    """(the text up to the table, the table, the text after it)."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    text = page.read_text(encoding="utf-8")
    if text.count(begin) != 1 or text.count(end) != 1:
        raise InputError(f"{page.name}: needs the lines {begin.strip()} and {end.strip()} once each")
    before, rest = text.split(begin)
    inside, after = rest.split(end)
    return before + begin, inside, end + after


def stated_table(page: Path, name: str) -> str:
    """The table of a page."""
    return _parts(page, name)[1]


def write_table(page: Path, name: str, table: str) -> None:
    """Replaces the table of a page."""
    before, _, after = _parts(page, name)
    write_text_atomically(page, before + table + after)


def replace_table(page: Path, name: str, table: str, *, check: bool) -> bool:
    """Whether the table of a page differs from this one; without ``check`` it is replaced."""
    differs = stated_table(page, name) != table
    if differs and not check:
        write_table(page, name, table)
    return differs
