"""Whether a program went at its own speed or at that of its arrivals, told from real logs of known programs."""

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


def test_what_is_stated_stands() -> None:
    """A user knows whether requests come from outside."""
    log = read_gctrace(_log("ledger", 1))
    assert calibrate(log, name="ledger", overrides=Overrides(loop="open")).pace.loop == "open"
