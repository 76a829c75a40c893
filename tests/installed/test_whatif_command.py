"""``gcsim whatif`` through the installed script: table, document, figures and refusals."""

import json
import re
from pathlib import Path

import pytest
from installed_script import Installed

QUICK = ("--duration", "10s", "--replicas", "4")


def test_the_table_has_before_after_and_ratio(installed: Installed) -> None:
    """With a note on each change, and within 80 columns."""
    changes = ("--traffic", "0.5", "--scale-live", "2", "--gogc", "200")
    found = installed.run("whatif", "order-service-open", *changes, *QUICK)
    assert found.returncode == 0, found.stderr
    assert max(map(len, found.stdout.splitlines())) <= 80
    for note in ("live heap × 2", "traffic × 0.5", "GOGC 100 → 200"):
        assert re.search(rf"^{note}\n  simulated: .+", found.stdout, re.M)
    assert found.stdout.count("not simulated: ") == 3
    row = re.search(
        r"^live at cycle start, mean +([\d.]+) MiB +([\d.]+) MiB +(\S+) +(\S+) to (\S+)$", found.stdout, re.M
    )
    assert row is not None
    before, after, ratio, low, high = map(float, row.groups())
    assert after / before == pytest.approx(ratio, rel=0.01)
    assert low < ratio < high


def test_the_document_holds_the_recommendation_and_figures_are_written(
    installed: Installed, tmp_path: Path
) -> None:
    """With --memory the changed service gets a setting; -o writes the ratios and the heap."""
    asked = ("whatif", "order-service", "--scale-live", "1.2", "--memory", "512Mi", *QUICK, "--json")
    found = installed.run(*asked, "-o", "out", cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    document = json.loads(found.stdout)
    assert document["recommended"]["feasible"] is True
    assert document["fault"] is None
    assert document["ratios"]["heap_live_mean_bytes"]["value"] == pytest.approx(1.2, rel=0.02)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "change.png", "change.svg", "heap.png", "heap.svg",
    }  # fmt: skip


def test_a_service_that_no_longer_fits_is_a_negative_answer(installed: Installed) -> None:
    """Exit status 1, and a setting that does fit if there is one."""
    asked = ("whatif", "order-service", "--scale-live", "2", "--memory", "300Mi", *QUICK)
    found = installed.run(*asked)
    assert found.returncode == 1
    assert "does not fit 300 MiB" in " ".join(found.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("order-service",), "nothing changes"),
        (("order-service", "--traffic", "2"), "--open-loop"),
        (("order-service", "--scale-live", "-1"), "--scale-live"),
        (("order-service", "--scale-alloc", "2000"), "--scale-alloc"),
        (("order-service", "--cpu-quota", "much"), "--cpu-quota"),
        (("order-service", "--cpu-quota", "0"), "--cpu-quota"),
        (("order-service", "--go", "1.18"), "1.19"),
        (("order-service", "--open-loop", "--gogc", "50"), "--open-loop"),
    ],
)
def test_a_change_that_cannot_be_is_one_sentence(
    installed: Installed, arguments: tuple[str, ...], word: str
) -> None:
    """Exit status 2 with the option's name."""
    refused = installed.run("whatif", *arguments, *QUICK)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1
    assert word in refused.stderr
