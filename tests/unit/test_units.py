"""Sizes, durations, percentages and counts: what is read, what is refused, how figures are printed."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcsim.errors import InputError
from gcsim.tuning.grid import parse_gogc_grid, parse_gomemlimit_grid
from gcsim.units import (
    GIB,
    KIB,
    MIB,
    TIB,
    format_error,
    format_go_bytes,
    format_interval,
    format_mib,
    format_number,
    format_percent,
    format_seconds,
    parse_count,
    parse_duration,
    parse_fraction,
    parse_go_bytes,
    parse_gogc,
    parse_gomemlimit,
    parse_memory_size,
)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("512Mi", 512 * MIB),
        ("512MiB", 512 * MIB),
        (" 512 MiB ", 512 * MIB),
        ("0.5Gi", 512 * MIB),
        ("1.5GiB", 1536 * MIB),
        ("2Gi", 2 * GIB),
        ("1Ti", TIB),
        ("8192Ki", 8 * MIB),
        ("512M", 512_000_000),
        ("2G", 2_000_000_000),
        ("512MB", 512_000_000),
        ("1.5G", 1_500_000_000),
        ("100000k", 100_000_000),
        ("536870912", 512 * MIB),
        ("536870912B", 512 * MIB),
        ("129e6", 129_000_000),
        ("4MiB", 4 * MIB),
    ],
)
def test_a_containers_size(text: str, size_bytes: int) -> None:
    """Kubernetes' decimal suffixes are decimal, exactly."""
    assert parse_memory_size(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("512", "512MiB or 512Mi"),
        ("0", "512MiB"),
        ("3Mi", "too little"),
        ("4194303", "4194303 bytes"),
        ("512m", "write 512MiB"),
        ("2g", "write 2GiB"),
        ("512K", "write 512KiB"),
        ("-1Gi", "not a size"),
        ("1,5Gi", "not a size"),
        ("Gi", "not a size"),
        ("", "not a size"),
        ("\u0665\u0661\u0662Mi", "not a size"),
        ("512Mib", "not a size"),
        ("9" * 400, "not a size"),
        ("9999999Ti", "largest"),
        ("1e99", "largest"),
    ],
)
def test_a_containers_size_that_is_refused(text: str, named: str) -> None:
    """The sentence names the option and what to write."""
    with pytest.raises(InputError, match=rf"^--memory: .*{re.escape(named)}"):
        parse_memory_size(text)


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("512Mi", "512MiB"),
        ("2Gi", "2GiB"),
        ("512M", "512000000B"),
        ("4G", "4000000000B"),
        ("512MB", "512000000B"),
        ("1.5GiB", "1536MiB"),
        ("0.5Gi", "512MiB"),
        ("512 MiB", "512MiB"),
    ],
)
def test_a_limit_in_another_spelling_gets_gos(text: str, spelling: str) -> None:
    """Of exactly the same size: Go reads what the sentence says to write."""
    with pytest.raises(InputError, match=f"write {spelling}, the same size"):
        parse_gomemlimit(text)
    assert parse_go_bytes(spelling) == parse_memory_size(text)


def test_a_decimal_limit_is_not_rounded_up_in_silence() -> None:
    """512M is 5 % less than 512MiB; the sentence says which is which."""
    with pytest.raises(InputError, match="512000000B, the same size, or 512MiB, which is more"):
        parse_gomemlimit("512M")


@given(st.integers(min_value=0, max_value=2**63 - 2))
def test_gos_spelling_is_read_back(size_bytes: int) -> None:
    """Exactly."""
    assert parse_gomemlimit(format_go_bytes(size_bytes)) == size_bytes


@pytest.mark.parametrize("digits", [30, 400, 5000])
def test_numbers_too_long_are_refused_in_a_short_sentence(digits: int) -> None:
    """By every parser, without the number itself."""
    text = "9" * digits
    for parse in (
        parse_gogc, parse_go_bytes, parse_memory_size, parse_duration, parse_count, parse_gogc_grid,
        parse_gomemlimit_grid, lambda it: parse_fraction(it, what="--max-error"),
    ):  # fmt: skip
        with pytest.raises(InputError) as refused:
            parse(text)
        assert len(str(refused.value)) < 200


@given(st.text(st.characters(categories=["Nd"]), min_size=1, max_size=6))
def test_only_ascii_digits_are_digits(text: str) -> None:
    """As in Go."""
    for parse in (parse_gogc, parse_go_bytes, parse_duration, parse_count):
        if text.isascii():
            continue
        with pytest.raises(InputError):
            parse(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10m", 600.0), ("1h30m", 5400.0), ("250ms", 0.25), ("1.5s", 1.5), ("90", 90.0)],
)
def test_a_duration(text: str, seconds: float) -> None:
    """Go's syntax; a bare number is seconds."""
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["0s", "-5s", "soon", "", "9" * 18 + "h", "1m" * 5000, "1e3s", "1 m", "infs", "nan"]
)
def test_a_duration_that_is_refused(text: str) -> None:
    """What is read is positive, finite and within Go's range."""
    with pytest.raises(InputError, match="--duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["50..400", "50-400", "50...400"])
def test_a_range_in_another_spelling_gets_ours(text: str) -> None:
    """In a grid, and where one value is wanted."""
    with pytest.raises(InputError, match="from:to:count, such as 50:400:12"):
        parse_gogc_grid(text)
    with pytest.raises(InputError, match="from:to:count"):
        parse_gogc(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (1.0, "1"), (0.5, "0.5"), (12.34, "12.3"), (467.2, "467"), (999.4, "999"), (999.5, "1000"),
        (1013.0, "1013"), (14356.0, "14,356"), (0.000491, "0.000491"), (4.91e-05, "0.0000491"), (99.96, "100"),
        (-1234.5, "-1234"), (0.0009996, "0.001"), (math.nan, "—"), (math.inf, "∞"),
    ],
)  # fmt: skip
def test_three_significant_digits(value: float, text: str) -> None:
    """Without an exponent, whole numbers in full."""
    assert format_number(value) == text


@given(st.floats(min_value=1e-9, max_value=1e12))
def test_a_number_has_no_exponent_and_is_right_to_three_digits(value: float) -> None:
    """Whatever its size."""
    text = format_number(value)
    assert "e" not in text
    assert float(text.replace(",", "")) == pytest.approx(value, rel=0.00501)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"), (512, "512 B"), (4 * KIB, "4 KiB"), (999.6 * KIB, "1000 KiB"), (203.4 * MIB, "203 MiB"),
        (1013 * MIB, "1013 MiB"), (1023.9 * MIB, "1 GiB"), (GIB, "1 GiB"), (1.954 * GIB, "1.95 GiB"),
        (3.3 * TIB, "3.3 TiB"), (-12.3 * MIB, "-12.3 MiB"),
    ],
)  # fmt: skip
def test_a_size_for_people(size_bytes: float, text: str) -> None:
    """In the largest unit of which it is one or more."""
    assert format_mib(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (7e-8, "70 ns"),
        (55.5e-6, "55.5 µs"),
        (999.6e-6, "1 ms"),
        (1.42, "1.42 s"),
        (1420.0, "1420 s"),
    ],
)
def test_a_duration_for_people(seconds: float, text: str) -> None:
    """1 ms, not 1000 µs."""
    assert format_seconds(seconds) == text


def test_a_share_for_people() -> None:
    """What is next to nothing is called so."""
    assert format_percent(0.104) == "10.4 %"
    assert format_percent(4.91e-7) == "<0.001 %"
    assert format_percent(0.0) == "0 %"
    assert format_percent(0.1044, 2) == "10 %"


def test_an_error_for_people() -> None:
    """A factor where a percentage says nothing."""
    assert [format_error(error) for error in (0.042, -0.9, 143.56, math.nan)] == [
        "+4.2 %",
        "-90.0 %",
        "×145",
        "—",
    ]


def test_an_interval_prints_its_unit_once() -> None:
    """Unless the ends have different ones."""
    assert format_interval("412 MiB", "398 MiB", "431 MiB") == "412 MiB (398 to 431 MiB)"
    assert format_interval("900 MiB", "870 MiB", "1.1 GiB") == "900 MiB (870 MiB to 1.1 GiB)"
    assert format_interval("—", "—", "—") == "— (— to —)"
