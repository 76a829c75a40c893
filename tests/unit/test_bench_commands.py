"""The benchmark of whole commands, at a size that a test can afford."""

from pathlib import Path

from benchmarks.bench_commands import COMMANDS, README_SWEEP, measure


def test_a_command_is_measured_beside_the_start_of_python(tmp_path: Path) -> None:
    """Both took CPU time, and the ratio is theirs."""
    cost = measure(("--help",), str(tmp_path), rounds=1)
    assert cost.cpu_seconds > 0
    assert cost.start_cpu_seconds > 0
    assert cost.ratio == cost.cpu_seconds / cost.start_cpu_seconds


def test_the_sweep_is_that_of_the_readme() -> None:
    """The benchmark follows the first page."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"gcsim sweep order-service {' '.join(README_SWEEP)} -o out" in readme
    assert README_SWEEP[0] in COMMANDS["readme-sweep"]
