"""Which cycles of real logs are taken for the service at work."""

from pathlib import Path

import numpy as np
import pytest

from experiments.archive import unpacked
from gcsim.calibration.evidence import Evidence, evidence_from
from gcsim.calibration.window import cycles_since_start, working_window
from gcsim.gctrace import read_gctrace
from gcsim.units import MIB

CAPTURES = unpacked(Path(__file__).parents[2] / "experiments" / "validation" / "captures")


def _log(name: str) -> Evidence:
    trace = read_gctrace(CAPTURES / f"{name}.log.gz")
    assert trace.info is not None
    return evidence_from(trace).with_gogc(trace.info.gogc)


@pytest.mark.parametrize("setting", ["gogc25", "gogc50", "gogc100", "gogc200", "gogc400"])
def test_start_up_is_left_out_though_most_cycles_are_in_it(setting: str) -> None:
    """arena keeps 34 MiB from its second second on; up to three quarters of its log's cycles come before."""
    name = f"arena-go1.27.3-{setting}-limitoff-p2-r{2 if setting == 'gogc50' else 1}"
    log = _log(name)
    live = log.live_bytes[working_window(log)] / MIB
    assert np.median(live) == pytest.approx(34, abs=1)
    assert live.min() > 28


def test_start_up_of_a_short_log_is_no_load() -> None:
    """jobs at GOGC=800: fifteen cycles while it is filled, in two seconds, and five of its load, in fifteen."""
    log = _log("jobs-go1.27.3-gogc800-limitoff-p2-r1")
    assert working_window(log) == slice(15, 20)
    assert np.ptp(log.live_bytes[15:]) < 0.1 * log.live_bytes[15:].mean()


def test_a_window_begins_some_cycles_behind_the_first_goal_that_counts_the_live_heap() -> None:
    """orders' marked heap is whole at gc 3, and the window begins at gc 6: two cycles lie between."""
    log = _log("orders-go1.27.3-gogc400-limitoff-p2-r1")
    window = working_window(log)
    first = int(np.flatnonzero(log.heap_marked_bytes >= 0.9 * log.live_bytes[window].mean())[0])
    assert cycles_since_start(log) == window.start - first - 1 == 2
