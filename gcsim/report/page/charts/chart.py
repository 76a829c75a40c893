"""One interactive figure: its specification, the text of each of its values, and its table."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from gcsim.printable import printable
from gcsim.report.page.elements import Table, details, escaped, image

Spec = dict[str, Any]
Datum = dict[str, Any]

INK, QUIET, GRID, PAPER = "var(--ink)", "var(--quiet)", "var(--grid)", "var(--paper)"
BLUE, GREEN, VERMILION, ORANGE, FOCUS = (
    "var(--blue)",
    "var(--green)",
    "var(--vermilion)",
    "var(--orange)",
    "var(--focus)",
)
HOVER, AT = "hover", "at"  # the value under the pointer, and the one that the arrow keys chose

#: What all figures share. Colours are variables of the style sheet, which knows light, dark and print.
CONFIG: Spec = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "aria": False,
    "view": {"stroke": None},
    "axis": {
        "labelColor": QUIET, "titleColor": INK, "gridColor": GRID, "tickColor": GRID, "domainColor": GRID,
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "titlePadding": 8,
    },
    "legend": {
        "labelColor": INK, "titleColor": QUIET, "labelFontSize": 12, "titleFontSize": 12,
        "titleFontWeight": "normal", "orient": "top", "symbolSize": 110, "symbolOpacity": 1, "labelLimit": 0,
    },
}  # fmt: skip


#: A key of groups, which has two columns on a phone.
KEY: Spec = {"title": None, "columns": {"expr": "width < 420 ? 2 : 4"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A figure whose data are in the order of the arrow keys."""

    stem: str
    title: str
    about: str  # what the reader looks at, and what the marks mean
    spec: Spec  # each of its data has ``text``: the value with unit and interval
    table: Table
    per_row: int | None = None  # values in a row, of a grid: up and down move by it
    still: Figure | None = None  # shown without JavaScript

    def html(self) -> str:
        """The figure, its still image if it has one, a line for values, the table, and the data of the script."""
        data = {"spec": self.spec, "perRow": self.per_row}
        title, alt = escaped(self.title), f"{self.title}. {self.about} The table below has all values."
        still = "" if self.still is None else image(self.still, alt)
        return f"""<figure class="chart" id="figure-{self.stem}">
<figcaption><h3>{title}</h3><p>{escaped(self.about)}</p></figcaption>
{still}
<div class="plot" hidden tabindex="0" role="application" aria-roledescription="interactive figure"
 aria-label="{title}. Arrow keys move between values." aria-describedby="value-{self.stem}"></div>
<output class="value" id="value-{self.stem}" hidden></output>
{details(f"{self.title}: all values as a table", self.table.html(), is_open=self.still is None)}
<script type="application/json">{script_json(data)}</script>
</figure>"""


def script_json(value: object) -> str:
    """The value as JSON inside a ``script`` element: six digits of each number; NaN and infinities are null."""
    text = json.dumps(_finite(value), ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def rows(values: Sequence[Mapping[str, Any]]) -> list[Datum]:
    """The values as data: each has its place ``i`` in the order of the arrow keys, and a printable ``text``."""
    return [
        {"i": place, **value, "text": printable(str(value["text"]))} for place, value in enumerate(values)
    ]


def chart_spec(
    layers: Sequence[Spec], *, height: int, data: Sequence[Datum], place: Spec, is_grid: bool = False
) -> Spec:
    """The specification of layers over one set of data, as wide as the page allows.

    ``place`` holds the encodings x and y of the data. Two layers on top mark the value that the reader looks at, and
    find it under the pointer: the cell of a grid, or the nearest point.
    """
    ring: Spec = {"type": "rect", "filled": False} if is_grid else {"type": "point", "size": 240}
    hidden: Spec = {"type": "rect" if is_grid else "point", "opacity": 0}
    pointed = {"type": "point", "on": "pointerover", "clear": False, "nearest": not is_grid, "fields": ["i"]}
    found: list[Spec] = [
        {
            "transform": [{"filter": f"datum.i === {AT}"}],
            "mark": {**ring, "stroke": FOCUS, "strokeWidth": 3, "clip": True},
            "encoding": place,
        },
        {
            "params": [{"name": HOVER, "select": pointed}],
            "mark": {**hidden, "clip": True},
            "encoding": {**place, "tooltip": {"field": "text", "type": "nominal"}},
        },
    ]
    return {
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "params": [{"name": AT, "value": -1}],
        "data": {"values": list(data)},
        "layer": [*layers, *found],
    }


def _finite(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.6g}") if value - value == 0.0 else None
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value
