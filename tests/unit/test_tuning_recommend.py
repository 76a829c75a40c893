"""The recommendation: every constraint held, cheap, robust, and explained."""

import json

import pytest
from example_service import example_service

from gcsim.errors import InputError
from gcsim.tuning.constraints import pareto_front, worst_margin
from gcsim.tuning.recommend import Recommendation, recommend
from gcsim.units import GIB, MIB, parse_gogc, parse_gomemlimit

QUICK = {"duration_seconds": 60.0, "replicas": 4, "seed": 3}


@pytest.fixture(scope="module")
def half_gib() -> Recommendation:
    return recommend(example_service(), memory_bytes=512 * MIB, **QUICK)


def test_memory_holds_at_the_pessimistic_end(half_gib: Recommendation) -> None:
    """The 95th percentile of peak resident memory stays inside the container."""
    assert half_gib.feasible
    assert half_gib.run.metrics["rss_peak_bytes"].high <= 512 * MIB
    assert all(margin.margin >= 0 for margin in half_gib.margins)


def test_the_choice_is_robust_and_nearly_the_cheapest(half_gib: Recommendation) -> None:
    """A finite GOGC over a limit below the container, at a fifth more GC CPU than the best at most."""
    settings = half_gib.settings
    assert settings.gogc is not None
    assert settings.gomemlimit_bytes is not None
    assert settings.gomemlimit_bytes < 512 * MIB
    feasible = [run for run in half_gib.explored if run.metrics["rss_peak_bytes"].high <= 0.97 * 512 * MIB]
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
    assert off[0].metrics["rss_peak_bytes"].high <= 512 * MIB


def test_the_document_is_the_contract(half_gib: Recommendation) -> None:
    """Exactly the keys that others rely on, and an environment that Go reads back."""
    document = json.loads(json.dumps(half_gib.to_json()))
    assert list(document) == ["feasible", "settings", "env", "metrics", "alternatives", "reason"]
    assert set(document["env"]) == {"GOGC", "GOMEMLIMIT"}
    assert parse_gogc(document["env"]["GOGC"]) == document["settings"]["gogc"]
    assert parse_gomemlimit(document["env"]["GOMEMLIMIT"]) == document["settings"]["gomemlimit_bytes"]
    assert all(set(run) == {"settings", "metrics"} for run in document["alternatives"])


def test_alternatives_are_on_the_front_and_not_the_choice(half_gib: Recommendation) -> None:
    """No alternative is beaten by another in both memory and CPU."""
    alternatives = list(half_gib.alternatives)
    assert 1 <= len(alternatives) <= 4
    assert half_gib.settings not in [run.settings for run in alternatives]
    assert pareto_front(alternatives) == alternatives


def test_the_reason_names_setting_margin_and_growth(half_gib: Recommendation) -> None:
    """In plain sentences."""
    assert f"GOGC={half_gib.settings.gogc}" in half_gib.reason
    assert "to spare" in half_gib.reason
    assert "25 % more live heap" in half_gib.reason


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
    constraints = [margin.constraint for margin in found.margins]
    assert worst_margin(found.run, constraints) == max(
        worst_margin(run, constraints) for run in found.explored
    )


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
