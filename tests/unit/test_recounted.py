"""heapLive counts ends of spans again in every cycle: the rule against real Go, and what engines make of it."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.validation.counts import counted_runs, recounted_runs
from experiments.validation.matrix import CAPTURES, plans
from gcsim.arrays import FloatArray
from gcsim.engine.inputs.draws import draw_parameters
from gcsim.engine.plan import Engine
from gcsim.engine.simulate import replica_metrics
from gcsim.service.model import Model
from gcsim.service.parameters import PARAMETER_NAMES, RECOUNT_BASE_SHARE, Parameter, Parameters
from gcsim.settings import Settings
from gcsim.submodels.process_memory import MOST_SLOT_GARBAGE, span_tail_recount_bytes

SECONDS: dict[Engine, float] = {"lanes": 120.0, "des": 20.0}


def _recount(live: float, slot_garbage: FloatArray | float) -> FloatArray | float:
    """The recount of a whole cycle, bytes."""
    return span_tail_recount_bytes(
        np.float64(np.inf), live, slot_garbage=slot_garbage, base_share=RECOUNT_BASE_SHARE
    )


def _with_slots(share: float) -> Model:
    model = replace(Model.load("order-service-open"), requests=None)  # arrivals as a stream, which is quicker
    return replace(
        model, parameters=replace(model.parameters, slot_garbage_share=Parameter(share, 0.0, "test"))
    )


def test_real_programs_count_more_again_where_cycles_are_short() -> None:
    """Of what heapLive grows more than the program allocates at GOGC=25 than at 100, the rule tells the most.

    In programs whose captures hold the runtime's counts and ``MemStats.TotalAlloc``.
    """
    chosen = [plan for plan in plans() if plan.gogc in (25, 100) and plan.gomemlimit_bytes is None]
    runs = recounted_runs(counted_runs(chosen, CAPTURES))
    seen = np.array([at[25].over_allocated - at[100].over_allocated for at in runs.values()])
    by_rule = np.array([at[25].told_share - at[100].told_share for at in runs.values()])
    assert len(seen) >= 10
    assert np.median(np.abs(seen - by_rule)) < 0.5 * np.median(np.abs(seen))
    assert np.corrcoef(seen, by_rule)[0, 1] > 0.5


@pytest.mark.parametrize("engine", ["lanes", "des"])
def test_arrivals_stay_what_they_are_while_heap_live_grows_faster(engine: Engine, large: bool) -> None:
    """At any GOGC the service allocates what arrives; the cycle rate is higher by what is counted again."""
    if engine == "des" and not large:
        pytest.skip("runs with --large")
    settings = [Settings(gogc=gogc, gomaxprocs=2, go="1.27") for gogc in (60, 200)]
    without, with_slots = (
        replica_metrics(
            _with_slots(share), settings, duration_seconds=SECONDS[engine], replicas=4, engine=engine
        )
        for share in (0.0, 0.9)
    )
    assert np.allclose(with_slots["throughput_ratio"].mean(axis=1), 1.0, atol=0.03)
    more = (with_slots["gc_rate_hz"] / without["gc_rate_hz"]).mean(axis=1)
    assert more[0] > more[1] > 1.0
    live = Model.load("order-service-open").parameters.live_bytes.value
    again = span_tail_recount_bytes(
        np.inf, live, slot_garbage=0.9, base_share=RECOUNT_BASE_SHARE
    ) - span_tail_recount_bytes(np.inf, live, slot_garbage=0.0, base_share=RECOUNT_BASE_SHARE)
    rate = Model.load("order-service-open").parameters.alloc_bytes_per_second.value
    expected = 1.0 + again * with_slots["gc_rate_hz"].mean(axis=1) / rate
    assert more == pytest.approx(expected, rel=0.02)


def test_never_more_than_half_of_the_growth() -> None:
    """Where the heap hardly grows between two cycles, no more is counted again than spans are taken."""
    grown = np.array([0.0, 1e4, 1e6, 1e9])
    again = span_tail_recount_bytes(grown, 1e8, slot_garbage=0.95, base_share=RECOUNT_BASE_SHARE)
    assert np.all(again <= 0.5 * grown)
    assert again[-1] == pytest.approx(0.04125 * 1e8)


def test_the_log_s_own_cycle_rate_comes_back_whatever_is_in_slots() -> None:
    """Replicas with more counted again allocate less, by as much: their cycle rates at home do not go with it."""
    model = Model.load("order-service")
    p = model.parameters
    certain = {one: replace(getattr(p, one), rel_sd=0.0) for one in PARAMETER_NAMES}
    certain["slot_garbage_share"] = replace(p.slot_garbage_share, rel_sd=1.5)
    model = replace(model, parameters=Parameters(**certain))
    share = np.minimum(draw_parameters(model, replicas=48, seed=1)["slot_garbage_share"], MOST_SLOT_GARBAGE)
    known = p.slot_garbage_share.value
    times = span_tail_recount_bytes(
        np.inf, 1.0, slot_garbage=share, base_share=RECOUNT_BASE_SHARE
    ) / span_tail_recount_bytes(np.inf, 1.0, slot_garbage=known, base_share=RECOUNT_BASE_SHARE)
    rate = replica_metrics(model, [model.settings], duration_seconds=600.0, replicas=48)["gc_rate_hz"][0]
    slope = np.polyfit(p.recounted_share_of_all.value * times, np.log(rate), 1)[0]
    assert abs(slope) < 0.25  # 0.7 if what is allocated did not follow
