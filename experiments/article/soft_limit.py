"""GOMEMLIMIT as a hard limit of resident memory, and collections at 0.9 and 0.95 of it."""

from pathlib import Path

from experiments.article.arms import OUTSIDE, Arm, capture, orders, run_arms, save

NAME = "soft_limit"
MAPPED = "soft_limit_mapped"  # the calibrated run with memory that Go does not count
LOAD = ("-rate", "6000")
OUTSIDE_MIB, LIMIT_MIB, BELOW_LIVE_MIB = 120, 120, 50


def _arm(name: str, *args: str, limit_mib: int | None) -> Arm:
    return orders(name, *LOAD, *args, limit_mib=limit_mib, seconds=10.0, added=OUTSIDE)


_MAPS = ("-outside", f"{OUTSIDE_MIB}MiB")
ARMS = (
    _arm("limit", limit_mib=LIMIT_MIB),
    _arm("limit, mapped", *_MAPS, limit_mib=LIMIT_MIB),
    _arm("limit below live heap", limit_mib=BELOW_LIVE_MIB),
)


def run(out: Path) -> None:
    """Two calibrated runs without a limit, then every arm; 100 s."""
    capture(NAME, _arm("no limit", limit_mib=None), out)
    capture(MAPPED, _arm("no limit, mapped", *_MAPS, limit_mib=None), out)
    save(NAME, run_arms(ARMS), out)
