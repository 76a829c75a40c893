"""Logs of the command line: reading, stated settings and warnings."""

import math
from typing import TYPE_CHECKING

from gcsim.cli.console import note
from gcsim.units import parse_gogc, parse_gomemlimit

if TYPE_CHECKING:
    from gcsim.calibration.settings.log_settings import Overrides
    from gcsim.gctrace.trace import Trace
    from gcsim.service.model import Loop

_MAX_WARNINGS_SHOWN = 5
_DISTURBED_SHARE = 0.05  # of all CPU: used by other processes during a capture


def read_logs(
    logs: list[str], *, stated: "Overrides | None" = None, process: int | None = None
) -> dict[str, "Trace"]:
    """The trace of one process in each log or source of metrics, by its name. Raises InputError.

    Without ``process``, it is the process with the most cycles of a log. ``stated`` settings count for metrics.
    """
    from gcsim.calibration.source import read_sources

    return read_sources(logs, stated=stated, process=process)


def overrides_of(
    *,
    gogc: str | None = None,
    gomemlimit: str | None = None,
    gomaxprocs: int | None = None,
    go: str | None = None,
    loop: "Loop | None" = None,
    job: bool | None = None,
) -> "Overrides":
    """The settings of the logged run that the options state. Raises InputError."""
    from gcsim.calibration.settings.log_settings import Overrides
    from gcsim.goruntime.versions import rules_for

    percent = None if gogc is None else parse_gogc(gogc)
    limit = None if gomemlimit is None else parse_gomemlimit(gomemlimit)
    return Overrides(
        gogc=percent,
        gogc_off=gogc is not None and percent is None,
        gomemlimit_bytes=limit,
        gomemlimit_off=gomemlimit is not None and limit is None,
        gomaxprocs=gomaxprocs,
        go=None if go is None else rules_for(go).go,
        loop=loop,
        job=job,
    )


def warn_about(name: str, trace: "Trace") -> None:
    """Notes unusual lines and a crowded machine on standard error."""
    shown = trace.parse_warnings[:_MAX_WARNINGS_SHOWN]
    for warning in shown:
        note(f"{name}: {warning}")
    if len(trace.parse_warnings) > len(shown):
        note(f"{name}: {len(trace.parse_warnings) - len(shown)} more warnings; see gcsim inspect --warnings")
    foreign = trace.info.foreign_cpu_fraction if trace.info is not None else None
    if foreign is not None and not math.isnan(foreign) and foreign > _DISTURBED_SHARE:
        note(f"{name}: other processes used {100 * foreign:.0f} % of the CPU; capture on a quiet machine")
