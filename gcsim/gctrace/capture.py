"""Run a Go program with its GC trace on, keep the trace, and write down what it does not say."""

import datetime
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from gcsim.errors import InputError
from gcsim.gctrace.buildinfo import go_version_of
from gcsim.gctrace.capture_info import CaptureInfo, side_file
from gcsim.gctrace.child import ChildUsage, run_child
from gcsim.gctrace.heap_accounts import AccountReader
from gcsim.units import parse_gomemlimit

TRACE_SETTINGS = ("gctrace", "gcpacertrace", "scavtrace")
FIRST_MINOR_WITH_LIMIT = 19
FIRST_MINOR_THAT_MAY_HANG = 26  # with gcpacertrace and scavtrace together, see ``traced``
TAIL_BYTES = 1 << 16


def run_capture(
    command: Sequence[str],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    stdout: int | IO[bytes] | None = None,
    echo: bool = True,
) -> CaptureInfo:
    """Run ``command`` with its GC traces on (see ``traced``); write ``log`` and ``LOG.meta.json``.

    Standard error goes to the log as it comes and, with ``echo``, to ours; standard input and output stay
    the child's (``stdout`` as for subprocess). ``env`` is the whole environment, by default our own.
    Signals are passed on (see run_child); the exit status stands in the result. Raises InputError where the
    program is missing, cannot be executed or is not Go's, where GOMEMLIMIT is malformed, and where the log
    cannot be written.
    """
    if not command:
        raise InputError("no program to capture; write it behind --, as in: gcsim capture -o LOG -- ./app")
    env = dict(os.environ if env is None else env)
    program = _executable(command[0], env)
    go_version = go_version_of(program)
    minor = _minor(go_version)
    gogc, gomemlimit_bytes = gogc_in(env), gomemlimit_in(env) if minor >= FIRST_MINOR_WITH_LIMIT else None
    env["GODEBUG"] = traced(env.get("GODEBUG", ""), minor)
    busy_before = _machine_busy_seconds()
    start_time = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    accounts = AccountReader(gogc=gogc, gomemlimit_bytes=gomemlimit_bytes, minor=minor)
    usage = _run_logged(
        [str(program), *command[1:]], log, env=env, stdout=stdout, echo=echo, accounts=accounts
    )
    info = CaptureInfo(
        gogc=gogc,
        gomemlimit_bytes=gomemlimit_bytes,
        gomaxprocs=_last_gomaxprocs(log) or gomaxprocs_in(env),
        go_version=go_version,
        go=f"1.{minor}",
        rss_peak_bytes=usage.rss_peak_bytes,
        start_time=start_time,
        wall_seconds=usage.wall_seconds,
        cpu_seconds=usage.cpu_seconds,
        exit_status=usage.exit_status,
        command=list(command),
        foreign_cpu_fraction=_foreign_cpu(busy_before, usage),
        heap_mapped_bytes=None if usage.memory is None else usage.memory.heap_mapped_bytes,
        rss_outside_heap_bytes=None if usage.memory is None else usage.memory.rss_outside_heap_bytes,
        heap_accounts=accounts.accounts,
    )
    info.save(side_file(log))
    return info


def traced(godebug: str, minor: int) -> str:
    """A GODEBUG with the traces on and all else kept; what it already says of a trace stands.

    From Go 1.26 on gcpacertrace and scavtrace are never both added, for together they can hang the program:
    printing a float may grow the stack, which takes the heap's lock while holding the print lock
    (``printfloat64``, ``stackalloc``), and ``sweepone`` prints the scavenger's line while holding the
    heap's lock (``printScavTrace``). Seen within seconds on Go 1.27.3 with a heap of 4 MiB. The pacer's
    lines say more.
    """
    stated = {name.strip(): value for name, _, value in (s.partition("=") for s in godebug.split(","))}
    wanted = [name for name in TRACE_SETTINGS if name not in stated]
    if minor >= FIRST_MINOR_THAT_MAY_HANG:
        left_out = "scavtrace" if stated.get("scavtrace", "0") == "0" else "gcpacertrace"
        wanted = [name for name in wanted if name != left_out]
    return ",".join([f"{name}=1" for name in wanted] + ([godebug] if godebug else []))


def gogc_in(env: Mapping[str, str]) -> int | None:
    """GOGC as the runtime reads it: 100 if malformed, off if negative. Go 1.19+ ``runtime.readGOGC``."""
    text = env.get("GOGC", "")
    if text == "off":
        return None
    if not re.fullmatch(r"-?\d+", text) or not -(2**31) <= int(text) < 2**31:
        return 100
    return int(text) if int(text) >= 0 else None


def gomemlimit_in(env: Mapping[str, str]) -> int | None:
    """GOMEMLIMIT in bytes; None is off. Raises InputError where Go would stop: malformed."""
    text = env.get("GOMEMLIMIT", "")
    return parse_gomemlimit(text, what="GOMEMLIMIT") if text else None


def gomaxprocs_in(env: Mapping[str, str]) -> int:
    """GOMAXPROCS where it is set, else the cores that this process may run on. Go ``runtime.schedinit``.

    From Go 1.25 on a container's CPU limit counts too, which is not looked at here: the trace itself says P.
    """
    text = env.get("GOMAXPROCS", "")
    if re.fullmatch(r"\d+", text) and int(text) > 0:
        return int(text)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _executable(name: str, env: Mapping[str, str]) -> Path:
    found = shutil.which(name, path=env.get("PATH", os.defpath))
    if found:
        return Path(found).absolute()  # a Path loses "./", and a bare name would be looked up on PATH
    if not Path(name).exists():
        raise InputError(f"{name}: no such program; name a Go binary, with its path or on PATH")
    raise InputError(f"{name}: is not an executable file; name a Go binary, or make it executable")


def _minor(go_version: str) -> int:
    match = re.search(r"go1\.(\d+)", go_version)
    assert match is not None  # go_version_of gives nothing else
    return int(match[1])


def _run_logged(
    command: Sequence[str],
    log: Path,
    *,
    env: Mapping[str, str],
    stdout: int | IO[bytes] | None,
    echo: bool,
    accounts: AccountReader,
) -> ChildUsage:
    """Run with standard error copied into the log; a log that fails on the way does not stop the program."""
    failed: list[OSError] = []
    echoing = echo

    def copy(piece: bytes) -> None:
        nonlocal echoing
        if not failed:
            try:
                file.write(piece)
            except OSError as error:
                failed.append(error)
        if echoing:
            echoing = _echo(piece)

    try:
        file = log.open("wb", buffering=0)
    except OSError as error:
        raise InputError(
            f"{log}: cannot be written ({error.strerror}); choose another log with -o"
        ) from error
    with file:
        usage = run_child(command, env=env, stdout=stdout, on_stderr=copy, accounts=accounts)
    if failed:
        raise InputError(f"{log}: is incomplete ({failed[0].strerror}); capture again where there is room")
    return usage


def _echo(piece: bytes) -> bool:
    """Write to our standard error; False once nobody reads it."""
    try:
        sys.stderr.buffer.write(piece)
        sys.stderr.buffer.flush()
    except (OSError, ValueError):
        return False
    return True


def _last_gomaxprocs(log: Path) -> int | None:
    """P of the last trace line, the number that the process itself used; None where the log has none."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        found = re.findall(rb"^gc \d+ @.*, (\d+) P\b", file.read(), flags=re.MULTILINE)
    return int(found[-1]) if found else None


def _machine_busy_seconds() -> float | None:
    """CPU seconds that all cores have been busy, steal included; None where /proc is missing."""
    try:
        user, nice, system, _idle, _iowait, irq, softirq, steal = (
            int(ticks) for ticks in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        )
    except (OSError, ValueError):
        return None
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _foreign_cpu(busy_before: float | None, usage: ChildUsage) -> float | None:
    """Share of all cores that went to other processes, this one included, during the run. Ticks are 10 ms."""
    busy_after = _machine_busy_seconds()
    if busy_before is None or busy_after is None or usage.wall_seconds <= 0:
        return None
    foreign = busy_after - busy_before - usage.cpu_seconds
    return max(0.0, foreign / (usage.wall_seconds * (os.cpu_count() or 1)))
