"""``gcsim sites``, ``gcsim pool`` and changes of sites through the installed script."""

import json
from pathlib import Path

import pytest
from installed_script import Installed

EXAMPLE = Path(__file__).parents[2] / "experiments" / "changes" / "example"
LOG = (str(EXAMPLE / "nearest.log.gz"), "--open-loop")
PROFILES = (
    "--profile",
    str(EXAMPLE / "allocs-after.pb.gz"),
    "--before",
    str(EXAMPLE / "allocs-before.pb.gz"),
)
QUICK = ("--duration", "5s", "--replicas", "2")


def test_sites_are_ranked_with_the_reason_of_their_escape(installed: Installed) -> None:
    """The three sites of the example program in order, within 80 columns."""
    asked = ("sites", *LOG, *PROFILES, "--escapes", str(EXAMPLE / "escapes.txt"), *QUICK)
    found = installed.run(*asked)
    assert found.returncode == 0, found.stderr
    assert max(map(len, found.stdout.splitlines())) <= 80
    places = [found.stdout.index(name) for name in ("growQueue", "main.newMarks", "main.hopOnHeap")]
    assert places == sorted(places)
    assert "escapes: marks: the function returns it" in found.stdout
    document = json.loads(installed.run(*asked, "--most", "1", "--json").stdout)
    (first,) = document["sites"]
    assert first["allocation_share"] == pytest.approx(0.55, abs=0.05)
    assert first["bytes_per_second"] == pytest.approx(
        first["allocation_share"] * document["profile_bytes_per_second"]
    )


def test_a_change_of_a_site_is_predicted_and_drawn(installed: Installed, tmp_path: Path) -> None:
    """Mixed with a setting; the document has the effects, the folder the figures."""
    change = ("--pool", "newMarks", "--stack", "hopOnHeap", "--gogc", "50", "--json", "-o", "out")
    found = installed.run("whatif", *LOG, *PROFILES, *change, *QUICK, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    document = json.loads(found.stdout)
    assert [one["change"] for one in document["sites"]] == ["pool", "stack"]
    before, after = (document["allocation_bytes_per_second"][when]["value"] for when in ("before", "after"))
    saved = sum(one["saved_share_of_allocation"] for one in document["sites"])
    assert after / before == pytest.approx(1.0 - saved, rel=0.03)
    assert (tmp_path / "out" / "change.png").exists()


def test_a_pool_misses_more_with_more_collections(installed: Installed, tmp_path: Path) -> None:
    """The table over GOGC, and the figure."""
    asked = ("pool", "order-service", "--gets", "3000", "--hold", "5ms", "--gogc", "25,400", *QUICK)
    found = installed.run(*asked, "--json", "-o", "out", cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    low, high = json.loads(found.stdout)["points"]
    assert low["interval_seconds"] < high["interval_seconds"]
    assert low["misses_per_second"] > high["misses_per_second"] > 0
    assert (tmp_path / "out" / "pool.png").exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("whatif", *LOG, "--pool", "newMarks"), "--profile"),
        (("whatif", *LOG, *PROFILES), "--preallocate"),
        (("whatif", *LOG, *PROFILES, "--pool", "newMask"), "main.newMarks"),
        (("whatif", *LOG, *PROFILES, "--pool", "newMarks=soon"), "duration"),
        (("whatif", *LOG, *PROFILES, "--preallocate", "hopOnHeap"), "append"),
        (("whatif", *LOG, *PROFILES, "--pool", "newMarks", "--stack", "newMarks"), "same allocations"),
        (("sites", *LOG, "--profile", "nowhere.pb.gz"), "nowhere.pb.gz"),
        (("sites", *LOG, "--profile", LOG[0]), "pprof"),
        (("sites", *LOG, *PROFILES, "--escapes", LOG[0]), "escape"),
        (("pool",), "--interval"),
        (("pool", "order-service", "--load", "2"), "closed loop"),
        (("pool", "--interval", "1s", "--gets", "many"), "--gets"),
        (("pool", "--interval", "1s", "--hold", "10ms", "--goroutines", "4"), "--goroutines"),
    ],
)
def test_what_cannot_be_is_one_sentence(installed: Installed, arguments: tuple[str, ...], word: str) -> None:
    """Exit status 2, one line that names the option or the nearest site."""
    refused = installed.run(*arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert word in refused.stderr
