"""A controller changes GOGC and the memory limit at GC commits, in both engines alike."""

from dataclasses import replace

import numpy as np
import pytest
from example_service import example_service

from gcsim.engine.controllers import ChangeAt, Commit, Controller, FixedSetting, GcSetting
from gcsim.engine.des.run.replicas import record_events
from gcsim.engine.plan import Engine, Plan
from gcsim.engine.simulate import record_cycles, replica_metrics, simulate
from gcsim.errors import InputError
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.units import MAX_INT64, MIB

SECONDS: dict[Engine, float] = {"lanes": 60.0, "des": 4.0}
HIGH = Settings(gogc=400, gomaxprocs=2, go="1.27")


class Sets:
    """Sets one GOGC and one limit at every commit, whatever they were."""

    def __init__(self, gc_percent: int, memory_limit_bytes: int) -> None:
        self.gc_percent, self.memory_limit_bytes = gc_percent, memory_limit_bytes

    def at_commit(self, commit: Commit) -> GcSetting:
        ones = np.ones_like(commit.setting.gc_percent)
        return GcSetting(self.gc_percent * ones, self.memory_limit_bytes * ones)


def metrics(engine: Engine, settings: Settings, controller: Controller) -> dict[str, np.ndarray]:
    return replica_metrics(
        example_service(), [settings], duration_seconds=SECONDS[engine], replicas=2, engine=engine,
        controller=controller,
    )  # fmt: skip


@pytest.mark.parametrize("engine", ["lanes", "des"])
@pytest.mark.parametrize(("gogc", "limit"), [(50, None), (100, 150 * MIB)])
def test_a_setting_made_at_commits_is_as_good_as_one_made_at_the_start(
    engine: Engine, gogc: int, limit: int | None
) -> None:
    """The warm-up's cycles begin at GOGC=400; from the first commit on all runs are those of the asked setting."""
    asked = Settings(gogc=gogc, gomemlimit_bytes=limit, gomaxprocs=2, go="1.27")
    controlled = metrics(engine, HIGH, Sets(gogc, MAX_INT64 if limit is None else limit))
    fixed = metrics(engine, asked, FixedSetting())
    for name in ("gc_rate_hz", "heap_peak_mean_bytes", "heap_goal_mean_bytes"):
        np.testing.assert_allclose(controlled[name], fixed[name], rtol=0.04, err_msg=name)


@pytest.mark.parametrize("engine", ["lanes", "des"])
def test_setting_what_is_set_changes_no_byte(engine: Engine) -> None:
    """An answer with equal values is the fixed setting."""
    fixed, same = metrics(engine, HIGH, FixedSetting()), metrics(engine, HIGH, Sets(400, MAX_INT64))
    for name, values in fixed.items():
        np.testing.assert_array_equal(values, same[name], err_msg=name)


ROOMY, TIGHT = 400 * MIB, 200 * MIB
NO_GOGC = Settings(gogc=None, gomemlimit_bytes=ROOMY, gomaxprocs=2, go="1.27")


def test_engines_agree_on_a_limit_that_is_halved_during_the_run() -> None:
    """On the model and within the bounds of ``test_engines_agree`` for a limit, or two standard errors."""
    model = replace(Model.load("order-service"), requests=None)
    limit = round(4.0 * model.parameters.live_bytes.value)
    roomy = replace(model.settings, gogc=None, gomemlimit_bytes=limit)
    plan = Plan(
        duration_seconds=20.0, replicas=6, controller=ChangeAt(seconds=10.0, memory_limit_bytes=limit // 2)
    )
    fast, slow = replica_metrics(model, [roomy], plan), replica_metrics(model, [roomy], plan, engine="des")
    bounds = {
        "heap_peak_mean_bytes": 0.02, "heap_goal_mean_bytes": 0.02, "heap_peak_bytes": 0.02,
        "gc_rate_hz": 0.03, "gc_cpu_fraction": 0.05, "rss_peak_bytes": 0.02,
    }  # fmt: skip
    for name, allowed in bounds.items():
        ratio = slow[name][0] / fast[name][0] - 1.0
        luck = 2.0 * float(ratio.std(ddof=1)) / np.sqrt(plan.replicas)
        assert abs(float(ratio.mean())) <= max(allowed, luck), (name, ratio.mean(), luck)


@pytest.mark.parametrize("engine", ["lanes", "des"])
def test_both_halves_of_a_run_are_those_of_their_limits(engine: Engine) -> None:
    """The heap goals before the change are those of the first limit, later goals those of the second."""
    plan = Plan(duration_seconds=20.0, controller=ChangeAt(seconds=10.0, memory_limit_bytes=TIGHT))
    record = record_cycles if engine == "lanes" else lambda *how: record_events(*how).cycles
    cycles = record(example_service(), NO_GOGC, plan)
    early, late = cycles.start_ns < 10e9, cycles.start_ns > 11e9
    for half, limit in ((early, ROOMY), (late, TIGHT)):
        fixed = record(
            example_service(), replace(NO_GOGC, gomemlimit_bytes=limit), Plan(duration_seconds=10.0)
        )
        goal = float(np.median(fixed.heap_goal_bytes))
        np.testing.assert_allclose(np.median(cycles.heap_goal_bytes[half]), goal, rtol=0.03)


@pytest.mark.parametrize("engine", ["lanes", "des"])
def test_resident_memory_is_that_of_the_highest_limit_in_force(engine: Engine) -> None:
    """Whether it was in force first or last; the limit at the start of the run does not bound it."""
    peaks = [
        float(np.median(replica_metrics(
            example_service(), [replace(NO_GOGC, gomemlimit_bytes=first)], duration_seconds=SECONDS[engine],
            replicas=4, engine=engine, controller=controller,
        )["rss_peak_bytes"]))
        for first, controller in (
            (ROOMY, FixedSetting()),
            (ROOMY, ChangeAt(seconds=0.5 * SECONDS[engine], memory_limit_bytes=TIGHT)),
            (TIGHT, ChangeAt(seconds=0.5 * SECONDS[engine], memory_limit_bytes=ROOMY)),
            (TIGHT, FixedSetting()),
        )
    ]  # fmt: skip
    np.testing.assert_allclose(peaks[1:3], peaks[0], rtol=0.02)
    assert peaks[3] < 0.7 * peaks[0]


def test_a_change_far_from_the_calibrated_setting_widens_the_interval() -> None:
    """Also if the run starts at the calibrated setting and the change is late."""
    model = example_service()
    fixed, late, never = (
        simulate(
            model, [model.settings], duration_seconds=60.0, replicas=4, controller=controller
        )[0].metrics["gc_assist_cpu_fraction"]
        for controller in (
            FixedSetting(), ChangeAt(seconds=50.0, gc_percent=800), ChangeAt(seconds=90.0, gc_percent=800)
        )
    )  # fmt: skip
    assert late.high / late.value > 1.2 * fixed.high / fixed.value
    assert never == fixed


def test_a_document_that_names_no_policy_is_bad_input() -> None:
    """An unknown policy, a field of another policy, and a value that is not a number."""
    for document in (
        {"policy": "mine"},
        {"policy": "fixed", "seconds": 1},
        {"policy": "change at", "seconds": "1"},
    ):
        with pytest.raises(InputError, match="controller"):
            Plan.from_json({"controller": document})
