"""A mark phase's factors are drawn together, as they went together in the log."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from experiments.archive import unpacked
from gcsim.calibration.calibrate import calibrate
from gcsim.engine.inputs.cycle_draws import CycleDraws
from gcsim.engine.simulate import lanes_for, simulate
from gcsim.errors import InputError
from gcsim.gctrace import read_gctrace
from gcsim.service.model import Model
from gcsim.service.pauses import LEVELS
from gcsim.service.variability import MARK_FACTORS, CycleVariability, correlations

CAPTURES = unpacked(Path(__file__).parents[2] / "experiments" / "validation" / "captures")
DRAWS = 40_000


def _scatter(mark_correlations: tuple[float, float, float]) -> CycleVariability:
    """Three factors of different shapes with given correlations."""
    document = CycleVariability.none().to_document()
    shapes = zip(MARK_FACTORS, (0.3, 0.6, 1.5), strict=True)
    document |= {name: np.exp(width * (LEVELS - 0.5)).tolist() for name, width in shapes}
    return CycleVariability.from_document(document | {"mark_correlations": list(mark_correlations)})


@pytest.mark.parametrize("asked", [(0.0, 0.0, 0.0), (-0.7, 0.2, -0.6), (0.5, -0.3, 0.1)])
def test_draws_keep_each_distribution_and_the_correlations(asked: tuple[float, float, float]) -> None:
    """Spearman's rank correlation of a Gaussian copula is 6/pi arcsin(r/2)."""
    scatter = _scatter(asked)
    draws = scatter.marking_factors(*np.random.default_rng(3).standard_normal((3, DRAWS)))
    for name, values in zip(MARK_FACTORS, draws, strict=True):
        inner = LEVELS[3:-3]
        assert np.quantile(values, inner) == pytest.approx(
            np.interp(inner, LEVELS, getattr(scatter, name)), rel=0.02
        )
    for pair, r in zip(((0, 1), (0, 2), (1, 2)), asked, strict=True):
        found = spearmanr(draws[pair[0]], draws[pair[1]]).statistic
        assert found == pytest.approx(6 / np.pi * np.arcsin(r / 2), abs=0.02)
    again = correlations(*draws)
    assert again == pytest.approx(asked, abs=0.02)


def test_cycles_of_a_run_draw_them_together_too() -> None:
    """Within one replica, and between replicas of one cycle."""
    draws = CycleDraws(_scatter((-0.9, 0.0, 0.0)), seed=1, replicas=range(40))
    cpu, time, _ = np.stack([draws.marking_at(cycle) for cycle in range(600)], axis=2)
    assert spearmanr(cpu[0], time[0]).statistic < -0.8
    assert spearmanr(cpu[:, 300], time[:, 300]).statistic < -0.7
    assert abs(spearmanr(cpu[0], cpu[1]).statistic) < 0.15
    assert abs(spearmanr(cpu[0, 1:], cpu[0, :-1]).statistic) < 0.15


def test_draws_are_keyed_by_replica_quantity_and_cycle() -> None:
    """A replica's numbers are the same in other company, and a quantity's whether others are asked for or not."""
    many, one = (CycleDraws(_scatter((0.3, 0.1, 0.2)), seed=1, replicas=each) for each in (range(9), (4,)))
    for cycle in (0, 3, 255, 256, 700):
        assert many.marking_at(cycle)[:, 4].tolist() == one.marking_at(cycle)[:, 0].tolist()
    assert many.at(700, "live_factor")[4] == one.at(700, "live_factor")[0]


def test_few_cycles_and_equal_ones_tell_no_correlation() -> None:
    """Two cycles always correlate; a factor that never varies cannot."""
    two = np.array([1.0, 2.0])
    assert (correlations(two, two, two) == 0).all()
    ten = np.arange(10.0)
    assert (correlations(ten, np.ones(10), ten) == 0).all()
    assert 0 < correlations(ten, ten, ten)[0] < 0.6


def test_tails_of_mark_phases_are_as_long_as_the_log_s() -> None:
    """smallapi's mark phases that took long for their CPU time had little of it: apart, the two would multiply."""
    log = read_gctrace(CAPTURES / "smallapi-go1.27.3-gogc100-limitoff-p2-r1.log.gz")
    found = calibrate(log, name="smallapi")
    allocated = found.evidence.allocated_bytes
    together = np.prod(
        found.model.scatter.marking_factors(*np.random.default_rng(5).standard_normal((3, DRAWS))), axis=0
    )
    real, drawn = (np.quantile(values, 0.99) / values.mean() for values in (allocated, together))
    assert drawn < 1.5 * real


def test_bursts_do_not_multiply_into_heaps_that_the_log_never_had() -> None:
    """A phase that a burst fell into allocated six times what its pace says; one within a burst does not."""
    log = CAPTURES / "bursty-go1.27.3-gogc100-limitoff-p2-r1.log.gz"
    found = calibrate(read_gctrace(log), name="bursty")
    model, peaks = found.model, found.evidence.heap_end_bytes
    no_bound = np.array(np.inf)
    free = replace(
        model, scatter=replace(model.scatter, most_allocated_black=no_bound, most_past_goal=no_bound)
    )

    def highest(one: Model) -> float:
        engine = lanes_for(one, [model.settings], replicas=32)
        ends = [engine.step().heap_end_bytes for _ in range(6 + peaks.size)][6:]
        return float(np.median(np.max(ends, axis=0)))

    assert highest(model) == pytest.approx(peaks.max(), rel=0.25)
    assert highest(free) > 1.4 * peaks.max()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_tiny_runway_does_not_free_every_mark_phase(seed: int) -> None:
    """Short and long phases, one of which began 2 MiB below its goal: peaks stay near the log's highest."""
    trace = read_gctrace(io.BytesIO(_spiky_log(seed).encode()))
    found = calibrate(trace, name="spiky")
    model, peaks = found.model, found.evidence.heap_end_bytes
    run = simulate(model, [model.settings], duration_seconds=model.duration_seconds, replicas=16)[0]
    assert run.metrics["heap_peak_bytes"].value == pytest.approx(peaks.max(), rel=0.25)


def _spiky_log(seed: int) -> str:
    """256 MiB of live data that takes almost no marking; the operating system holds some phases up for long."""
    generator = np.random.default_rng(seed)
    lines, now_s, marked = [], 0.1, 270.0
    for number in range(1, 251):
        goal = 2.0 * marked
        start = goal - (2.0 if number == 100 else generator.uniform(60.0, 100.0))
        mark_ms = generator.uniform(5.0, 30.0) if generator.random() < 0.4 else generator.uniform(0.2, 0.5)
        allocated = min(generator.uniform(2.0, 5.0) * mark_ms, 110.0)
        cpu_ms = mark_ms * generator.uniform(0.02, 0.3)
        now_s += (start - marked) / 4000.0
        end, marked_now = start + allocated, 256.0 + allocated
        lines.append(
            f"gc {number} @{now_s:.3f}s 2%: 0.10+{mark_ms:.2g}+0.050 ms clock, 0.20+0/{cpu_ms:.2g}/0+0.10 ms cpu,"
            f" {int(start)}->{int(end)}->{int(marked_now)} MB, {int(goal)} MB goal,"
            " 0 MB stacks, 0 MB globals, 2 P\n"
        )
        now_s, marked = now_s + mark_ms / 1000.0, marked_now
    return "".join(lines)


def test_a_model_saved_before_the_bound_has_none() -> None:
    """It loads, and a bound below 1 is refused."""
    document = CycleVariability.none().to_document()
    del document["most_allocated_black"], document["most_past_goal"]
    assert CycleVariability.from_document(document).most_allocated_black == np.inf
    assert CycleVariability.from_document(document).most_past_goal == np.inf
    with pytest.raises(InputError, match="most_past_goal must be a number of more than 0"):
        CycleVariability.from_document(document | {"most_past_goal": 0.0})
    with pytest.raises(InputError, match="most_allocated_black must be a number of 1 or more"):
        CycleVariability.from_document(document | {"most_allocated_black": 0.5})
