"""The constraints that a user may ask for, each with its option of ``gcsim recommend``.

A new constraint on a metric needs a row here and a row in ``docs/reference/commands.md``.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gcsim.units import parse_duration, parse_fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """An upper bound on one metric, as an option of the command line."""

    metric: str  # a name of gcsim.metrics.METRICS
    label: str  # its name in texts
    option: str
    metavar: str
    help: str
    parse: Callable[..., float]  # (text, what=option) -> the bound in the metric's unit


BOUNDS = (
    Bound(
        metric="gc_cpu_fraction",
        label="GC CPU",
        option="--max-gc-cpu",
        metavar="SHARE",
        help="Highest allowed GC CPU, such as 10%.",
        parse=parse_fraction,
    ),
    Bound(
        metric="stw_p99_seconds",
        label="p99 pause",
        option="--max-stw-p99",
        metavar="TIME",
        help="Longest allowed 99th-percentile pause, such as 2ms.",
        parse=parse_duration,
    ),
)
