"""Changes of allocation sites: their effect on allocation and live heap, and refusals."""

import pytest
from des_fingerprint import open_service
from test_sites import allocations, grown, sites

from gcsim.engine.plan import Plan
from gcsim.engine.simulate import simulate
from gcsim.errors import InputError
from gcsim.goruntime.versions import rules_for
from gcsim.service.objects.site_names import named_site
from gcsim.service.objects.sites import Sites
from gcsim.submodels.pool_use import PoolUse
from gcsim.tuning.changes import Changes
from gcsim.tuning.program_changes import ProgramChange, SiteChange, SiteChangeKind
from gcsim.tuning.site_costs import site_costs
from gcsim.tuning.whatif import WhatIf, what_if

PLAN = Plan(duration_seconds=20.0, replicas=8, seed=3)
KNOWN = sites(
    allocations("main.newBuffer", size=24576.0, objects=4_000.0),
    allocations("main.record", size=512.0, objects=100_000.0),
    *grown(16, {1000: 2_000}).allocations,
    allocations("main.keep", size=128.0, objects=50_000.0, live=100_000.0),
)


def change(kind: SiteChangeKind, name: str, known: Sites = KNOWN, **values: float) -> SiteChange:
    return SiteChange(kind=kind, name=name, site=named_site(known, name, f"--{kind}"), **values)


def changed(*changes: SiteChange) -> WhatIf:
    model = open_service()
    program = ProgramChange(sites=KNOWN, changes=changes)
    program.check()
    return what_if(model, model.settings, Changes(program=program), plan=PLAN)


def test_a_pool_takes_the_site_s_share_away() -> None:
    """Almost all Gets hit at thousands of Gets per collection; allocation and cycles fall by the share."""
    found = changed(change("pool", "newBuffer"))
    share = 4_000 * 24576.0 / KNOWN.bytes
    (effect,) = found.sites
    assert effect.pool is not None
    assert 0.98 < effect.pool.hit_share <= 1.0
    before, after = found.allocation
    assert after.value / before.value == pytest.approx(1.0 - share * effect.pool.hit_share, rel=0.02)
    assert found.ratios["gc_rate_hz"].value == pytest.approx(1.0 - share, rel=0.05)
    assert effect.live_bytes == pytest.approx(effect.pool.retained_objects * 24576.0)


def test_a_long_hold_keeps_more_objects() -> None:
    """The pool's objects stay live, so the heap rises although allocation falls."""
    short, long = (changed(change("pool", "newBuffer", hold_seconds=hold)).sites[0] for hold in (0.001, 0.03))
    assert short.pool is not None
    assert long.pool is not None
    assert long.pool.retained_objects > 3 * short.pool.retained_objects
    assert long.live_bytes > short.live_bytes


def test_the_stack_takes_all_of_a_site_and_a_capacity_what_append_wasted() -> None:
    """Shares of the profile's bytes; a stated capacity has no error."""
    stack = changed(change("stack", "record")).sites[0]
    assert stack.saved_share == pytest.approx(100_000 * 512.0 / KNOWN.bytes)
    guess = changed(change("preallocate", "grow")).sites[0]
    stated = changed(change("preallocate", "grow", capacity_bytes=16384.0)).sites[0]
    assert 0.0 < stated.saved_share < guess.bytes_share
    assert stated.saved_share == pytest.approx(guess.saved_share, abs=2 * guess.saved_sd)
    assert guess.saved_sd > stated.saved_sd


def test_changes_add_up() -> None:
    """Three changes at once save the sum of their shares."""
    asked = (change("pool", "newBuffer"), change("stack", "record"), change("preallocate", "grow"))
    found = changed(*asked)
    before, after = found.allocation
    saved = sum(one.saved_share for one in found.sites)
    assert after.value / before.value == pytest.approx(1.0 - saved, rel=0.02)
    assert [note.change.split(" at ")[0] for note in found.notes] == [
        "sync.Pool", "no escape", "capacity up front",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ((change("pool", "newBuffer"), change("stack", "newBuffer")), "same allocations"),
        ((change("preallocate", "newBuffer"),), "not those of slices"),
    ],
)
def test_impossible_changes_are_refused(changes: tuple[SiteChange, ...], word: str) -> None:
    """With one sentence."""
    with pytest.raises(InputError, match=word):
        changed(*changes)


def test_large_objects_do_not_go_to_the_stack() -> None:
    """The compiler's bound is 64 KiB."""
    large = sites(allocations("main.large", size=131072.0))
    with pytest.raises(InputError, match="64 KiB"):
        ProgramChange(sites=large, changes=(change("stack", "large", large),)).check()


def test_costs_share_out_the_collector_s_work() -> None:
    """Shares sum to 1, cycles to the rate of the service; live objects are those of the profile."""
    model = open_service()
    (home,) = simulate(model, [model.settings], PLAN)
    found = site_costs(KNOWN, model, home)
    assert sum(one.allocation_share for one in found.costs) == pytest.approx(1.0)
    cycles = sum(one.collections_per_second for one in found.costs)
    assert cycles == pytest.approx(home.metrics["gc_rate_hz"].value)
    live = {one.site.place.function: one.live_share for one in found.costs}
    assert live["main.keep"] == pytest.approx(1.0)


@pytest.mark.parametrize("period", [0.001, 0.01, 0.1, 1.0])
def test_more_gets_in_a_collection_period_hit_more(period: float) -> None:
    """The closed form and the simulation meet: a longer period never hits less, up to the error of sampling."""
    use = PoolUse(gets_per_second=5_000.0, in_flight=3.0, gomaxprocs=2)
    now, later = (use.at(time, rules=rules_for("1.27"), seed=1) for time in (period, 3 * period))
    assert later.hit_share >= now.hit_share - 0.02
    assert later.retained_objects >= now.retained_objects
