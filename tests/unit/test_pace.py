"""Whether a program went at its own speed or at that of its arrivals, from real logs of known programs."""

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.archive import unpacked
from gcsim.calibration.calibrate import calibrate
from gcsim.calibration.checks.verdict import check_fit
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.gctrace import read_gctrace
from gcsim.service.model import Loop

CAPTURES = unpacked(Path(__file__).parents[2] / "experiments" / "validation" / "captures")
OPEN = (
    "orders-open", "ptrcache-open", "idle", "sessions", "smallapi", "tsdb", "broker", "kvstore", "gateway", "arena",
)  # fmt: skip
CLOSED = (
    "orders", "ptrcache", "blobcache", "tinyheap", "deepstacks", "steps", "leak", "jsonapi", "logship", "compiler",
    "pages", "search", "thumbs", "query", "graph", "rules", "tiles",
)  # fmt: skip


def _log(program: str, repeat: int) -> Path:
    return CAPTURES / f"{program}-go1.27.3-gogc100-limitoff-p2-r{repeat}.log.gz"


@pytest.mark.parametrize("repeat", [1, 2])
@pytest.mark.parametrize(
    ("program", "loop"), [*((name, "open") for name in OPEN), *((name, "closed") for name in CLOSED)]
)
def test_the_loop_of_real_programs_is_recognised(program: str, loop: str, repeat: int) -> None:
    """Programs that use 70 % of the CPU or more outside marking are closed loops, others are open."""
    assert calibrate(read_gctrace(_log(program, repeat)), name=program).pace.loop == loop


@pytest.mark.parametrize("program", ["bursty", "ledger"])
def test_a_program_with_idle_processors_is_open_unless_stated(program: str) -> None:
    """It waits for its own locks, or among few clients: no log shows that, and the user may."""
    log = read_gctrace(_log(program, 1))
    found = calibrate(log, name=program).pace
    assert found.loop == "open"
    used = int(found.source.split("used ")[1].split(" %")[0])
    assert used < 70
    assert calibrate(log, name=program, overrides=Overrides(loop="closed")).pace.loop == "closed"


@pytest.mark.parametrize("program", ["broker", "btree", "gateway", "ledger"])
def test_an_open_loop_that_holds_itself_up_reproduces_its_log(program: str) -> None:
    """Arrivals that are not served while marking, with Ps to spare, are served afterwards: GC CPU is not doubled."""
    trace = read_gctrace(_log(program, 1))
    found = calibrate(trace, name=program, overrides=Overrides(loop="open"))
    check = check_fit(trace, found)
    assert check is not None
    errors = {item.name: item.error for item in check.comparisons}
    assert abs(errors["gc_cpu_fraction"]) < 0.2
    assert abs(errors["gc_rate_hz"]) < 0.1


@pytest.mark.parametrize("program", [*OPEN, *CLOSED, "bursty", "ledger"])
def test_the_reason_agrees_with_the_numbers(program: str) -> None:
    """The share of the CPU in the sentence is below 70 % for open loops and not for closed ones."""
    found = calibrate(read_gctrace(_log(program, 1)), name=program).pace
    share = float(found.source.split("used ")[1].split(" %")[0]) if "used " in found.source else None
    if share is not None:
        assert (share < 70) == (found.loop == "open")
        assert found.loop == "closed" or found.busy_procs == pytest.approx(0.02 * share, abs=0.011)


@pytest.mark.parametrize("captured", [True, False])
@pytest.mark.parametrize("loop", ["open", "closed"])
@pytest.mark.parametrize("program", ["ledger", "orders"])
def test_what_is_stated_holds(program: str, loop: Loop, captured: bool) -> None:
    """A user knows whether requests come from outside, with or without the capture's side file."""
    log = read_gctrace(_log(program, 1))
    log = log if captured else replace(log, info=None)
    pace = calibrate(log, name=program, overrides=Overrides(loop=loop)).pace
    assert pace.loop == loop
    assert "as stated" in pace.source
    assert 0 < pace.busy_procs <= 2
