"""GOGC, GOMEMLIMIT, GOMAXPROCS and GODEBUG as a Go program reads them from its environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gcsim.errors import InputError
from gcsim.units import parse_gomemlimit

TRACE_SETTINGS = ("gctrace", "gcpacertrace", "scavtrace")
FIRST_MINOR_WITH_LIMIT = 19
FIRST_MINOR_THAT_MAY_HANG = 26  # with gcpacertrace and scavtrace together, see ``traced``


@dataclass(frozen=True, slots=True, kw_only=True)
class GoProgram:
    """A Go program and the environment that it was started with."""

    path: Path
    go_version: str  # "go1.27.3"
    env: Mapping[str, str]

    @property
    def minor(self) -> int:
        """27 of Go 1.27."""
        match = re.search(r"go1\.(\d+)", self.go_version)
        assert match is not None  # go_version_of gives nothing else
        return int(match[1])

    @property
    def gogc(self) -> int | None:
        """Percent; None is off."""
        return gogc_from_env(self.env)

    @property
    def gomemlimit_bytes(self) -> int | None:
        """Bytes; None is off, malformed (the program stops at once) or older than the limit."""
        try:
            return gomemlimit_from_env(self.env) if self.minor >= FIRST_MINOR_WITH_LIMIT else None
        except InputError:
            return None


def traced(godebug: str, minor: int | None) -> str:
    """A GODEBUG with the traces on and all else kept; what it already says of a trace stands.

    From Go 1.26 on gcpacertrace and scavtrace are never both added, for together they can hang the program:
    printing a float may grow the stack, which takes the heap's lock while holding the print lock
    (``printfloat64``, ``stackalloc``), and ``sweepone`` prints the scavenger's line while holding the
    heap's lock (``printScavTrace``). Seen within seconds on Go 1.27.3 with a heap of 4 MiB. The pacer's
    lines say more. The same holds where the version is not known (``minor`` is None).
    """
    stated = {name.strip(): value for name, _, value in (s.partition("=") for s in godebug.split(","))}
    wanted = [name for name in TRACE_SETTINGS if name not in stated]
    if minor is None or minor >= FIRST_MINOR_THAT_MAY_HANG:
        left_out = "scavtrace" if stated.get("scavtrace", "0") == "0" else "gcpacertrace"
        wanted = [name for name in wanted if name != left_out]
    return ",".join([f"{name}=1" for name in wanted] + ([godebug] if godebug else []))


def is_traced(godebug: str) -> bool:
    """Whether the runtime prints gc lines under a GODEBUG: the last setting of gctrace counts."""
    stated = {
        name.strip(): value.strip() for name, _, value in (s.partition("=") for s in godebug.split(","))
    }
    return stated.get("gctrace", "0") not in ("0", "")


def gogc_from_env(env: Mapping[str, str]) -> int | None:
    """GOGC as the runtime reads it: 100 if malformed, off if negative. Go 1.19+ ``runtime.readGOGC``."""
    text = env.get("GOGC", "")
    if text == "off":
        return None
    if not re.fullmatch(r"-?[0-9]{1,10}", text) or not -(2**31) <= int(text) < 2**31:
        return 100
    return int(text) if int(text) >= 0 else None


def gomemlimit_from_env(env: Mapping[str, str]) -> int | None:
    """GOMEMLIMIT in bytes; None is off. Raises InputError where Go would stop: malformed."""
    text = env.get("GOMEMLIMIT", "")
    return parse_gomemlimit(text, what="GOMEMLIMIT") if text else None


def gomaxprocs_from_env(env: Mapping[str, str]) -> int:
    """GOMAXPROCS where it is set, else the cores that this process may run on. Go ``runtime.schedinit``.

    From Go 1.25 on a container's CPU limit counts too, which is not looked at here: the trace itself says P.
    """
    text = env.get("GOMAXPROCS", "")
    if re.fullmatch(r"[0-9]{1,9}", text) and int(text) > 0:
        return int(text)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
