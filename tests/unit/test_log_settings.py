"""The settings of a log: what is stated, captured, logged, inferred from heap goals or assumed, and marked so."""

import io
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.archive import unpacked
from gcsim.calibration.calibrate import calibrate
from gcsim.calibration.settings.log_settings import Overrides, log_settings
from gcsim.errors import InputError
from gcsim.gctrace import Trace, read_gctrace
from gcsim.service.assessment import Origins

CAPTURES = unpacked(Path(__file__).parents[2] / "experiments" / "validation" / "captures")


def bare(name: str) -> Trace:
    """A captured log without its side file."""
    return replace(read_gctrace(CAPTURES / f"{name}-p2-r1.log.gz"), info=None)


def constant(*, marked: int, goal: int, cycles: int = 40, stacks: int = 0) -> Trace:
    """Every cycle alike."""
    lines = (
        f"gc {n} @{1.37 * n:.3f}s 0%: 0.030+11+0.040 ms clock, 0.24+4.0/22/33+0.32 ms cpu,"
        f" {goal - 10}->{goal - 5}->{marked} MB, {goal} MB goal, {stacks} MB stacks, 0 MB globals, 8 P\n"
        for n in range(1, cycles + 1)
    )
    return read_gctrace(io.BytesIO("".join(lines).encode()))


@pytest.mark.parametrize("program", ["orders", "blobcache", "compiler", "leak"])
@pytest.mark.parametrize("gogc", [25, 50, 100, 200, 400, 800])
def test_gogc_is_inferred_from_real_goals(program: str, gogc: int) -> None:
    """Without a side file the goals imply what the capture recorded."""
    found = log_settings(bare(f"{program}-go1.27.3-gogc{gogc}-limitoff"))
    assert (found.settings.gogc, found.origins.gogc) == (gogc, "inferred")
    assert found.origins == Origins(gogc="inferred", gomemlimit="assumed", gomaxprocs="logged", go="assumed")
    assert f"GOGC={gogc} (from the heap goals)" in str(found)
    assert "Go 1.27 (assumed; pass --go)" in str(found)


def test_a_limit_is_never_taken_for_a_gogc() -> None:
    """Of all captured runs at GOGC=off with a limit, without side files, none is inferred to be at some GOGC."""
    logs = sorted(CAPTURES.glob("*-go1.27.3-gogcoff-limit[0-9]*-p2-r1.log.gz"))
    assert len(logs) > 40
    for log in logs:
        trace = replace(read_gctrace(log), info=None)
        if len(trace.cycles) > 5:
            assert log_settings(trace).origins.gogc == "assumed", log.name


@pytest.mark.parametrize(("marked", "goal"), [(943, 3760), (100, 450), (60, 900), (2000, 7900)])
def test_goals_that_stay_put_point_to_gogc_off_and_a_limit(marked: int, goal: int) -> None:
    """The refusal offers both options, with a limit somewhat above the goals; taken, they calibrate."""
    trace = constant(marked=marked, goal=goal)
    with pytest.raises(InputError, match="--gogc off --gomemlimit") as refusal:
        calibrate(trace, name="s")
    limit_mib = int(str(refusal.value).split("--gomemlimit ")[1].split("MiB")[0])
    assert 1.03 * goal <= limit_mib <= 1.2 * goal + 20
    stated = Overrides(gogc_off=True, gomemlimit_bytes=limit_mib << 20)
    found = calibrate(trace, name="s", overrides=stated)
    assert found.model.settings.gogc is None
    assert found.log.origins.gogc == found.log.origins.gomemlimit == "stated"


def test_with_the_limit_stated_gogc_off_is_inferred() -> None:
    """Goals far above those of GOGC=100 cannot be GOGC's."""
    found = log_settings(constant(marked=943, goal=3760), Overrides(gomemlimit_bytes=4 << 30))
    assert (found.settings.gogc, found.origins.gogc) == (None, "inferred")


def test_goals_of_gogc_100_offer_no_limit() -> None:
    """A heap that never moves, at goals of twice the marked heap."""
    found = log_settings(constant(marked=300, goal=601))
    assert (found.settings.gogc, found.implied_limit_bytes) == (100, None)


def test_the_side_file_and_then_the_user_decide() -> None:
    """What a capture recorded is not inferred, and what the user states holds."""
    trace = read_gctrace(CAPTURES / "orders-go1.27.3-gogc400-limitoff-p2-r1.log.gz")
    found = log_settings(trace)
    assert set(found.to_json().values()) == {"captured"}
    assert "(" not in str(found)
    stated = log_settings(trace, Overrides(gogc=50, gomemlimit_off=True, gomaxprocs=3, go="1.22"))
    assert set(stated.to_json().values()) == {"stated"}
    assert (stated.settings.gogc, stated.settings.gomaxprocs, stated.settings.go) == (50, 3, "1.22")


def test_a_side_file_that_lacks_gogc_leaves_it_to_the_goals() -> None:
    """Each setting has its own origin: what the side file states is captured, the rest is found as without one."""
    trace = read_gctrace(CAPTURES / "orders-go1.27.3-gogc400-limitoff-p2-r1.log.gz")
    assert trace.info is not None
    known = replace(trace.info, gogc=100, assumed=("gogc",), go=None)
    found = log_settings(replace(trace, info=known))
    assert found.settings.gogc == 400
    assert found.origins == Origins(
        gogc="inferred", gomemlimit="captured", gomaxprocs="captured", go="assumed"
    )
