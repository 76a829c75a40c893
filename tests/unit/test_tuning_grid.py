"""The grid syntax of ``--gogc`` and ``--gomemlimit``."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcsim.errors import InputError
from gcsim.tuning.grid import parse_gogc_grid, parse_gomemlimit_grid, settings_grid
from gcsim.units import GIB, MIB


def test_a_range_is_log_spaced_whole_percent_with_both_ends_kept() -> None:
    """Neighbours stand at one ratio, up to rounding to whole percent."""
    values = [value for value in parse_gogc_grid("25:800:12") if value is not None]
    assert (values[0], values[-1], len(values)) == (25, 800, 12)
    ratio = (800 / 25) ** (1 / 11)
    for lower, upper in pairwise(values):
        assert upper / lower == pytest.approx(ratio, rel=1.0 / lower)


def test_lists_ranges_and_off_mix_in_the_order_written() -> None:
    """``off`` stands where it was written."""
    limits = parse_gomemlimit_grid("off,64MiB:2GiB:24")
    assert limits[0] is None
    assert limits[1] == 64 * MIB
    assert limits[-1] == 2 * GIB
    assert len(limits) == 25


def test_limits_between_the_ends_are_whole_mib() -> None:
    """What one would write into a manifest."""
    assert all(limit is not None and limit % MIB == 0 for limit in parse_gomemlimit_grid("64MiB:2GiB:24"))


def test_duplicates_are_dropped_and_the_first_kept() -> None:
    """A short range rounds several values to the same percent."""
    assert parse_gogc_grid("100,50,100,off,off") == [100, 50, None]
    assert parse_gogc_grid("2:4:50") == [2, 3, 4]


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("512Mi", "write 512MiB"),
        ("64MiB:512Mi:4", "write 512MiB"),
        ("0:1GiB:5", "cannot reach 0"),
        ("64MiB:1GiB:1", "from 2 to"),
        ("64MiB:1GiB", "from:to:count"),
        ("64MiB:1GiB:many", "not a count"),
        ("64MiB:off:4", "'off'"),
        ("64MiB,,1GiB", "empty entry"),
        ("", "empty entry"),
    ],
)
def test_a_malformed_limit_names_the_option_and_the_fix(text: str, remedy: str) -> None:
    """One sentence that says what to write instead."""
    with pytest.raises(InputError, match=r"^--gomemlimit: ") as caught:
        parse_gomemlimit_grid(text)
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("-5", "negative"),
        ("0:800:12", "cannot reach 0"),
        ("25:800:1", "from 2 to"),
        ("25:off:4", "next to the range"),
        ("25:800:1000000000", "from 2 to"),
        ("ten", "whole number"),
    ],
)
def test_a_malformed_gogc_names_the_option_and_the_fix(text: str, remedy: str) -> None:
    """Go itself would take these for 100 in silence."""
    with pytest.raises(InputError, match=r"^--gogc: ") as caught:
        parse_gogc_grid(text)
    assert remedy in str(caught.value)


def test_a_grid_too_large_to_simulate_is_refused() -> None:
    """A slip of the count should not fill the memory."""
    with pytest.raises(InputError, match="at most 100,000 settings"):
        settings_grid(range(1, 1001), range(1, 1001), gomaxprocs=1, go="1.27")


@given(low=st.integers(1, 10_000), high=st.integers(1, 10_000), count=st.integers(2, 60))
def test_a_range_is_monotone_and_stays_between_its_ends(low: int, high: int, count: int) -> None:
    """Rising or falling, without repeats, whatever the ends."""
    values = [value for value in parse_gogc_grid(f"{low}:{high}:{count}") if value is not None]
    assert values == sorted(set(values), reverse=low > high)
    assert {min(values), max(values)} == {low, high}
