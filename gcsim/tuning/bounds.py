"""The constraints that a user may ask for, each with its option of ``gcsim recommend``.

A new constraint on a metric needs a row here and a row in ``docs/reference/commands.md``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gcsim.errors import InputError
from gcsim.printable import quoted
from gcsim.units import parse_duration, parse_fraction

MEMORY_NAME = "memory"  # in --confidence
_MOST_THROUGHPUT = 10.0  # times that of the calibrated run
_LEAST_CONFIDENCE, _MOST_CONFIDENCE = 0.5, 0.999


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A bound on one metric, as an option of the command line."""

    metric: str  # a name of gcsim.metrics.METRICS
    label: str  # its name in texts
    option: str
    metavar: str
    help: str
    parse: Callable[..., float]  # (text, what=option) -> the bound in the metric's unit
    is_lower: bool = False

    @property
    def name(self) -> str:
        """The name of the bound in ``--confidence``."""
        return self.option.removeprefix("--max-").removeprefix("--min-")


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
    Bound(
        metric="request_p99_seconds",
        label="p99 of requests",
        option="--max-request-p99",
        metavar="TIME",
        help="Longest allowed 99th-percentile request latency, such as 50ms, of a model with requests.",
        parse=parse_duration,
    ),
    Bound(
        metric="job_wall_seconds",
        label="time of the job",
        option="--max-job-time",
        metavar="TIME",
        help="Longest allowed wall time of one whole run of a job, such as 30s.",
        parse=parse_duration,
    ),
    Bound(
        metric="throughput_ratio",
        label="throughput",
        option="--min-throughput",
        metavar="SHARE",
        help="Lowest allowed throughput against the calibrated run, such as 95%.",
        parse=partial(parse_fraction, most=_MOST_THROUGHPUT),
        is_lower=True,
    ),
)


def parse_confidence(texts: list[str], *, what: str = "--confidence") -> dict[str, float]:
    """Probabilities by the name of the constraint: ``99%`` for all, ``memory=99.9%`` for one. Raises InputError.

    The key of a probability for all is the empty text.
    """
    names = [MEMORY_NAME, *(bound.name for bound in BOUNDS)]
    found: dict[str, float] = {}
    for text in texts:
        name, _, share = text.rpartition("=")
        if name and name not in names:
            raise InputError(f"{what}: unknown constraint {quoted(name)}; write one of {', '.join(names)}")
        value = parse_fraction(share, what=what)
        if not _LEAST_CONFIDENCE <= value <= _MOST_CONFIDENCE:
            raise InputError(
                f"{what}: {quoted(share)} must be from 50% to 99.9%; predictions do not show rarer events"
            )
        found[name] = value
    return found
