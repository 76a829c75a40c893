"""The benchmark of run lengths, at a size that a test can afford."""

from dataclasses import replace

from example_service import example_service

from benchmarks.bench_event_length import compare, row
from gcsim.metrics import Estimate


def test_equal_runs_have_no_distance() -> None:
    """A run that is over before its first check is the same with both lengths; a moved interval has a distance."""
    found = compare(example_service(), replicas=2, duration_seconds=2.0)
    assert max(found.distances().values()) == 0.0
    assert 0.2 < found.cpu_share < 5.0
    moved = {name: Estimate(1.1 * e.value, e.low, e.high) for name, e in found.needed.metrics.items()}
    found = replace(found, needed=replace(found.needed, metrics=moved))
    assert min(found.distances().values()) > 0.0
    assert row("example", found).count("|") == 7
