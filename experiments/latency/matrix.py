"""The runs: three loads at three settings, each load's three with a run that shows the capacity of the service.

Capacity is what it serves open-loop at the lowest GOGC, where collecting costs most: 85 % of what GOGC=100 can do is
more than GOGC=50 can, and an overloaded service's latency says how long the run was and nothing else. The machine
is faster in one quarter of an hour than in another, so capacity is measured for each load of each repeat.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from experiments.archive import unpacked
from experiments.capture import CapturedRun, RunPlan, disturbance, foreign, is_captured, load_run

CAPTURES = unpacked(Path(__file__).parent / "captures")
GO_VERSION = "1.27.3"
LOADS = (0.30, 0.60, 0.85)  # of the capacity
GOGC = (50, 100, 400)
CALIBRATED = 100
REPEATS = 5
SECONDS = 12.0  # the machine rarely keeps its speed for longer
ATTEMPTS = 4  # to have a run undisturbed
SPEED_TOLERANCE = 0.06  # of the machine's mean speed, against the capacity run's
_STRETCHES_OVERLOAD = 0.5  # of capacity: from there a stretch at three quarters of the speed may be too much
_TOO_MUCH = ("-rate", "40000")
_CAPACITY_SECONDS = 5.0  # of arrivals; serving them takes twice as long


def groups() -> Iterator[tuple[float, int]]:
    """(load, repeat) in the order to make them: repeats outermost, so that drift spreads."""
    for repeat in range(1, REPEATS + 1):
        for load in LOADS:
            yield load, repeat


def capacity_plan(load: float, repeat: int) -> RunPlan:
    """The service asked for more than it can do, before the group's other runs."""
    return RunPlan(
        program="orders",
        go_version=GO_VERSION,
        gogc=min(GOGC),
        duration_seconds=_CAPACITY_SECONDS,
        args=_TOO_MUCH,
        repeat=repeat,
        label=f"orders-capacity{round(100 * load)}",
    )


def open_plan(load: float, gogc: int, repeat: int) -> RunPlan:
    """Poisson arrivals at a share of the capacity that the group's first run measured, rounded to 100 a second."""
    rate = round(load * capacity(load, repeat) / 100.0) * 100
    return RunPlan(
        program="orders",
        go_version=GO_VERSION,
        gogc=gogc,
        duration_seconds=SECONDS,
        args=("-rate", str(rate), "-seed", str(repeat)),
        repeat=repeat,
        label=f"orders-load{round(100 * load)}",
    )


def attempts(plan: RunPlan) -> list[RunPlan]:
    """Names for the first, second ... attempt at a run; all of them are kept."""
    tries = [replace(plan, label=f"{plan.label}-try{n}") for n in range(2, ATTEMPTS + 1)]
    return [plan, *tries]


def made(plan: RunPlan) -> list[CapturedRun]:
    """The attempts at a run that there are, in order."""
    return [
        load_run(CAPTURES / f"{one.name}.result.json") for one in attempts(plan) if is_captured(one, CAPTURES)
    ]


def capacity_run(load: float, repeat: int) -> CapturedRun:
    """The least disturbed attempt."""
    return min(made(capacity_plan(load, repeat)), key=disturbance)


def capacity(load: float, repeat: int) -> float:
    """Requests per second."""
    return float(capacity_run(load, repeat).result["rate"])


def disturbed(run: CapturedRun, load: float, repeat: int) -> float:
    """How much the machine disturbed a run of a group: more than 1 is too much.

    What other processes took, whether the machine was as fast as when the capacity was measured that the load is a
    share of, and how evenly it ran where a slower stretch would overload the service. Below half of the capacity it
    does not, and there the machine changes its speed more often: its host lends idle cores out. Nothing that the
    program measured counts.
    """
    off = off_speed(run.result["cpu_speed"], load, repeat)
    return max(foreign(run) if load < _STRETCHES_OVERLOAD else disturbance(run), off)


def off_speed(speed: dict[str, float], load: float, repeat: int) -> float:
    """How far the machine is from the speed at which a group's capacity was measured: more than 1 is too much."""
    then = float(capacity_run(load, repeat).result["cpu_speed"]["warm_mean"])
    return abs(speed["warm_mean"] / then - 1.0) / SPEED_TOLERANCE


def best_run(load: float, gogc: int, repeat: int) -> CapturedRun:
    """The least disturbed attempt."""
    return min(made(open_plan(load, gogc, repeat)), key=lambda run: disturbed(run, load, repeat))


def undisturbed(load: float, gogc: int) -> list[int]:
    """The repeats that count: those with an attempt that the machine left alone."""
    repeats = range(1, REPEATS + 1)
    return [n for n in repeats if disturbed(best_run(load, gogc, n), load, n) <= 1.0]
