"""Default outputs about a log fit a terminal of 80 columns."""

from pathlib import Path

import pytest

from experiments.archive import unpacked
from gcsim.cli.main import run

CAPTURES = unpacked(Path(__file__).parents[2] / "experiments" / "validation" / "captures")


@pytest.mark.parametrize("program", ["orders", "leak", "deepstacks", "ledger", "kvstore"])
def test_inspect_and_calibrate_fit_80_columns(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Findings, figures and verdict; paths are short here."""
    log = CAPTURES / f"{program}-go1.27.3-gogc100-limitoff-p2-r1.log.gz"
    monkeypatch.chdir(tmp_path)
    Path("app.log.gz").write_bytes(log.read_bytes())
    assert run(["inspect", "app.log.gz"]) == 0
    shown = capsys.readouterr().out
    assert "stacks scanned, first / last / max" in shown
    assert "assumed; pass --go" in shown
    assert run(["calibrate", "app.log.gz", "-o", "app.toml"]) in (0, 1)
    shown += capsys.readouterr().out
    assert "Self-check: " in shown
    assert [line for line in shown.splitlines() if len(line) > 80] == []


def test_one_cycle_says_how_many_processes_were_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A log of short processes holds many gc lines, and one cycle of the process used."""
    line = (
        "gc 1 @{}s 0%: 0.030+1.0+0.040 ms clock, 0.060+0/0.80/0.10+0.080 ms cpu, 4->4->2 MB, 5 MB goal,"
        " 0 MB stacks, 0 MB globals, 2 P\n"
    )
    (tmp_path / "a.log").write_text("".join(line.format(at) for at in ("0.100", "0.120", "0.090")))
    assert run(["inspect", str(tmp_path / "a.log")]) == 2
    assert "gc lines of 3 processes were read" in capsys.readouterr().err
