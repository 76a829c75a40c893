"""Round values of a recommendation, and no change where it would save too little."""

from dataclasses import replace

import pytest
from des_fingerprint import open_service

from gcsim.engine.run import Run
from gcsim.metrics import Estimate
from gcsim.settings import Settings
from gcsim.tuning.constraints import constraints_from
from gcsim.tuning.practical import round_settings, rounded, saves_too_little
from gcsim.tuning.recommend import recommend
from gcsim.units import GIB, MIB

CONSTRAINTS = constraints_from(512 * MIB)


def run_at(settings: Settings, *, memory_mib: float, gc_cpu: float) -> Run:
    memory, high = memory_mib * MIB, 1.05 * memory_mib * MIB
    return Run(
        settings=settings,
        metrics={
            "container_peak_bytes": Estimate(memory, 0.95 * memory, high),
            "rss_peak_bytes": Estimate(memory, 0.95 * memory, high),
            "gc_cpu_fraction": Estimate(gc_cpu, 0.9 * gc_cpu, 1.1 * gc_cpu),
        },
    )


@pytest.mark.parametrize(
    ("gogc", "limit_mib", "first"),
    [
        (230, 441, (250, 440)),
        (220, 464, (200, 464)),
        (1350, 1954, (1350, 1952)),
        (90, 250, (90, 250)),  # small values stay exact
        (None, 1030, (None, 1024)),
    ],
)
def test_round_values_are_near_and_a_limit_is_rounded_down(
    gogc: int | None, limit_mib: int, first: tuple[int | None, int]
) -> None:
    """Multiples of 50 above 100, of 4 MiB above 256 MiB, and of 16 MiB above 1 GiB."""
    found = round_settings(Settings(gogc=gogc, gomemlimit_bytes=limit_mib * MIB))
    assert (found[0].gogc, found[0].gomemlimit_bytes) == (first[0], first[1] * MIB)
    assert all((one.gomemlimit_bytes or 0) <= limit_mib * MIB for one in found)


def test_a_limit_that_is_off_stays_off() -> None:
    """Only GOGC is rounded."""
    assert {one.gomemlimit_bytes for one in round_settings(Settings(gogc=145))} == {None}


@pytest.mark.parametrize(
    ("memory_mib", "gc_cpu", "taken"),
    [
        (450.0, 0.100, True),
        (450.0, 0.110, False),  # 10 % more GC CPU
        (485.0, 0.098, False),  # too near the memory
    ],
)
def test_a_round_value_must_be_simulated_to_be_as_good(memory_mib: float, gc_cpu: float, taken: bool) -> None:
    """Otherwise the exact choice stays."""
    chosen = run_at(Settings(gogc=240, gomemlimit_bytes=440 * MIB), memory_mib=445.0, gc_cpu=0.1)

    def evaluate(settings: list[Settings], _likely: list[Settings]) -> list[Run]:
        return [run_at(one, memory_mib=memory_mib, gc_cpu=gc_cpu) for one in settings]

    found = rounded(chosen, evaluate, CONSTRAINTS)  # type: ignore[arg-type]
    assert (found.settings.gogc == 250) is taken
    assert taken or found is chosen


@pytest.mark.parametrize(
    ("memory_mib", "gc_cpu", "kept"),
    [(300.0, 0.054, True), (300.0, 0.056, False), (480.0, 0.050, False), (600.0, 0.050, False)],
)
def test_a_change_must_save_half_a_percent_of_cpu(memory_mib: float, gc_cpu: float, kept: bool) -> None:
    """Today's setting stays only if it fits with the memory margin."""
    today = run_at(Settings(gogc=100), memory_mib=memory_mib, gc_cpu=gc_cpu)
    chosen = run_at(Settings(gogc=150, gomemlimit_bytes=440 * MIB), memory_mib=400.0, gc_cpu=0.05)
    assert saves_too_little(today, chosen, CONSTRAINTS) is kept
    assert not saves_too_little(chosen, chosen, CONSTRAINTS)


def test_an_idle_service_in_a_large_container_is_left_alone() -> None:
    """The recommendation is today's setting, feasible, with the change that was not worth it and the reason."""
    model = open_service()
    slow = replace(model.parameters.alloc_bytes_per_second, value=2.0 * MIB)
    idle = replace(model, parameters=replace(model.parameters, alloc_bytes_per_second=slow))
    quick = {"duration_seconds": 600.0, "replicas": 2, "seed": 3}
    found = recommend(idle, memory_bytes=GIB, **quick)  # type: ignore[arg-type]
    assert found.feasible
    assert found.settings == found.today.settings == idle.settings
    assert found.otherwise is not None
    assert "No change is worth it" in found.reason
    assert found.to_json()["otherwise"] is not None
    small = recommend(idle, memory_bytes=224 * MIB, **quick)  # type: ignore[arg-type]
    assert small.otherwise is None
