"""Notes for the user about a finished capture, one sentence each."""

from collections.abc import Iterator, Mapping

from gcsim.capture.child import ChildUsage
from gcsim.capture.info import side_file
from gcsim.capture.log_file import LogFile
from gcsim.capture.run_settings import GoProgram, gogc_from_env, is_traced
from gcsim.capture.watch import ProcessWatch
from gcsim.units import format_go_bytes

_FIRST_GOAL = "4 MiB at GOGC=100, stacks and globals not counted"
_NAMED = 3  # Go programs that a note names


def notes_of(
    usage: ChildUsage, file: LogFile, *, env: Mapping[str, str], name: str, side_failure: str
) -> Iterator[str]:
    """The notes of a capture; ``env`` is the program's environment, ``name`` its name on the command line."""
    log = file.path
    if file.failure is not None:
        reason = file.failure.strerror or str(file.failure)
        yield f"{log}: is incomplete ({reason}); capture again where there is room"
    elif not file.has_gc_line:
        yield f"{log}: no gc line came: {_why_no_gc_line(usage, env, name)}"
    elif usage.is_wrapper and not usage.go_programs:
        yield (
            f"the Go program that {name} started was not found, and its settings are not in the side file;"
            " name the Go program itself"
        )
    if file.is_regular and not file.is_in_place:
        yield (
            f"{log}: was moved or removed while {name} ran; {side_file(log).name} belongs to the log as it was,"
            " rename it like the log"
        )
    if side_failure:
        yield f"{side_failure}; settings and usage are not recorded"
    if len(usage.go_programs) > 1:
        yield _several(usage)
    if usage.leaves_stderr_open:
        yield (
            f"{name} has ended, but a process that it started still has its standard error: what that writes from"
            " now on is lost and may end it (SIGPIPE); redirect its standard error"
        )


def _why_no_gc_line(usage: ChildUsage, env: Mapping[str, str], name: str) -> str:
    watch = usage.go_programs[0] if usage.go_programs else None
    if watch is None and usage.is_wrapper:
        return f"no Go program was found in {name} and what it started, or it ended at once; name the Go program itself"
    go = None if watch is None else watch.go
    program_env = env if go is None else go.env
    godebug = program_env.get("GODEBUG", "")
    if not is_traced(godebug):
        if is_traced(env.get("GODEBUG", "")):
            return f"{_program(watch, name)} did not get the GODEBUG of gcsim; name the Go program itself"
        return f"GODEBUG={godebug} turns it off; take gctrace out of GODEBUG"
    if gogc_from_env(program_env) is None:
        return _why_off(go)
    return (
        f"{_program(watch, name)} ended after {usage.wall_seconds:.1f} s, before its heap reached its first goal"
        f" ({_FIRST_GOAL}), or it has closed its standard error; capture it under load for longer"
    )


def _why_off(go: GoProgram | None) -> str:
    limit = None if go is None else go.gomemlimit_bytes
    if limit is None:
        return "GOGC=off without GOMEMLIMIT never collects; set either"
    return f"with GOGC=off it collects only near GOMEMLIMIT={format_go_bytes(limit)}, which it did not reach"


def _several(usage: ChildUsage) -> str:
    named = ", ".join(
        f"{watch.program} ({watch.cpu_seconds:.1f} s of CPU)" for watch in usage.go_programs[:_NAMED]
    )
    more = len(usage.go_programs) - _NAMED
    rest = f" and {more} more" if more > 0 else ""
    return f"several Go programs ran: {named}{rest}; the side file describes the first of them"


def _program(watch: ProcessWatch | None, name: str) -> str:
    return name if watch is None or not watch.program else watch.program
