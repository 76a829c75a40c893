"""The assumed number of allocating goroutines: a log does not show it."""


def goroutines_per_p(*, open_loop: bool) -> int:
    """Allocating goroutines per P, as in ``experiments/programs``: 16 in an open loop, 2 in a closed loop."""
    return 16 if open_loop else 2
