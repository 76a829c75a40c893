"""Whether a program went at its own speed or at that of its arrivals, told from real logs of known programs."""

from dataclasses import replace
from pathlib import Path

import pytest

from gcsim.calibration import Overrides, calibrate
from gcsim.gctrace import read_gctrace

CAPTURES = Path(__file__).parents[2] / "experiments" / "validation" / "captures"
OPEN = (
    "orders-open", "ptrcache-open", "idle", "sessions", "smallapi", "tsdb", "broker", "kvstore", "gateway", "arena",
)  # fmt: skip
CLOSED = (
    "orders", "ptrcache", "blobcache", "tinyheap", "deepstacks", "steps", "bursty", "leak", "jsonapi", "logship",
    "compiler", "pages", "search", "thumbs", "query", "graph", "ledger", "rules", "tiles",
)  # fmt: skip


def _log(program: str, repeat: int) -> Path:
    return CAPTURES / f"{program}-go1.27.3-gogc100-limitoff-p2-r{repeat}.log.gz"


@pytest.mark.parametrize("repeat", [1, 2])
@pytest.mark.parametrize(
    ("program", "loop"), [*((name, "open") for name in OPEN), *((name, "closed") for name in CLOSED)]
)
def test_the_loop_of_real_programs_is_told(program: str, loop: str, repeat: int) -> None:
    """Arrivals are served where Ps are idle; locks (ledger) and pauses among few clients (bursty) hold a program up."""
    assert calibrate(read_gctrace(_log(program, repeat)), name=program).pace.loop == loop


@pytest.mark.parametrize("captured", [True, False])
@pytest.mark.parametrize("program", ["ledger", "orders"])
def test_what_is_stated_stands(program: str, captured: bool) -> None:
    """A user knows whether requests come from outside, with or without the capture's side file."""
    log = read_gctrace(_log(program, 1))
    log = log if captured else replace(log, info=None)
    pace = calibrate(log, name=program, overrides=Overrides(loop="open")).pace
    assert pace.loop == "open"
    assert 0 < pace.busy_procs <= 2
