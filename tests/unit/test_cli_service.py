"""A model that calibration itself did not trust says so wherever it is used."""

from dataclasses import replace
from pathlib import Path

import pytest
from example_service import example_service

from gcsim.cli.main import run


@pytest.mark.parametrize(("verdict", "noted"), [("do not trust: throttled", True), ("trust", False)])
def test_a_bad_verdict_is_repeated(
    verdict: str, noted: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, so that scripts reading the JSON are not disturbed."""
    path = tmp_path / "m.toml"
    replace(example_service(), provenance={"verdict": verdict}).save(path)
    status = run(["simulate", str(path), "--gogc", "200", "--duration", "20s", "--replicas", "2", "--json"])
    printed = capsys.readouterr()
    assert status == 0
    assert printed.out.startswith("{")
    assert ("do not trust: throttled" in printed.err) is noted
