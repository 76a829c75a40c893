"""The captured scenarios of ``gcsim diagnose``: their halves, their table, and some of their diagnoses."""

from pathlib import Path

import pytest

from experiments.archive import unpacked
from experiments.diagnose.report import PAGE, RUNS, Outcome, files_of
from experiments.diagnose.scenarios import REPORTED_FAULTS, REPORTED_HEALTHY, SCENARIOS, half_of
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.diagnosis.evidence import diagnose_files

GO = "1.27.3"


def test_the_reported_half_is_apart() -> None:
    """Ten faults and ten healthy services, none of them of the design half."""
    assert len(REPORTED_FAULTS) == len(REPORTED_HEALTHY) == 10
    assert all(half_of(one) == "reported" for one in (*REPORTED_FAULTS, *REPORTED_HEALTHY))
    assert sum(half_of(one) == "design" for one in SCENARIOS) == 32


def test_the_page_has_every_scenario() -> None:
    """In its table; the long checks compare the results."""
    page = PAGE.read_text(encoding="utf-8")
    captured = [one.name for one in SCENARIOS if list(unpacked(RUNS).glob(f"{one.name}-go*"))]
    assert [name for name in captured if f"| `{name}`" not in page] == []


@pytest.mark.parametrize(
    "name",
    ["leak-under-limit", "http-bodies", "pool-misses", "fragmentation", "blocked-finalizer", "warm-up"],
)
def test_a_captured_scenario_is_diagnosed(name: str) -> None:
    """Logs with the evidence of the runtime next to them."""
    scenario = next(one for one in SCENARIOS if one.name == name)
    files = files_of(scenario, GO, unpacked(RUNS))
    assert all(Path(file).exists() for file in files)
    assert len(files) == 1 + 2 * len(scenario.evidence)
    found, _ = diagnose_files(files, stated=Overrides())
    assert Outcome(scenario=scenario, go=GO, found=found).is_right
