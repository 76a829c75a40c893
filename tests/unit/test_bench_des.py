"""The benchmark of the event-by-event engine, at a size that a test can afford."""

from benchmarks.bench_des import REQUESTS_PER_SECOND, measure


def test_a_busy_service_is_simulated_faster_than_real_time() -> None:
    """The service has the load that the figure is quoted for, and the engine keeps well ahead of it."""
    speed = measure(4.0)
    assert abs(speed.requests_per_second / REQUESTS_PER_SECOND - 1.0) < 0.1
    assert 3.5 < speed.collections_per_second < 6.5
    assert speed.times_real_time > 2.0  # 20 and more on a quiet machine; a test must pass on a busy one
