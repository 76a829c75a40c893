"""A model that calibration itself did not trust says so wherever it is used."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from example_service import example_log, example_service

from gcsim.cli.main import run
from gcsim.service.assessment import Assessment, Finding, Growth, Severity

GROWS = Growth(what="live heap", bytes_per_second=3.6e6, first_bytes=1e7, last_bytes=9e7, continues=True)
QUICK = ("--duration", "20s", "--replicas", "2")


def model_file(tmp_path: Path, severity: Severity) -> str:
    """The example service with one finding."""
    found = Assessment(findings=(Finding("growth", severity, "live heap grows"),), growth=(GROWS,))
    replace(example_service(), assessment=found).save(tmp_path / "m.toml")
    return str(tmp_path / "m.toml")


def commands(model: str, tmp_path: Path) -> dict[str, list[str]]:
    """Every command that loads a model."""
    log = tmp_path / "a.log"
    log.write_text(example_log())
    return {
        "simulate": ["simulate", model, "--gogc", "200", *QUICK, "--json"],
        "sweep": ["sweep", model, "--gogc", "100,200", *QUICK, "--json"],
        "recommend": ["recommend", model, "--memory", "2GiB", *QUICK, "--json"],
        "validate": ["validate", model, str(log), "--replicas", "2", "--json"],
        "plot": ["plot", model, "--duration", "20s", "-o", str(tmp_path / "figures")],
        "report": ["report", model, "--gogc", "100,200", *QUICK, "-o", str(tmp_path / "page.html")],
    }


@pytest.mark.parametrize(
    ("severity", "line", "status"),
    [
        ("distrust", "do not trust: live heap grows", 1),
        ("care", "trust with care: live heap grows", 0),
        ("note", None, 0),
    ],
)
@pytest.mark.parametrize("name", ["simulate", "sweep", "recommend", "validate", "plot", "report"])
def test_the_verdict_goes_with_the_model(
    name: str,
    severity: Severity,
    line: str | None,
    status: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On standard error, in the document and in the exit status of every command that loads the model."""
    model = model_file(tmp_path, severity)
    assert run(commands(model, tmp_path)[name]) == status
    printed = capsys.readouterr()
    assert (f"{model}: {line}" in printed.err) is (line is not None)
    if "--json" in commands(model, tmp_path)[name]:
        found = json.loads(printed.out)
        assert (
            found["verdict"]
            == {"distrust": "do not trust", "care": "trust with care", "note": "trust"}[severity]
        )
        assert found["findings"][0] == {"kind": "growth", "severity": severity, "text": "live heap grows"}
        assert found["growth"][0]["bytes_per_second"] == 3.6e6


def test_recommend_says_first_that_the_model_is_not_trusted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the setting, on standard output."""
    assert run(["recommend", model_file(tmp_path, "distrust"), "--memory", "2GiB", *QUICK]) == 1
    assert capsys.readouterr().out.startswith("do not trust: live heap grows\n")


def test_a_model_without_a_verdict_has_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its documents say null, and nothing is noted."""
    replace(example_service(), assessment=None, provenance={}).save(tmp_path / "m.toml")
    assert run(["simulate", str(tmp_path / "m.toml"), *QUICK, "--json"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert (found["verdict"], found["findings"], found["growth"]) == (None, [], [])
    assert printed.err == ""


def test_sizes_that_never_change_are_not_taken_for_no_allocation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Printed in whole MiB: the interval reaches from almost nothing to what printing hides, and there is no trust."""
    log, model = tmp_path / "flat.log", tmp_path / "flat.toml"
    log.write_text(
        "".join(
            f"gc {n} @{0.0277 * n:.3f}s 1%: 0.030+0.50+0.040 ms clock, 0.060+0/0.80/0.10+0.080 ms cpu,"
            " 187->187->187 MB, 188 MB goal, 0 MB stacks, 0 MB globals, 2 P\n"
            for n in range(1, 200)
        )
    )
    assert run(["calibrate", str(log), "--gogc", "0", "-o", str(model), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    rate = found["parameters"]["alloc_bytes_per_second"]
    assert rate["high"] >= 30 * 2**20
    assert rate["low"] < 5 * 2**20
    finding = next(one for one in found["findings"] if one["kind"] == "printing precision")
    assert "between 0 and 3" in finding["text"]
    assert run(["recommend", str(model), "--memory", "1GiB", *QUICK, "--json"]) == 1
