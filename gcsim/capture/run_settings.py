"""GOGC, GOMEMLIMIT, GOMAXPROCS and GODEBUG, as a Go program reads them from its environment."""

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
        """The minor version: 27 for Go 1.27."""
        match = re.search(r"go1\.(\d+)", self.go_version)
        assert match is not None  # go_version_of returns only such texts
        return int(match[1])

    @property
    def gogc(self) -> int | None:
        """GOGC in percent; None is off."""
        return gogc_from_env(self.env)

    @property
    def gomemlimit_bytes(self) -> int | None:
        """GOMEMLIMIT in bytes; None if off, malformed (the program stops at once), or unknown to the Go version."""
        try:
            return gomemlimit_from_env(self.env) if self.minor >= FIRST_MINOR_WITH_LIMIT else None
        except InputError:
            return None


def traced(godebug: str, minor: int | None) -> str:
    """A GODEBUG with the traces added; settings that it already contains stay.

    From Go 1.26 on, the function never adds both gcpacertrace and scavtrace, because together they can deadlock the
    program. Printing a float may grow the stack, which takes the heap's lock while the print lock is held
    (``printfloat64``, ``stackalloc``). ``sweepone`` prints the scavenger's line while the heap's lock is held
    (``printScavTrace``). This happened within seconds on Go 1.27.3 with a heap of 4 MiB. The function then adds
    gcpacertrace, whose lines contain more. It does the same for an unknown version (``minor`` is None).
    """
    stated = {name.strip(): value for name, _, value in (s.partition("=") for s in godebug.split(","))}
    wanted = [name for name in TRACE_SETTINGS if name not in stated]
    if minor is None or minor >= FIRST_MINOR_THAT_MAY_HANG:
        left_out = "scavtrace" if stated.get("scavtrace", "0") == "0" else "gcpacertrace"
        wanted = [name for name in wanted if name != left_out]
    return ",".join([f"{name}=1" for name in wanted] + ([godebug] if godebug else []))


def is_traced(godebug: str) -> bool:
    """Whether the runtime prints gc lines with this GODEBUG; its last gctrace setting counts."""
    stated = {
        name.strip(): value.strip() for name, _, value in (s.partition("=") for s in godebug.split(","))
    }
    return stated.get("gctrace", "0") not in ("0", "")


def gogc_from_env(env: Mapping[str, str]) -> int | None:
    """GOGC in percent as the runtime reads it: 100 if malformed, None (off) if negative. Go 1.19+ ``readGOGC``."""
    text = env.get("GOGC", "")
    if text == "off":
        return None
    if not re.fullmatch(r"-?[0-9]{1,10}", text) or not -(2**31) <= int(text) < 2**31:
        return 100
    return int(text) if int(text) >= 0 else None


def gomemlimit_from_env(env: Mapping[str, str]) -> int | None:
    """GOMEMLIMIT in bytes; None is off. Raises InputError for a malformed value, at which Go stops."""
    text = env.get("GOMEMLIMIT", "")
    return parse_gomemlimit(text, what="GOMEMLIMIT") if text else None


def gomaxprocs_from_env(env: Mapping[str, str]) -> int:
    """GOMAXPROCS in ``env`` if it is set there, else the number of cores that gcsim may use. Go ``runtime.schedinit``.

    A program that gcsim starts may use the same cores. From Go 1.25 on, Go's default also depends on the CPU limit of
    the container. This function ignores that limit: each gc line prints P, and the function serves only logs without
    one.
    """
    text = env.get("GOMAXPROCS", "")
    if re.fullmatch(r"[0-9]{1,9}", text) and int(text) > 0:
        return int(text)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
