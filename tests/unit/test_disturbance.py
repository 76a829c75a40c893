"""Which captured runs are made again: told by the machine alone."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from experiments.capture import MAX_FOREIGN_CPU, STEADY, CapturedRun, disturbance
from experiments.latency import matrix

LOAD, GOGC, REPEAT = matrix.LOADS[1], matrix.GOGC[2], 2


@cache
def kept() -> CapturedRun:
    """The run that the latency study kept at this load and setting."""
    return matrix.best_run(LOAD, GOGC, REPEAT)


def with_speed(run: CapturedRun, **changed: float) -> CapturedRun:
    """The run as if the probe had seen something else."""
    speed: dict[str, Any] = run.result["cpu_speed"] | changed
    return replace(run, result=run.result | {"cpu_speed": speed})


def test_a_run_is_not_judged_by_what_it_measured() -> None:
    """Only the probe's figures and other processes' share are looked at."""
    blind = replace(kept(), result={"cpu_speed": kept().result["cpu_speed"]})
    assert matrix.disturbed(blind, LOAD, REPEAT) == matrix.disturbed(kept(), LOAD, REPEAT) <= 1


def test_other_processes_disturb() -> None:
    """More than the allowed share of the machine is too much."""
    busy = replace(kept(), info=replace(kept().info, foreign_cpu_fraction=1.01 * MAX_FOREIGN_CPU))
    assert disturbance(busy) > 1


@pytest.mark.parametrize(("share", "too_much"), [(STEADY - 0.01, True), (STEADY + 0.01, False)])
def test_an_uneven_machine_disturbs(share: float, too_much: bool) -> None:
    """The slowest tenth of the probe's pieces is held against the fastest."""
    fastest = kept().result["cpu_speed"]["warm_p90"]
    assert (disturbance(with_speed(kept(), warm_p10=share * fastest)) > 1) == too_much


@pytest.mark.parametrize("factor", [1 - 1.01 * matrix.SPEED_TOLERANCE, 1 + 1.01 * matrix.SPEED_TOLERANCE])
def test_another_speed_than_the_capacity_s_disturbs(factor: float) -> None:
    """A load is a share of what the service could do at one speed of the machine."""
    then = matrix.capacity_run(LOAD, REPEAT).result["cpu_speed"]["warm_mean"]
    assert matrix.disturbed(with_speed(kept(), warm_mean=factor * then), LOAD, REPEAT) > 1


def test_unevenness_does_not_count_where_nothing_can_overload() -> None:
    """At 30 % load only the mean speed and other processes do."""
    low = matrix.LOADS[0]
    run = matrix.best_run(low, GOGC, REPEAT)
    uneven = with_speed(run, warm_p10=0.1)
    assert matrix.disturbed(uneven, low, REPEAT) <= 1 < disturbance(uneven)
