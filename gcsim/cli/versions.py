"""``gcsim versions``: changes of Go's collector by version, and the rules of one version."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import emit_json, emit_rich
from gcsim.cli.options import JsonOption

if TYPE_CHECKING:
    from gcsim.goruntime.versions import GoRules


def versions(
    go: Annotated[
        str | None, typer.Option("--go", metavar="1.X", help="Only the rules of this version.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the changes of the collector in each Go version, with the source function."""
    from gcsim.goruntime.versions import known_versions, rules_for

    chosen = known_versions() if go is None else (go,)
    rules = [rules_for(version) for version in chosen]
    if as_json:
        emit_json({"changes": _changes(), "rules": {r.go: asdict(r) for r in rules}})
    elif go is None:
        _print_changes()
    else:
        _print_rules(rules[0])


def _changes() -> list[dict[str, object]]:
    from gcsim.goruntime.version_changes import CHANGES

    return [
        {"go": c.go, "what": c.what, "source_function": c.source_function, "rules": dict(c.rules)}
        for c in CHANGES
    ]


def _print_changes() -> None:
    from rich.table import Table
    from rich.text import Text

    from gcsim.goruntime.version_changes import CHANGES

    table = Table("Go", "what changed", "where", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    previous = ""
    for change in CHANGES:
        go = change.go if change.go != previous else ""
        table.add_row(*(Text(cell) for cell in (go, change.what, change.source_function)))
        previous = change.go
    emit_rich(table)


def _print_rules(rules: "GoRules") -> None:
    from rich.table import Table

    table = Table(f"Go {rules.go}", "", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, value in asdict(rules).items():
        table.add_row(name, _words(value))
    emit_rich(table)


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
