"""The recommendation: every constraint held, cheap, robust, and explained."""

import inspect
import json
import re

import pytest
from example_service import example_service

from gcsim.cli.main import app
from gcsim.engine.run import Run
from gcsim.errors import InputError
from gcsim.metrics import METRICS, Estimate
from gcsim.settings import Settings
from gcsim.tuning.bounds import BOUNDS
from gcsim.tuning.constraints import Constraint, constraints_from, pareto_front, worst_margin
from gcsim.tuning.recommend import Recommendation, best_of, recommend
from gcsim.units import GIB, MIB, parse_gogc, parse_gomemlimit

QUICK = {"duration_seconds": 20.0, "replicas": 4, "seed": 3}


@pytest.fixture(scope="module")
def half_gib() -> Recommendation:
    return recommend(example_service(), memory_bytes=512 * MIB, **QUICK)


def test_memory_holds_at_the_pessimistic_end(half_gib: Recommendation) -> None:
    """The 95th percentile of container memory stays inside the container."""
    assert half_gib.feasible
    assert half_gib.run.metrics["container_peak_bytes"].high <= 512 * MIB
    assert all(margin.margin >= 0 for margin in half_gib.margins)


def test_the_choice_is_robust_and_nearly_the_cheapest(half_gib: Recommendation) -> None:
    """A finite GOGC over a limit below the container, at a fifth more GC CPU than the best at most."""
    settings = half_gib.settings
    assert settings.gogc is not None
    assert settings.gomemlimit_bytes is not None
    assert settings.gomemlimit_bytes < 512 * MIB
    feasible = [
        run for run in half_gib.explored if run.metrics["container_peak_bytes"].high <= 0.97 * 512 * MIB
    ]
    cheapest = min(run.metrics["gc_cpu_fraction"].value for run in feasible)
    assert half_gib.run.metrics["gc_cpu_fraction"].value <= 1.2 * cheapest + 0.004


def test_the_limit_is_a_net_that_holds_without_gogc(half_gib: Recommendation) -> None:
    """Even GOGC=off under the recommended limit was simulated and stays inside the memory."""
    limit = half_gib.settings.gomemlimit_bytes
    off = [
        run
        for run in half_gib.explored
        if run.settings.gogc is None and run.settings.gomemlimit_bytes == limit
    ]
    assert off
    assert off[0].metrics["container_peak_bytes"].high <= 512 * MIB


def test_the_document_is_the_contract(half_gib: Recommendation) -> None:
    """The keys that others rely on come first, and Go reads the environment back."""
    document = json.loads(json.dumps(half_gib.to_json()))
    assert list(document)[:6] == ["feasible", "settings", "env", "metrics", "alternatives", "reason"]
    assert {"memory_bytes", "today", "margins", "stress", "needed", "model", "seed", "engine"} <= set(
        document
    )
    assert document["today"]["settings"]["gogc"] == 100
    assert [margin["metric"] for margin in document["margins"]] == ["container_peak_bytes", "gc_cpu_fraction"]
    assert [item["what"] for item in document["stress"]] == ["live heap", "one P fewer", "CPU quota"]
    assert all({"held", "spiral", "settings", "metrics", "today"} <= set(item) for item in document["stress"])
    assert set(document["leak"]) == {"recommended", "today"}
    assert set(document["env"]) == {"GOGC", "GOMEMLIMIT"}
    assert parse_gogc(document["env"]["GOGC"]) == document["settings"]["gogc"]
    assert parse_gomemlimit(document["env"]["GOMEMLIMIT"]) == document["settings"]["gomemlimit_bytes"]
    assert all({"name", "settings", "metrics"} <= set(run) for run in document["alternatives"])


@pytest.mark.parametrize("memory", [192 * MIB, 2 * GIB])
def test_alternatives_are_named_on_the_front_and_never_twice_the_cost(memory: int) -> None:
    """At most three, none beaten by another in both memory and CPU, none above twice the choice's GC CPU."""
    found = recommend(example_service(), memory_bytes=memory, **QUICK)
    runs = [alternative.run for alternative in found.alternatives]
    names = [alternative.name for alternative in found.alternatives]
    order = ["least memory", "half the memory", "cheapest"]
    assert names == [name for name in order if name in names]
    assert found.settings not in [run.settings for run in runs]
    assert pareto_front(runs) == runs
    chosen = found.run.metrics["gc_cpu_fraction"].value
    assert all(run.metrics["gc_cpu_fraction"].value <= 2 * chosen for run in runs)
    assert all(run.metrics["container_peak_bytes"].high <= memory for run in runs)


def test_the_reason_names_setting_margin_and_growth(half_gib: Recommendation) -> None:
    """In plain sentences."""
    assert f"GOGC={half_gib.settings.gogc}" in half_gib.reason
    assert "to spare" in half_gib.reason
    assert "Under live heap × 1.3" in half_gib.reason
    assert "leak" in half_gib.reason


def test_more_memory_never_costs_more_cpu() -> None:
    """Beyond the tolerance that robustness may cost."""
    costs = [
        recommend(example_service(), memory_bytes=memory, **QUICK).run.metrics["gc_cpu_fraction"].value
        for memory in (192 * MIB, 384 * MIB, 2 * GIB)
    ]
    assert costs[1] <= costs[0] + 0.003
    assert costs[2] <= costs[1] + 0.003


def test_nothing_feasible_gives_the_nearest_miss() -> None:
    """Memory below the live heap: the answer is no, with the setting that comes closest and by how much."""
    found = recommend(example_service(), memory_bytes=64 * MIB, **QUICK)
    assert not found.feasible
    assert found.to_json()["feasible"] is False
    assert "nearest miss" in found.reason
    assert "memory" in found.reason
    assert found.alternatives == ()
    assert found.stress == ()
    constraints = [margin.constraint for margin in found.margins]
    assert worst_margin(found.run, constraints) == max(
        worst_margin(run, constraints) for run in found.explored
    )


@pytest.mark.parametrize(("memory", "gc_cpu"), [(512 * MIB, 0.02), (192 * MIB, 0.01)])
def test_a_miss_keeps_the_memory_and_names_what_it_takes(memory: int, gc_cpu: float) -> None:
    """Where only GC CPU is broken the nearest miss fits, and a container of the size named is feasible."""
    found = recommend(example_service(), memory_bytes=memory, max_gc_cpu_fraction=gc_cpu, **QUICK)
    assert not found.feasible
    assert found.run.metrics["container_peak_bytes"].high <= memory
    assert found.needed is not None
    least = found.needed.in_this_memory
    assert least is not None
    assert least.metrics["container_peak_bytes"].high <= memory
    needed = found.needed.memory_bytes
    assert needed is not None
    assert needed > memory
    enough = recommend(example_service(), memory_bytes=needed, max_gc_cpu_fraction=gc_cpu, **QUICK)
    assert enough.feasible


def test_half_of_all_cpu_is_too_much_whatever_is_allowed() -> None:
    """A setting whose GC CPU may reach half of all CPU is never feasible."""
    found = recommend(example_service(), memory_bytes=130 * MIB, max_gc_cpu_fraction=0.95, **QUICK)
    assert {margin.constraint.metric: margin.constraint.bound for margin in found.margins}[
        "gc_cpu_fraction"
    ] == 0.5
    small = Run(
        settings=Settings(gogc=10),
        metrics={
            "rss_peak_bytes": Estimate(90.0 * MIB, 80.0 * MIB, 99.0 * MIB),
            "gc_cpu_fraction": Estimate(0.01, 0.001, 0.95),
            "stw_p99_seconds": Estimate(0.001, 0.001, 0.001),
        },
    )
    assert best_of([small], 100 * MIB) is None


def test_today_is_the_calibrated_setting_on_what_was_asked_for() -> None:
    """GOGC and GOMEMLIMIT as calibrated, processors as asked."""
    found = recommend(example_service(), memory_bytes=512 * MIB, gomaxprocs=4, **QUICK)
    assert found.today.settings == Settings(gogc=100, gomemlimit_bytes=None, gomaxprocs=4, go="1.27")


def test_progress_never_passes_a_total_known_from_the_start() -> None:
    """The first call names the most that may be simulated; the last one says that nothing is left."""
    calls: list[tuple[int, int]] = []
    recommend(
        example_service(),
        memory_bytes=512 * MIB,
        progress=lambda finished, total: calls.append((finished, total)),
        **QUICK,
    )
    assert calls[0][0] == 0
    assert all(total == calls[0][1] for _, total in calls[:-1])
    assert all(finished <= total for finished, total in calls)
    assert calls[-1][0] == calls[-1][1]


def test_a_bound_on_gc_cpu_is_held_or_refused() -> None:
    """At the pessimistic end too."""
    held = recommend(example_service(), memory_bytes=GIB, max_gc_cpu_fraction=0.05, **QUICK)
    assert held.feasible
    assert held.run.metrics["gc_cpu_fraction"].high <= 0.05
    refused = recommend(example_service(), memory_bytes=192 * MIB, max_gc_cpu_fraction=0.01, **QUICK)
    assert not refused.feasible
    assert "GC CPU" in refused.reason


def test_a_go_version_that_is_not_simulated_is_refused() -> None:
    """Before Go 1.19 there is no memory limit to recommend."""
    with pytest.raises(InputError, match=r"1\.19"):
        recommend(example_service(), memory_bytes=512 * MIB, go="1.18", **QUICK)


def test_a_constraint_may_bound_any_metric() -> None:
    """The same run as with the keyword, and a bound that no keyword has."""
    asked = [Constraint.at_most("gc_cpu_fraction", 0.05)]
    one = recommend(example_service(), memory_bytes=GIB, constraints=asked, **QUICK)
    with_keyword = recommend(example_service(), memory_bytes=GIB, max_gc_cpu_fraction=0.05, **QUICK)
    assert one.to_json() == with_keyword.to_json()
    rate = Constraint.at_most("gc_rate_hz", one.run.metrics["gc_rate_hz"].high / 2)
    rare = recommend(example_service(), memory_bytes=4 * GIB, constraints=[rate], **QUICK)
    assert rare.feasible
    assert rare.run.metrics["gc_rate_hz"].high <= rate.bound
    metrics = [margin.constraint.metric for margin in rare.margins]
    assert metrics == ["container_peak_bytes", "gc_cpu_fraction", "gc_rate_hz"]
    miss = recommend(example_service(), memory_bytes=GIB, constraints=[rate], **QUICK)
    assert not miss.feasible
    assert re.search(r"GC cycles per second 0\.\d+ /s in 95 % of runs for 0\.\d+ /s allowed", miss.reason)


def test_of_one_metric_the_tightest_bound_holds() -> None:
    """A constraint cannot loosen the memory of the container or the limiter's half of the CPU."""
    loose = [Constraint.at_most("container_peak_bytes", 2 * GIB), Constraint.at_most("gc_cpu_fraction", 0.9)]
    assert constraints_from(GIB, loose) == constraints_from(GIB)
    tight = constraints_from(GIB, [*loose, Constraint.at_most("gc_cpu_fraction", 0.1)])
    assert [one.bound for one in tight] == [GIB, 0.1]


def test_every_bound_is_on_a_metric_and_an_option_of_recommend() -> None:
    """A row of the table is enough."""
    assert {bound.metric for bound in BOUNDS} <= set(METRICS)
    (command,) = (each.callback for each in app.registered_commands if each.callback.__name__ == "recommend")
    names = {bound.option.strip("-").replace("-", "_") for bound in BOUNDS}
    assert names <= set(inspect.signature(command).parameters)
