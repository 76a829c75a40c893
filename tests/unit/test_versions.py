"""The table of versions: complete, consistent with itself and with its page in docs/."""

from dataclasses import fields
from pathlib import Path

import pytest

from gcsim.errors import InputError
from gcsim.goruntime.version_changes import CHANGES, NEWEST_MINOR, Change
from gcsim.goruntime.versions import GoRules, known_versions, rules_for

NEWEST = f"1.{NEWEST_MINOR}"
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "versions.md"


@pytest.mark.parametrize(
    ("written", "go"),
    [
        ("1.27", "1.27"),
        ("go1.26.6", "1.26"),
        ("1.25.5", "1.25"),
        ("1.26rc1", "1.26"),
        ("go1.21beta2", "1.21"),
        (" 1.4.2 ", "1.4"),
        ("go1.27.3 X:nogreenteagc", "1.27"),
        ("go1.24.1-custom", "1.24"),
    ],
)
def test_every_spelling_of_a_version_is_read(written: str, go: str) -> None:
    """Minor, patch, release candidate and what runtime.Version adds all lead to the minor version."""
    assert rules_for(written).go == go


@pytest.mark.parametrize(
    ("written", "nearest"),
    [(f"1.{NEWEST_MINOR + 1}", NEWEST), ("2.0", NEWEST), ("1.1", "1.2"), ("go1.99.1", NEWEST)],
)
def test_an_unknown_version_names_the_nearest(written: str, nearest: str) -> None:
    """A version without rules is an error that says which to take instead."""
    with pytest.raises(InputError, match=rf"--go: .*nearest is {nearest.replace('.', '[.]')} "):
        rules_for(written)


@pytest.mark.parametrize("written", ["", "abc", "1", "1.x", "-1.20", "1.20.3.4", "127"])
def test_what_is_no_version_is_refused(written: str) -> None:
    """Anything that does not look like a Go version is an error that shows the spelling."""
    with pytest.raises(InputError, match="is not a Go version"):
        rules_for(written)


def test_every_known_version_has_rules() -> None:
    """From the oldest to the newest, in order, without a gap."""
    assert [rules_for(go).minor for go in known_versions()] == list(range(2, NEWEST_MINOR + 1))


def test_changes_are_in_order_and_set_only_rules_that_exist() -> None:
    """A misspelt rule name or a change out of place would be lost in silence."""
    names = {field.name for field in fields(GoRules)} - {"go", "minor"}
    assert [change.minor for change in CHANGES] == sorted(change.minor for change in CHANGES)
    for change in CHANGES:
        assert set(change.rules) <= names, change.what


def test_a_change_changes_something() -> None:
    """Each rule a change sets differs from the version before: the table holds no idle entry."""
    for change in CHANGES:
        if change.rules and change.minor > 2:
            before = rules_for(f"1.{change.minor - 1}")
            for name, value in change.rules.items():
                assert getattr(before, name) != value, (change.go, name)


@pytest.mark.parametrize(
    ("rule", "first", "values"),
    [
        ("concurrent", "1.5", (False, True)),
        ("trigger_floor_64ths", "1.18", (0, 45)),
        ("memory_limit", "1.19", (False, True)),
        ("triggered_is_heap_live", "1.20", (False, True)),
        ("limit_headroom_percent", "1.21", (0, 3)),
        ("scavenge_limit_goal_percent", "1.22", (9500, 95)),
        ("alloc_headers", "1.22", (False, True)),
        ("pause_cpu_counts_stopped_time", "1.23", (False, True)),
        ("cgroup_gomaxprocs", "1.25", (False, True)),
        ("green_tea", "1.26", (False, True)),
        ("size_specialized_malloc", "1.27", (False, True)),
    ],
)
def test_a_rule_turns_at_its_version(rule: str, first: str, values: tuple[object, object]) -> None:
    """The steps between versions fall where the sources of both neighbours put them."""
    before = f"1.{int(first.split('.')[1]) - 1}"
    assert (getattr(rules_for(before), rule), getattr(rules_for(first), rule)) == values


def test_cons_mark_and_barriers_by_version() -> None:
    """The two rules with more than two values go through them in the order of history."""
    smoothing = [
        rules_for(go).cons_mark_smoothing for go in ("1.4", "1.17", "1.18", "1.19", "1.20", "1.21", "1.27")
    ]
    assert smoothing == [
        "none", "proportional", "controller", "controller", "mean_of_two", "max_of_five", "max_of_five",
    ]  # fmt: skip
    barriers = [rules_for(go).write_barrier for go in ("1.4", "1.5", "1.7", "1.8", "1.27")]
    assert barriers == ["none", "dijkstra", "dijkstra", "hybrid", "hybrid"]


def test_experiments_in_the_version_string_are_honoured() -> None:
    """A binary built with or without Green Tea says so in its version, and gets those rules."""
    assert not rules_for("go1.27.3 X:nogreenteagc").green_tea
    assert not rules_for("go1.27.3 X:nogreenteagc").inline_mark_bits
    assert rules_for("go1.25.5 X:greenteagc").green_tea
    assert not rules_for("go1.25.5 X:greenteagc").green_tea_vector
    assert not rules_for("go1.24.11 X:greenteagc").green_tea
    assert not rules_for("go1.22.10 X:noallocheaders,loopvar").alloc_headers
    assert rules_for("go1.27.3 X:arenas") == rules_for("1.27")


def row(change: Change) -> str:
    """A change as a row of docs/reference/versions.md."""
    rules = ", ".join(f"`{name}` = {value!r}" for name, value in change.rules.items())
    return f"| {change.go} | {change.what} | {change.source_function} | {rules} |"


def test_the_page_repeats_the_table() -> None:
    """docs/reference/versions.md has every change, in order; a failure shows the rows to paste."""
    written = [line for line in PAGE.read_text().splitlines() if line.startswith("| 1.")]
    assert written == [row(change) for change in CHANGES]
