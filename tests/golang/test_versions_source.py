"""The functions that the table of versions names are in the real source."""

import re
from typing import TYPE_CHECKING

import pytest

from gcsim.goruntime.version_changes import CHANGES, Change

if TYPE_CHECKING:
    from go_toolchain import GoToolchain

# Earlier names are gone from today's source: they were C, or have been renamed since.
RECENT = [change for change in CHANGES if change.minor >= 18]


def functions(change: Change) -> list[tuple[str, str]]:
    """(file below src/, bare function name) of each function a change names."""
    found = []
    for part in change.source_function.split("; "):
        file, names = part.split(": ")
        path = file if "/" in file else f"runtime/{file}"
        found += [(path, name.rsplit(".", 1)[-1]) for name in names.split(", ")]
    return found


@pytest.mark.parametrize("change", RECENT, ids=lambda change: f"{change.go} {change.source_function}")
def test_the_functions_named_exist(change: Change, go_toolchain: "GoToolchain") -> None:
    """Each function is defined in the file where the table says to look."""
    for path, name in functions(change):
        text = (go_toolchain.source_dir / path).read_text()
        pattern = rf"^func (\([^)]*\) )?{re.escape(name).replace(re.escape('*'), '[A-Za-z0-9]+')}\("
        assert re.search(pattern, text, re.MULTILINE), f"{name} in {path}"
