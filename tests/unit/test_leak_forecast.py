"""The forecast of ``gcsim diagnose``: when a leak reaches the container or GOMEMLIMIT."""

from pathlib import Path

import pytest
from gc_logs import GcLog

from experiments.archive import unpacked
from experiments.leaks.report import PAGE, TABLE, Result, results
from experiments.leaks.runs import LEAKS, RUNS
from experiments.tables import stated_table
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.diagnosis.evidence import diagnose_files
from gcsim.diagnosis.records import Cause
from gcsim.units import MIB

LEAK = GcLog(live=lambda t: 20.0 + 2.0 * t)


def leak(
    log: GcLog, folder: Path, *, memory_mib: float | None = None, limit_mib: float | None = None
) -> Cause:
    """The first finding of a log."""
    (folder / "app.log").write_text(log.text)
    memory, limit = (None if size is None else int(size * MIB) for size in (memory_mib, limit_mib))
    stated = Overrides(go="1.27", gogc=100, gomemlimit_bytes=limit)
    return diagnose_files([str(folder / "app.log")], stated=stated, memory_bytes=memory)[0].causes[0]


def test_a_steady_leak_reaches_its_limit_at_the_time_that_its_rate_gives(tmp_path: Path) -> None:
    """The live heap grows 2 MiB/s, so it fills a limit of 400 MiB when it is a little smaller than that."""
    (forecast,) = leak(LEAK, tmp_path, limit_mib=400.0).forecasts
    lasted = 30.0
    latest = (400.0 - 20.0) / 2.0 - lasted
    assert forecast.limit == "GOMEMLIMIT"
    assert 0.85 * latest <= forecast.seconds.value <= latest + 2.0
    assert forecast.seconds.low < forecast.seconds.value < forecast.seconds.high


def test_a_container_is_full_before_the_live_heap_fills_it(tmp_path: Path) -> None:
    """At GOGC=100 the heap peaks at twice the live heap; a larger container lasts longer."""
    (limit,) = leak(LEAK, tmp_path, limit_mib=400.0).forecasts
    (container,) = leak(LEAK, tmp_path, memory_mib=400.0).forecasts
    (larger,) = leak(LEAK, tmp_path, memory_mib=800.0).forecasts
    assert 0.3 * limit.seconds.value < container.seconds.value < 0.7 * limit.seconds.value
    assert larger.seconds.value > 1.8 * container.seconds.value


def test_the_sentence_and_the_document_have_the_forecast(tmp_path: Path) -> None:
    """Both limits, the one that is reached first first."""
    cause = leak(LEAK, tmp_path, memory_mib=500.0, limit_mib=300.0)
    assert [one.limit for one in cause.forecasts] == ["GOMEMLIMIT", "container"]
    assert "fills GOMEMLIMIT of 300 MiB" in cause.sentence
    assert "reaches the 500 MiB of the container" in cause.sentence
    document = cause.to_json()["forecasts"]
    assert [one["limit_bytes"] for one in document] == [300 * MIB, 500 * MIB]
    assert document[0]["seconds_after_log"]["low"] < document[0]["seconds_after_log"]["high"]


def test_goroutines_are_forecast_too(tmp_path: Path) -> None:
    """Their stacks fill the container."""
    cause = leak(GcLog(stacks=lambda t: 1.0 + 1.5 * t), tmp_path, memory_mib=600.0)
    assert cause.name == "goroutine-leak"
    assert 0.0 < cause.forecasts[0].seconds.value < 400.0


def test_a_steady_service_has_no_forecast(tmp_path: Path) -> None:
    """Nothing grows."""
    assert leak(GcLog(), tmp_path, memory_mib=2000.0).forecasts == ()


@pytest.fixture(scope="module")
def captured() -> list[Result]:
    """The forecasts of the committed runs."""
    return list(results(unpacked(RUNS)))


def test_every_run_has_a_forecast_and_the_page_has_it(captured: list[Result]) -> None:
    """Ten forms on two Go versions."""
    assert len(captured) == 2 * len(LEAKS)
    assert all(one.forecast is not None for one in captured)
    page = stated_table(PAGE, TABLE)
    assert all(
        f"`{one.leak.name}`: {one.leak.what} | {one.leak.settings_text} | {one.go} |" in page
        for one in captured
    )


def test_the_rate_of_other_programs_is_forecast(captured: list[Result]) -> None:
    """Most intervals hold the time at which the kernel killed a run of the reported half."""
    reported = [one for one in captured if one.leak.half == "reported"]
    assert sum(one.is_inside for one in reported) >= 0.85 * len(reported)
