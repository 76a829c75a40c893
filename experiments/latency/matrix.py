"""The runs: the order service asked for more than it can do, for its capacity; then three loads at three settings.

Capacity is what it serves open-loop at the lowest GOGC, where collecting costs most: 85 % of what GOGC=100 can do is
more than GOGC=50 can, and an overloaded service's latency says how long the run was and nothing else.
"""

import statistics
from collections.abc import Iterator
from pathlib import Path

from experiments.capture import MAX_FOREIGN_CPU, CapturedRun, RunPlan, is_captured, load_run

CAPTURES = Path(__file__).parent / "captures"
GO_VERSION = "1.27.3"
LOADS = (0.30, 0.60, 0.85)  # of the capacity
GOGC = (50, 100, 400)
CALIBRATED = 100
REPEATS = 5
_CAPACITY_RUNS = 3
SECONDS = 15.0
_TOO_MUCH = ("-rate", "40000")
_CAPACITY_SECONDS = 3.0  # of arrivals; serving them takes twice as long


def plans() -> Iterator[RunPlan]:
    """Every run in the order to make it: capacity first, then repeats outermost, so that drift spreads.

    A run for capacity before each further repeat shows how far the machine has moved meanwhile.
    """
    yield from (_saturated(repeat) for repeat in range(1, _CAPACITY_RUNS + 1))
    for repeat in range(1, REPEATS + 1):
        if repeat > 1:
            yield _saturated(_CAPACITY_RUNS + repeat - 1)
        for gogc in GOGC:
            for load in LOADS:
                yield open_plan(load, gogc, repeat)


def open_plan(load: float, gogc: int, repeat: int) -> RunPlan:
    """Poisson arrivals at a share of the measured capacity, rounded to 100 a second."""
    rate = round(load * capacity() / 100.0) * 100
    return RunPlan(
        program="orders",
        go_version=GO_VERSION,
        gogc=gogc,
        duration_seconds=SECONDS,
        args=("-rate", str(rate), "-seed", str(repeat)),
        repeat=repeat,
        label=f"orders-load{round(100 * load)}",
    )


def capacity() -> float:
    """Requests per second: the median of the runs made first."""
    return statistics.median(saturated_rates()[:_CAPACITY_RUNS])


def saturated_rates() -> list[float]:
    """Requests per second of every run for capacity there is, in the order they were made."""
    runs = [_saturated(repeat) for repeat in range(1, _CAPACITY_RUNS + REPEATS)]
    return [float(load_of(plan).result["rate"]) for plan in runs if is_captured(plan, CAPTURES)]


def load_of(plan: RunPlan) -> CapturedRun:
    """A plan's captured run."""
    return load_run(CAPTURES / f"{plan.name}.result.json")


def undisturbed(load: float, gogc: int) -> list[int]:
    """The repeats that count: other processes took no more of the machine than the captures' rule allows.

    A run is never left out for what it measured.
    """
    repeats = range(1, REPEATS + 1)
    return [n for n in repeats if _foreign(load_of(open_plan(load, gogc, n))) <= MAX_FOREIGN_CPU]


def _foreign(run: CapturedRun) -> float:
    return run.info.foreign_cpu_fraction or 0.0


def _saturated(repeat: int) -> RunPlan:
    return RunPlan(
        program="orders",
        go_version=GO_VERSION,
        gogc=min(GOGC),
        duration_seconds=_CAPACITY_SECONDS,
        args=_TOO_MUCH,
        repeat=repeat,
        label="orders-saturated",
    )
