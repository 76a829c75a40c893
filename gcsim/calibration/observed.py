"""The settings that a log was written at, as far as it and its side file tell."""

from gcsim.gctrace.trace import Trace
from gcsim.goruntime.versions import NEWEST_MINOR, rules_for
from gcsim.settings import Settings

_NEWEST_OF_GENERATION = {
    "1.2": 2, "1.3": 3, "1.4": 4, "1.5beta": 5, "1.5": 5, "1.6": 17, "1.18": NEWEST_MINOR,
}  # fmt: skip


def observed_settings(trace: Trace) -> Settings:
    """What the side file states; the rest as Go's defaults.

    A bare gctrace shows the processors, and the Go version only within the range that printed its spelling:
    the newest of them is taken.
    """
    procs = int(trace.cycles.gomaxprocs[-1]) if len(trace.cycles) else 1
    go = rules_for(f"1.{_NEWEST_OF_GENERATION[trace.generation]}").go
    assumed = Settings(gogc=100, gomemlimit_bytes=None, gomaxprocs=max(procs, 1), go=go)
    return assumed if trace.info is None else trace.info.settings_over(assumed)
