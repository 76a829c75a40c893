"""The page as a whole: head, navigation, sections, scripts."""

from collections.abc import Callable
from importlib import resources

from gcsim.report.page.charts.chart import CONFIG, script_json
from gcsim.report.page.content import Content
from gcsim.report.page.elements import escaped
from gcsim.report.page.sections.apply import apply_and_roll_back
from gcsim.report.page.sections.recommended import recommended, summary
from gcsim.report.page.sections.settings import all_settings, over_time, rules, stress
from gcsim.report.page.sections.trust import accuracy, fit, made_by, verdict_badge
from gcsim.report.page.vendored import libraries
from gcsim.units import format_mib

Section = Callable[[Content], str]

#: The sections in their order: identifier, heading and content. A new section is a row.
SECTIONS: tuple[tuple[str, str, Section], ...] = (
    ("comparison", "Today and recommended", recommended),
    ("apply", "Apply and roll back", apply_and_roll_back),
    ("settings", "All settings", all_settings),
    ("over-time", "Heap and pauses", over_time),
    ("stress", "Under stress", stress),
    ("rules", "Rules of thumb", rules),
    ("fit", "How well the model fits", fit),
    ("accuracy", "How wrong predictions are", accuracy),
    ("made", "How this page was made", made_by),
)


def html_page(content: Content) -> str:
    """The page as HTML text, deterministic in its content."""
    memory = content.sweep.memory_bytes
    title = f"{content.model.name}: GOGC and GOMEMLIMIT" + (
        "" if memory is None else f" in {format_mib(memory)}"
    )
    written = [(name, heading, make(content)) for name, heading, make in SECTIONS]
    shown = [(name, _heading(name, heading, content), inner) for name, heading, inner in written if inner]
    links = "\n".join(f'<li><a href="#{name}">{escaped(heading)}</a></li>' for name, heading, _ in shown)
    body = "\n".join(
        f'<section id="{name}" aria-labelledby="{name}-title">\n<h2 id="{name}-title">{escaped(heading)}</h2>\n'
        f"{inner}\n</section>"
        for name, heading, inner in shown
    )
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><meta name="generator" content="gcsim">
<title>{escaped(title)}</title>
<style>
{_file("style.css")}</style></head>
<body>
<a class="skip" href="#main">To the content</a>
<header>
<h1>{escaped(title)}</h1>
<p class="about">{escaped(content.about)}</p>
{verdict_badge(content)}
</header>
<main id="main">
{summary(content)}
<nav aria-label="Sections"><ul>
{links}
</ul></nav>
{body}
</main>
<footer><p>Made by gcsim from a model of the service. Predictions are not measurements.</p></footer>
<script type="application/json" id="figure-config">{script_json(CONFIG)}</script>
{_scripts()}
</body>
</html>
"""


def _heading(name: str, heading: str, content: Content) -> str:
    if name == "comparison" and content.recommendation is None:
        return "Today's setting"
    if name == "comparison" and content.chosen is None:
        return "Today and the nearest miss"
    return heading


def _scripts() -> str:
    """The libraries with their licences, and the script of the page."""
    found = [f"<script>{one.notice}\n{one.script}</script>" for one in libraries()]
    return "\n".join([*found, f"<script>\n{_file('glue.js')}</script>"])


def _file(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")
