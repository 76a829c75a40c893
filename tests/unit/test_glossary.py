"""docs/reference/glossary.md defines each term once, in order."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "glossary.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
ROWS = {
    title: [row for row in re.findall(r"^\| ([^|]+?) \|", body, re.M) if row not in ("name", "term")]
    for title, body in SECTIONS.items()
}


def test_every_term_is_defined_once() -> None:
    """A term and its synonyms stand in one row of one table."""
    terms = [term.strip("` ").lower() for rows in ROWS.values() for row in rows for term in row.split(",")]
    assert len(terms) > 100
    assert sorted({term for term in terms if terms.count(term) > 1}) == []


def test_terms_are_in_alphabetical_order() -> None:
    """So that a reader finds them."""
    for title, rows in ROWS.items():
        plain = [re.sub(r"[^a-z0-9]", "", row.split(",")[0].lower()) for row in rows]
        assert plain == sorted(plain), title


def test_the_contents_name_every_section() -> None:
    """In the page's order."""
    assert re.findall(r"^- \[([^\]]+)\]\(#", PAGE, re.M) == list(SECTIONS)
