"""Goroutines that allocate, where a log does not show them."""


def goroutines_per_p(*, open_loop: bool) -> int:
    """Goroutines that allocate, over GOMAXPROCS, as in ``experiments/programs``: 16 in an open loop, else 2."""
    return 16 if open_loop else 2
