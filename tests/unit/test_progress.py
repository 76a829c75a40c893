"""Progress shows a rate and the time left, of this run alone."""

from gcsim.cli.progress import Pace


def test_the_rate_leaves_out_what_was_finished_before() -> None:
    """100 settings of an earlier sweep, then 20 in 10 seconds; 380 are left."""
    pace = Pace()
    pace.count(100, 5.0)
    assert pace.text(500) == ""
    pace.count(110, 10.0)
    pace.count(120, 15.0)
    pace.count(120, 40.0)  # the thread that prints lines asks again
    assert pace.text(500) == "2.0 /s, 190 s left"


def test_fast_and_slow_rates_are_short() -> None:
    """Three digits or so."""
    pace = Pace()
    pace.count(0, 0.0)
    pace.count(1, 30.0)
    assert pace.text(2) == "0.0 /s, 30 s left"
    pace.count(123_456, 60.0)
    assert pace.text(1_000_000) == "2,058 /s, 426 s left"
