"""``gcsim``: the commands, and the conversion of errors to a sentence and an exit status.

Exit status: 0 success, 1 a negative answer (no feasible setting, validation out of bounds), 2 bad input, 70 an error
in gcsim itself, 130 interrupted, 143 terminated.
"""

import logging
import os
import re
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from gcsim.cli.calibrate import calibrate
from gcsim.cli.capture import capture
from gcsim.cli.compare import compare
from gcsim.cli.config import command_of, defaults, split_everywhere, used_defaults
from gcsim.cli.console import emit, lost_output, note, set_quiet
from gcsim.cli.diagnose import diagnose
from gcsim.cli.fleet import fleet
from gcsim.cli.heap import heap
from gcsim.cli.inspect import inspect
from gcsim.cli.plot import plot
from gcsim.cli.pool import pool
from gcsim.cli.recommend import recommend
from gcsim.cli.report import report
from gcsim.cli.simulate import simulate
from gcsim.cli.sites import sites
from gcsim.cli.sweep import sweep
from gcsim.cli.validate import validate
from gcsim.cli.versions import versions
from gcsim.cli.whatif import whatif
from gcsim.errors import InputError
from gcsim.interrupts import INTERRUPTED, TERMINATED, Terminated

BAD_INPUT = 2
INTERNAL_ERROR = 70  # EX_SOFTWARE of sysexits.h
_LONGEST_SENTENCE = 1200
_COMPLETION = "_GCSIM_COMPLETE"

# The exception of Typer for wrong options and arguments; the class has no public name.
_UsageError: type[Exception] = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="gcsim",
    help="Predict the effect of GOGC and GOMEMLIMIT on a Go service, from one gctrace log.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    capture, inspect, diagnose, calibrate, simulate, sweep, recommend, compare, fleet, whatif, sites, pool, heap,
    validate, plot, report, versions,
):  # fmt: skip
    app.command()(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # here: it loads the parser of e-mail headers

        emit(f"gcsim {version('gcsim')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", help="Print the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
    _quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print no notes and no progress; any command takes it.")
    ] = False,
    _verbose: Annotated[
        bool, typer.Option("--verbose", help="Note the defaults that a file sets; any command takes it.")
    ] = False,
    _config: Annotated[
        str | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="File of defaults [default: gcsim.toml in the working folder]; any command takes it.",
        ),
    ] = None,
) -> None:
    """Predict the effect of GOGC and GOMEMLIMIT on a Go service, from one gctrace log."""


def run(arguments: Sequence[str]) -> int:
    """Runs one command line; returns the exit status."""
    status = _status_of(list(arguments))
    lost = lost_output()
    if lost is not None and status != BAD_INPUT:
        note(
            f"gcsim: standard output could not be written ({lost.strerror or lost}); the result is lost",
            always=True,
        )
        return BAD_INPUT
    return status


def _status_of(arguments: list[str]) -> int:
    """The exit status of a command; every error becomes a note and a status here."""
    try:
        return _dispatch(arguments)
    except typer.Exit as ending:
        return int(ending.exit_code)
    except InputError as error:
        return _refused(str(error))
    except _UsageError as error:
        return _refused(_usage(error))
    except (KeyboardInterrupt, typer.Abort):
        note("gcsim: interrupted", always=True)
        return INTERRUPTED
    except Terminated:
        note("gcsim: terminated", always=True)
        return TERMINATED
    except MemoryError:
        return _refused(
            "not enough memory; pass a shorter log, or fewer settings, fewer replicas or a shorter duration"
        )
    except RecursionError:
        return _refused("the input is nested too deeply; pass a file that gcsim or Go wrote")
    except OSError as error:
        return _failed_io(error)
    except Exception as error:
        return _internal(error)


def _dispatch(arguments: list[str]) -> int:
    """The exit status of a command that ends normally. Typer's ``main`` is not used: it hides Ctrl-C."""
    _refuse_empty(arguments)
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # its notes on caches are not useful here
    if _COMPLETION in os.environ:  # the shell asks for completions
        app(prog_name="gcsim")
    if not arguments:
        arguments = ["--help"]
    elif arguments[0] == "help":
        arguments = [*arguments[1:2], "--help"]
    commands = typer.main.get_command(app)
    assert isinstance(commands, typer.core.TyperGroup)
    arguments, everywhere = split_everywhere(arguments, commands)
    set_quiet(everywhere.quiet)
    asks_help = not {"--help", "-h"}.isdisjoint(arguments)
    tables, path = ({}, None) if asks_help else defaults(everywhere, commands)
    name = command_of(arguments, commands)
    used = {} if name is None else used_defaults(tables.get(name, {}), arguments, name, commands)
    if path is not None and everywhere.verbose:
        note(f"gcsim: {path}: defaults used: {'; '.join(used.values()) if used else 'none'}")
    try:
        with commands.make_context("gcsim", arguments, default_map=tables) as context:
            status = commands.invoke(context)
    except (InputError, _UsageError) as error:
        message = str(error) if isinstance(error, InputError) else _usage(error)
        if any(re.search(rf"{option}(?![\w-])", message) for option in used):
            raise InputError(f"{path} sets a default: {message}") from error
        raise
    return status if isinstance(status, int) else 0


def _refuse_empty(arguments: Sequence[str]) -> None:
    """Raises InputError for an empty argument: as a path it would be the working folder."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    for place, argument in enumerate(own):
        if not argument or (argument.startswith("--") and argument.endswith("=")):
            where = argument.rstrip("=") or (own[place - 1] if place else "the command line")
            raise InputError(f"{where}: an argument is empty; check that its shell variable is set")


def _refused(sentence: str) -> int:
    """Notes bad input in one line of limited length; returns its exit status."""
    if len(sentence) > _LONGEST_SENTENCE:
        half = _LONGEST_SENTENCE // 2
        sentence = f"{sentence[:half]} ... {sentence[-half:]}"
    note(f"gcsim: {sentence}", always=True)
    return BAD_INPUT


def _usage(error: Exception) -> str:
    """Typer's message as one sentence, with a reference to ``--help``."""
    context = getattr(error, "ctx", None)
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    path = getattr(context, "command_path", "gcsim")
    return f"{' '.join(message.split()).rstrip('.')}; see '{path} --help'"


def _failed_io(error: OSError) -> int:
    """Notes an unexpected error of the operating system; returns the exit status."""
    reason = error.strerror or str(error)
    if error.filename is not None:
        return _refused(f"{os.fsdecode(error.filename)}: {reason}; name a file that can be read or written")
    if isinstance(error, BrokenPipeError):  # the reader of the help text closed the pipe
        return 0
    return _refused(f"standard input or output failed ({reason}); check the redirections of the command")


def _internal(error: Exception) -> int:
    """Notes a defect of gcsim, with a traceback on request; returns its exit status."""
    if os.environ.get("GCSIM_TRACEBACK"):
        traceback.print_exception(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""  # noqa: PTH119  # no import while reporting a fault
    what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    note(
        f"gcsim: internal error, please report it: {what}{place}; GCSIM_TRACEBACK=1 prints the traceback",
        always=True,
    )
    return INTERNAL_ERROR
