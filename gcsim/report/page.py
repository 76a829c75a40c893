"""Self-contained HTML pages with figures, tables and settings, without scripts or external files."""

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from gcsim.metrics import METRIC_LABELS, Estimate, format_metric
from gcsim.report.style import render

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; max-width: 62rem }
body { margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.7rem; margin-bottom: 0 } h2 { font-size: 1.2rem; margin-top: 2.2rem }
p.about { color: #59636e; margin-top: .2rem } img { width: 100%; height: auto }
table { border-collapse: collapse; font-size: .9rem }
th, td { padding: .25rem .9rem .25rem 0; text-align: right }
th:first-child, td:first-child { text-align: left } th { color: #59636e; font-weight: 500 }
tr + tr { border-top: 1px solid #eaeef2 }
pre { background: #f6f8fa; padding: .8rem 1rem; border-radius: .4rem; overflow-x: auto }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section: heading, paragraphs, optional code block, figures with descriptions, table."""

    title: str
    paragraphs: tuple[str, ...] = ()
    code: str = ""
    figures: tuple[tuple[Figure, str], ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def html_page(title: str, about: str, sections: Sequence[Section]) -> str:
    """The page as HTML text, deterministic in its content."""
    body = "\n".join(_section(section) for section in sections)
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{html.escape(title)}</title>
<style>{_STYLE}</style></head>
<body>
<h1>{html.escape(title)}</h1>
<p class="about">{html.escape(about)}</p>
{body}
</body>
</html>
"""


def estimate_rows(metrics: Mapping[str, Estimate]) -> tuple[tuple[str, ...], ...]:
    """The rows of metrics: label, median, low and high."""
    return tuple(
        (METRIC_LABELS.get(name, name), *(format_metric(name, x) for x in (e.value, e.low, e.high)))
        for name, e in metrics.items()
    )


def _section(section: Section) -> str:
    parts = [f"<h2>{html.escape(section.title)}</h2>"]
    parts += [f"<p>{html.escape(paragraph)}</p>" for paragraph in section.paragraphs]
    if section.code:
        parts.append(f"<pre>{html.escape(section.code)}</pre>")
    parts += [_image(figure, text) for figure, text in section.figures]
    if section.rows:
        parts.append(_table(section.columns, section.rows))
    return "\n".join(parts)


def _image(figure: Figure, text: str) -> str:
    """The figure as an SVG in a data URL, so that SVG identifiers of several figures do not collide."""
    encoded = base64.b64encode(render(figure, "svg")).decode()
    return f'<img alt="{html.escape(text)}" src="data:image/svg+xml;base64,{encoded}">'


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table>\n<tr>{head}</tr>\n{body}\n</table>"
