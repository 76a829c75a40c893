"""The measured errors of gcsim, from the page that ``python -m experiments.validation report`` writes.

The wheel ships ``docs/explanation/accuracy-summary.md``, so that the page states what the documentation states.
"""

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Self

_SHIPPED = "accuracy-summary.md"
_IN_CHECKOUT = Path("docs") / "explanation" / _SHIPPED
_LINK = re.compile(r"\[([^]]+)\]\([^)]*\)")
_MARKS = re.compile(r"\*\*|\*|`")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredTable:
    """One table of errors."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""  # explains its columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Errors on real software and on our own programs, and the cases to doubt."""

    about: str
    tables: tuple[MeasuredTable, ...]
    doubts: tuple[str, ...]

    @classmethod
    def shipped(cls) -> Self | None:
        """The measured errors of this version; None if the file is missing."""
        package = Path(str(resources.files("gcsim")))
        for path in (package / _SHIPPED, package.parent / _IN_CHECKOUT):
            if path.is_file():
                return cls.from_page(path.read_text(encoding="utf-8"))
        return None

    def error_of(self, metric: str) -> str:
        """Median error and 90th percentile on real software, from a capture; empty for an unknown metric."""
        table = self.tables[0]
        if "capture" not in table.columns:
            return ""
        column = table.columns.index("capture")
        return next((row[column] for row in table.rows if row[0] == metric), "")

    @classmethod
    def from_page(cls, text: str) -> Self:
        """The measured errors in the text of the page."""
        parts = re.split(r"^## ", text, flags=re.MULTILINE)
        named = {part.partition("\n")[0].strip(): part.partition("\n")[2] for part in parts[1:]}
        about, real = _table_after(parts[0], "Real software")
        own_about, own = _table_after(
            named["Programs written for this project"], "Programs written for this project"
        )
        doubts = [
            _plain(line[2:]) for line in named["Where not to trust it"].split("\n") if line.startswith("- ")
        ]
        del own_about
        return cls(about=about, tables=(real, own), doubts=tuple(doubts))


def _table_after(text: str, caption: str) -> tuple[str, MeasuredTable]:
    """The paragraph before the first table of a text, and the table with the paragraph that follows."""
    blocks = [block for block in text.strip().split("\n\n") if block.strip()]
    place = next(i for i, block in enumerate(blocks) if block.startswith("|"))
    head, _, *body = [_cells(line) for line in blocks[place].split("\n")]
    note = _plain(blocks[place + 1]) if len(blocks) > place + 1 else ""
    table = MeasuredTable(caption=caption, columns=head, rows=tuple(body), note=note)
    return _plain(blocks[place - 1]), table


def _cells(line: str) -> tuple[str, ...]:
    return tuple(_plain(cell) for cell in line.strip().strip("|").split("|"))


def _plain(text: str) -> str:
    """The text without the marks of Markdown."""
    return _MARKS.sub("", _LINK.sub(r"\1", text)).strip()
