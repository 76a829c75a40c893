"""The parts of the page as HTML text: paragraphs, tables, snippets, lists. All text is escaped here."""

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from matplotlib.figure import Figure

from gcsim.printable import printable, printable_lines
from gcsim.report.style import render

Cell = str | tuple[str, str]  # text, or text and its interval, which a phone shows on a line of its own
_DECIMALS = re.compile(rb"(?<![\d.])([1-9]\d*\.\d\d)\d+")  # not those of scales, which are below 1
_BLANKS = re.compile(rb"\s+")
_URL_SAFE = " =:/,;.()-+*!'@$_~?"  # characters of an SVG that a quoted attribute may hold as they are


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table; the first cell of a row is its heading. ``marked`` is a column that stands out."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    marked: int | None = None
    texts: tuple[int, ...] = ()  # columns of words, which are aligned on the left
    is_grid: bool = False  # many columns of one metric: intervals stand on lines of their own

    def html(self) -> str:
        """The table in a region that scrolls by itself, so that the page does not.

        A table with words is a list of rows on a phone. There the style sheet takes its roles away, so it states them.
        """
        kinds = ("table", "rowgroup", "row", "columnheader", "rowheader", "cell") if self.texts else ()
        table, group, row, *heads = (
            (f' role="{kind}"' for kind in kinds) if kinds else ("", "", "", "", "", "")
        )
        head = "".join(
            f'<th scope="col"{heads[0]}{self._class(i)}>{escaped(c)}</th>' if c else f"<td{heads[2]}></td>"
            for i, c in enumerate(self.columns)
        )
        body = "\n".join(f"<tr{row}>{self._row(cells, heads)}</tr>" for cells in self.rows)
        look = ' class="stack"' if self.texts else ' class="grid"' if self.is_grid else ""
        return (
            f'<div class="scroll" role="region" tabindex="0" aria-label="{escaped(self.caption)}"><table{look}{table}>'
            f'<caption class="unseen">{escaped(self.caption)}</caption>\n'
            f"<thead{group}><tr{row}>{head}</tr></thead>\n<tbody{group}>\n{body}\n</tbody></table></div>"
        )

    def _row(self, row: Sequence[Cell], heads: Sequence[str]) -> str:
        first, *rest = row
        cells = "".join(
            f"<td{heads[2]}{self._class(i)}{self._label(i)}>{_cell(cell)}</td>"
            for i, cell in enumerate(rest, start=1)
        )
        return f'<th scope="row"{heads[1]}>{_cell(first)}</th>{cells}'

    def _label(self, column: int) -> str:
        """The column's name in each cell of a table with words, for the list on a phone."""
        return f' data-label="{escaped(self.columns[column])}"' if self.texts and self.columns[column] else ""

    def _class(self, column: int) -> str:
        names = ["marked"] * (column == self.marked) + ["text"] * (column in self.texts)
        return f' class="{" ".join(names)}"' if names else ""


def escaped(text: str) -> str:
    """The text as one line of HTML, without control characters."""
    return html.escape(printable(text))


def paragraphs(texts: Iterable[str]) -> str:
    """One paragraph for each text."""
    return "\n".join(f"<p>{escaped(text)}</p>" for text in texts)


def bullets(texts: Iterable[str]) -> str:
    """A list."""
    return "<ul>\n" + "\n".join(f"<li>{escaped(text)}</li>" for text in texts) + "\n</ul>"


def steps(texts: Iterable[str]) -> str:
    """A numbered list."""
    return "<ol>\n" + "\n".join(f"<li>{escaped(text)}</li>" for text in texts) + "\n</ol>"


def snippet(title: str, code: str) -> str:
    """Text to paste, with a button that copies it; the script shows the button."""
    name = escaped(title)
    return (
        f'<div class="snippet"><div class="bar"><span>{name}</span>'
        f'<button type="button" class="copy" aria-label="Copy: {name}" hidden>Copy</button></div>'
        f'<pre tabindex="0" aria-label="{name}"><code>{html.escape(printable_lines(code))}</code></pre></div>'
    )


def details(summary: str, inner: str, *, is_open: bool = False) -> str:
    """A part that the reader can open; ``inner`` is HTML."""
    return f"<details{' open' if is_open else ''}><summary>{escaped(summary)}</summary>\n{inner}\n</details>"


def image(figure: Figure, text: str) -> str:
    """The figure as an SVG in a data URL, so that identifiers of several figures do not collide."""
    source = _quoted(render(figure, "svg", text="none"))
    return f'<img class="still" alt="{escaped(text)}" src="data:image/svg+xml,{source}">'


def _quoted(svg: bytes) -> str:
    """The SVG as part of a URL; coordinates have two decimals, a hundredth of a point."""
    short = _BLANKS.sub(b" ", _DECIMALS.sub(rb"\1", svg))
    if b"'" not in short:
        short = short.replace(b'"', b"'")  # three bytes less for each of them
    return quote(short, safe=_URL_SAFE)


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return escaped(cell)
    value, interval = cell
    return f'{escaped(value)} <span class="interval">{escaped(interval)}</span>'
