"""Logs on the command line: reading them, and the settings they were written at."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from gcsim.cli.console import note
from gcsim.errors import InputError
from gcsim.settings import Settings
from gcsim.units import parse_gogc, parse_gomemlimit

if TYPE_CHECKING:
    from gcsim.calibration import Overrides
    from gcsim.gctrace.trace import Trace
    from gcsim.workload.model import Loop

_MAX_ODDITIES_SHOWN = 5
_DISTURBED_SHARE = 0.05  # of all CPU used by other processes during a capture


def read_logs(logs: list[str]) -> dict[str, "Trace"]:
    """Each log's busiest process, by the name given. Raises InputError."""
    from gcsim.gctrace import read_gctrace

    if logs.count("-") > 1:
        raise InputError("standard input can be read once; name - only once")
    return {log: read_gctrace(log) for log in dict.fromkeys(logs)}


def settings_of(
    trace: "Trace",
    *,
    gogc: str | None = None,
    gomemlimit: str | None = None,
    gomaxprocs: int | None = None,
    go: str | None = None,
) -> Settings:
    """The settings a log was written at: what the options say, then its side file, then Go's defaults."""
    from gcsim.calibration.observed import observed_settings
    from gcsim.goruntime.versions import rules_for

    known = observed_settings(trace)
    return replace(
        known,
        gogc=known.gogc if gogc is None else parse_gogc(gogc),
        gomemlimit_bytes=known.gomemlimit_bytes if gomemlimit is None else parse_gomemlimit(gomemlimit),
        gomaxprocs=known.gomaxprocs if gomaxprocs is None else gomaxprocs,
        go=known.go if go is None else rules_for(go).go,
    )


def overrides_of(settings: Settings, *, loop: "Loop | None" = None) -> "Overrides":
    """The settings as calibration takes them, and what is known of the program's loop."""
    from gcsim.calibration import Overrides

    return Overrides(
        gogc=settings.gogc,
        gogc_off=settings.gogc is None,
        gomemlimit_bytes=settings.gomemlimit_bytes,
        gomemlimit_off=settings.gomemlimit_bytes is None,
        gomaxprocs=settings.gomaxprocs,
        go=settings.go,
        loop=loop,
    )


def warn_about(name: str, trace: "Trace") -> None:
    """What a reader of the log should know, on standard error."""
    shown = trace.oddities[:_MAX_ODDITIES_SHOWN]
    for oddity in shown:
        note(f"{name}: {oddity}")
    if len(trace.oddities) > len(shown):
        note(f"{name}: {len(trace.oddities) - len(shown)} more oddities; see gcsim inspect --oddities")
    foreign = trace.info.foreign_cpu_fraction if trace.info is not None else None
    if foreign is not None and not math.isnan(foreign) and foreign > _DISTURBED_SHARE:
        note(f"{name}: other processes used {100 * foreign:.0f} % of the CPU; capture on a quiet machine")
