"""The rules of a recommendation: limits, knee, neighbours, stress, other memory and objectives."""

from itertools import pairwise

import pytest
from des_fingerprint import open_service
from example_service import example_service

from gcsim.engine.executors import IN_PROCESS as _IN_PROCESS
from gcsim.engine.plan import Plan
from gcsim.engine.run import Run
from gcsim.engine.simulate import simulate
from gcsim.engine.variants import simulate_variants
from gcsim.errors import InputError
from gcsim.metrics import Estimate
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.tuning.aim import Aim, delay, gc_cpu, knee
from gcsim.tuning.bounds import parse_confidence
from gcsim.tuning.choose import choose
from gcsim.tuning.constraints import Constraint, constraints_from
from gcsim.tuning.evaluation import Evaluation
from gcsim.tuning.feasible import MOST_LIMIT_SHARE, container_peak, spirals
from gcsim.tuning.leak import LEAK_BYTES_PER_SECOND, leak_factors, leak_of
from gcsim.tuning.recommend import recommend
from gcsim.tuning.search import candidate_limits
from gcsim.units import GIB, MIB

PLAN = Plan(duration_seconds=8.0, replicas=3, seed=3)


def run_at(
    gogc: int | None, limit_mib: int | None, memory_mib: float, share: float, high: float = 1.02
) -> Run:
    memory = memory_mib * MIB
    limit = None if limit_mib is None else limit_mib * MIB
    return Run(
        settings=Settings(gogc=gogc, gomemlimit_bytes=limit),
        metrics={
            "container_peak_bytes": Estimate(memory, 0.98 * memory, high * memory),
            "rss_peak_bytes": Estimate(memory, 0.98 * memory, high * memory),
            "gc_cpu_fraction": Estimate(share, 0.9 * share, 1.1 * share),
        },
    )


def test_no_choice_alternative_or_need_has_a_limit_above_95_percent() -> None:
    """Nor does the search look at rows of such limits, even if no limit holds alone."""
    for memory in (192 * MIB, 512 * MIB):
        found = recommend(example_service(), memory_bytes=memory, plan=PLAN)
        runs = [found.run, *(one.run for one in found.alternatives), *found.front]
        if found.feasible:
            assert all((one.settings.gomemlimit_bytes or 0) <= MOST_LIMIT_SHARE * memory for one in runs)
    miss = recommend(example_service(), memory_bytes=512 * MIB, max_gc_cpu_fraction=0.01, plan=PLAN)
    assert miss.needed is not None
    more, size = miss.needed.with_more_memory, miss.needed.memory_bytes
    assert more is not None
    assert size is not None
    assert (more.settings.gomemlimit_bytes or 0) <= MOST_LIMIT_SHARE * size
    rows = [run_at(None, limit, 1.02 * limit, 0.1, high=1.2) for limit in (300, 400, 450, 480, 500)]
    memory_bound = Constraint.memory(500 * MIB, not_counted_bytes=30 * MIB)
    assert candidate_limits(rows, None, memory_bound) == [300 * MIB, 400 * MIB, 450 * MIB]


def test_the_knee_is_where_a_doubling_saves_less_than_one_percent() -> None:
    """Of GC CPU that falls as 8 % x 100 MiB / memory, the saving of a doubling passes 1 % at 400 MiB."""
    sizes = [100 * 2 ** (step / 4) for step in range(20)]
    runs = [run_at(100 + 10 * step, None, size, 8.0 / size) for step, size in enumerate(sizes)]
    found = container_peak(knee(runs)).value / MIB
    assert 400 <= found <= 400 * 2**0.26
    flat = [run_at(100 + 10 * step, None, size, 0.02) for step, size in enumerate(sizes)]
    assert knee(flat).settings.gogc == 100
    below = [run_at(10 + step, None, size, 8.0 / size) for step, size in enumerate(sizes)]
    assert knee(below) is below[-1]  # a GOGC below Go's default is no knee


def test_the_choice_stops_at_the_knee_unless_memory_is_to_be_spent() -> None:
    """The recommendation then says how much memory stays unused and what it would buy."""
    stopped = recommend(example_service(), memory_bytes=8 * GIB, plan=PLAN)
    spent = recommend(example_service(), memory_bytes=8 * GIB, spend_memory=True, plan=PLAN)
    assert container_peak(stopped.run).value < 0.5 * container_peak(spent.run).value
    assert 0.0 < gc_cpu(stopped.run) - gc_cpu(spent.run) < 0.03
    assert stopped.unused is not None
    assert stopped.unused.memory_bytes > 0
    assert "--spend-memory" in stopped.reason
    assert spent.unused is None


def test_off_gets_a_limit_that_is_cheap_at_the_upper_end_too() -> None:
    """A job may end before its heap reaches a limit, or not: the choice is the lowest limit for both cases."""
    unsure, sure, higher, finite = (
        run_at(gogc, limit, 280, 0.0) for gogc, limit in ((None, 300), (None, 340), (None, 400), (100, 400))
    )
    unsure.metrics["gc_cpu_fraction"] = Estimate(0.0, 0.0, 0.18)
    finite.metrics["gc_cpu_fraction"] = Estimate(0.1, 0.09, 0.11)
    chosen = choose(
        [unsure, sure, higher, finite], [Constraint.memory(500 * MIB, not_counted_bytes=30 * MIB)]
    )
    assert chosen is sure


def test_a_setting_with_a_bad_neighbour_is_passed_over() -> None:
    """At a bound on GC CPU the choice keeps a distance from the edge, and the neighbours were simulated."""
    found = recommend(example_service(), memory_bytes=2 * GIB, max_gc_cpu_fraction=0.05, plan=PLAN)
    assert found.feasible
    assert len(found.neighbours) >= 2
    assert all(one.held for one in found.neighbours)
    lowest = min(one.run.settings.gogc or 10**9 for one in found.neighbours)
    assert lowest < (found.settings.gogc or 0)


def test_a_setting_that_spirals_under_mild_stress_is_not_recommended() -> None:
    """The miss names a container in which a third more live heap is safe."""
    service = Model.load("order-service")
    found = recommend(service, memory_bytes=136 * MIB, plan=PLAN)
    assert not found.feasible
    assert found.reasons[0].startswith(
        "Not safe: in 136 MiB every setting that fits falls into a death spiral"
    )
    assert "takes about" in found.reason
    assert found.needed is not None
    assert found.needed.memory_bytes is not None
    enough = recommend(service, memory_bytes=int(1.1 * found.needed.memory_bytes), plan=PLAN)
    assert enough.feasible
    grown = simulate(service.scaled(live=1.3), [enough.settings], PLAN)[0]
    assert not spirals(grown)


def test_variants_of_one_call_are_the_runs_of_their_own() -> None:
    """To the bit, for runs of less than 200 cycles: more load, more live heap, one P fewer, another speed."""
    service, plan = open_service(), Plan(duration_seconds=10.0, replicas=3, seed=5)
    setting = Settings(gogc=200, gomemlimit_bytes=300 * MIB, gomaxprocs=2, go=service.settings.go)
    fewer = Settings(gogc=200, gomemlimit_bytes=300 * MIB, gomaxprocs=1, go=service.settings.go)
    variants = [
        (service, setting),
        (service.scaled(load=1.5), setting),
        (service.scaled(live=1.3), setting),
        (service, fewer),
        (service.scaled(speed=0.75), setting),
    ]
    found = [one.run for one in simulate_variants(variants, plan)]
    assert found == [simulate(model, [one], plan)[0] for model, one in variants]
    assert len({one.metrics["gc_cpu_fraction"].value for one in found}) == len(found)


def test_other_memory_is_taken_off_the_container() -> None:
    """The setting is that of a container without it; the document names both; too much of it is refused."""
    service = example_service()
    found = recommend(service, memory_bytes=640 * MIB, other_memory_bytes=128 * MIB, plan=PLAN)
    small = recommend(service, memory_bytes=512 * MIB, plan=PLAN)
    assert found.run == small.run
    document = found.to_json()
    assert (document["memory_bytes"], document["other_memory_bytes"]) == (640 * MIB, 128 * MIB)
    with pytest.raises(InputError, match="--other-memory"):
        recommend(service, memory_bytes=64 * MIB, other_memory_bytes=64 * MIB, plan=PLAN)


def test_objectives_choose_in_their_own_way() -> None:
    """Latency uses memory for fewer assists; memory takes the least that a bound on GC CPU allows."""
    net = [run_at(None, 480, 470.0, 0.019)]
    runs = net + [
        run_at(gogc, 480, memory, share)
        for gogc, memory, share in ((100, 200.0, 0.06), (200, 300.0, 0.04), (400, 450.0, 0.0199))
    ]
    constraints = constraints_from(512 * MIB)
    assert choose(runs, constraints, Aim(objective="memory", most_gc_cpu=0.045)).settings.gogc == 200
    assert choose(runs, constraints, Aim(objective="memory", most_gc_cpu=0.07)).settings.gogc == 100
    assert choose(runs, constraints, Aim()).settings.gogc == 400
    found = recommend(example_service(), memory_bytes=512 * MIB, objective="latency", plan=PLAN)
    assert delay(found.run) <= 1.05 * min(map(delay, found.front)) + 0.001


def test_every_constraint_is_judged_at_its_own_probability() -> None:
    """99 % for memory, 95 % for others unless stated; a lower bound is judged from below."""
    run = run_at(100, None, 400.0, 0.05, high=1.2)
    memory, half = constraints_from(512 * MIB)
    assert (memory.confidence, half.confidence) == (0.99, 0.95)
    assert memory.judged(run) > run.metrics["container_peak_bytes"].high
    assert half.judged(run) == run.metrics["gc_cpu_fraction"].high
    assert Constraint.memory(512 * MIB, confidence=0.5).judged(run) == pytest.approx(400.0 * MIB)
    slow = Run(settings=run.settings, metrics={"throughput_ratio": Estimate(1.0, 0.9, 1.1)})
    least = Constraint.at_least("throughput_ratio", 0.85)
    assert least.judged(slow) == 0.9
    assert least.margin(slow) == pytest.approx(0.9 / 0.85 - 1.0)
    assert 0.95 < least.chance(slow, replicas=8).value < 1.0
    assert parse_confidence(["99%", "gc-cpu=90%"]) == {"": 0.99, "gc-cpu": 0.9}
    for wrong in ("100%", "40%", "heap=99%", "memory=", "x"):
        with pytest.raises(InputError, match="--confidence"):
            parse_confidence([wrong])


def test_a_leak_ends_when_the_container_is_full_and_suffers_before() -> None:
    """Times from straight lines between live heaps; without a limit there is no warning."""
    service = example_service()
    live = service.parameters.live_bytes.value
    memory = Constraint.memory(512 * MIB)
    factors = leak_factors(service, memory.bound)
    assert all(one < other for one, other in pairwise([1.0, *factors]))
    assert factors[-1] == pytest.approx(512 * MIB / live)
    many = len(factors) + 1
    limited = [run_at(100, 480, min(200.0 + 60 * i, 490.0 + 4 * i), 0.05 * i) for i in range(many)]
    found = leak_of(service, limited, factors, memory)
    assert found.seconds_to_suffering is not None
    assert found.seconds_to_end is not None
    assert found.seconds_to_suffering == pytest.approx((factors[4] - 1.0) * live / LEAK_BYTES_PER_SECOND)
    assert found.suffering_seconds == pytest.approx(found.seconds_to_end - found.seconds_to_suffering)
    free = [run_at(100, None, 200.0 + 100 * i, 0.05) for i in range(many)]
    sudden = leak_of(service, free, factors, memory)
    assert sudden.seconds_to_suffering is None
    assert sudden.suffering_seconds == 0.0


def test_today_and_the_choice_stand_under_the_same_stress() -> None:
    """An open loop has load and burst; the saving's interval holds its median; a bound on requests needs requests."""
    found = recommend(open_service(), memory_bytes=512 * MIB, plan=PLAN)
    assert found.feasible
    assert [one.what for one in found.stress] == ["load", "live heap", "burst", "one P fewer", "CPU quota"]
    assert all(one.today.settings.gogc == found.today.settings.gogc for one in found.stress)
    assert found.test is not None
    saved = found.test.saving.cores
    assert saved.low <= saved.value <= saved.high


def test_progress_counts_every_setting_once() -> None:
    """A likely setting that is asked for later is not simulated again."""
    calls: list[tuple[int, int]] = []
    evaluate = Evaluation(
        example_service(), PLAN, lambda done, total: calls.append((done, total)), _IN_PROCESS
    )
    one, other = Settings(gogc=100, go="1.27", gomaxprocs=2), Settings(gogc=200, go="1.27", gomaxprocs=2)
    evaluate([one], [other])
    before = len(calls)
    assert [run.settings for run in evaluate.of([other, one])] == [other, one]
    assert len(calls) == before
