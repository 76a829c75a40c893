"""docs/explanation/article-claims.md: the table of claims, and the section of each study."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from experiments.article.claims import Claim
from experiments.tables import replace_table

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "article-claims.md"
CLAIMS = "claims"


class Study(Protocol):
    """The module of one study."""

    @property
    def NAME(self) -> str: ...  # noqa: N802  # a constant of the module

    @property
    def claims(self) -> Callable[[], list[Claim]]: ...

    @property
    def section(self) -> Callable[[], str]: ...

    @property
    def run(self) -> Callable[[Path], None]: ...


def write_page(named: Sequence[Study], every: Iterable[Study], *, check: bool) -> bool:
    """Whether the page differs from today's predictions and the committed runs; without ``check`` it is replaced.

    ``named`` are the studies whose sections are made again; the table of claims has ``every`` study.
    """
    tables = {CLAIMS: claims_table(every), **{study.NAME: study.section() for study in named}}
    found = [
        replace_table(PAGE, f"article {name}", f"{body}\n", check=check) for name, body in tables.items()
    ]
    return any(found)


def claims_table(studies: Iterable[Study]) -> str:
    """A row for each claim."""
    lines = ["| claim | verdict | because | study |", "|---|---|---|---|"]
    for study in studies:
        for one in study.claims():
            link = f"[{study.NAME}](#{study.NAME.replace('_', '-')})"
            lines.append(f"| {one.claim} | **{one.verdict}** | {one.why} | {link} |")
    return "\n".join(lines)
