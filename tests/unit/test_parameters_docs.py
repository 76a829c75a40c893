"""docs/reference/parameters.md lists every parameter with its unit and range."""

import re
from pathlib import Path

from gcsim.service.parameters import PARAMETER_NAMES, RANGES
from gcsim.units import format_range

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "parameters.md").read_text(encoding="utf-8")
ROWS = {
    row[0]: row[1:] for row in re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.M)
}
UNITS = (  # by the end of the name, the longest first
    ("_cpu_seconds_per_byte", "s/byte"),
    ("_bytes_per_cpu_second", "bytes/s of CPU"),
    ("_bytes_per_second", "bytes/s"),
    ("_cpu_seconds", "s"),
    ("_bytes", "bytes"),
    ("_procs", "Ps"),
    ("", "1"),
)


def test_every_parameter_has_its_row() -> None:
    """In the order of the record, with unit and range; a failure shows the rows to paste."""
    wanted = {
        name: (
            next(unit for end, unit in UNITS if name.endswith(end)),
            format_range(RANGES[name].low, RANGES[name].high),
        )
        for name in PARAMETER_NAMES
    }
    assert list(ROWS) == list(wanted)
    assert {name: row[:2] for name, row in ROWS.items()} == wanted


def test_every_meaning_is_a_sentence_of_its_own() -> None:
    """No parameter is left without a meaning, or with that of another one."""
    meanings = [row[2].strip() for row in ROWS.values()]
    assert all(len(meaning.split()) >= 4 for meaning in meanings)
    assert len(set(meanings)) == len(meanings)
