"""``gcsim``: the commands, and the one place where an error becomes a sentence and an exit status.

Exit status: 0 success, 1 a negative answer (no feasible setting, validation out of bounds), 2 bad input.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from gcsim.cli.calibrate import calibrate
from gcsim.cli.capture import capture
from gcsim.cli.console import note
from gcsim.cli.inspect import inspect
from gcsim.cli.plot import plot
from gcsim.cli.recommend import recommend
from gcsim.cli.report import report
from gcsim.cli.simulate import simulate
from gcsim.cli.sweep import sweep
from gcsim.cli.validate import validate
from gcsim.cli.versions import versions
from gcsim.errors import InputError

BAD_INPUT = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells report it

# What Typer raises for a wrong option, an extra argument and so on; it gives the class no public name.
_UsageError: type[Exception] = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="gcsim",
    help="Predict what GOGC and GOMEMLIMIT would do to a Go service, from one gctrace log.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (capture, inspect, calibrate, simulate, sweep, recommend, validate, plot, report, versions):
    app.command()(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"gcsim {version('gcsim')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Predict what GOGC and GOMEMLIMIT would do to a Go service, from one gctrace log."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line; the exit status."""
    try:
        status = app(args=list(arguments), prog_name="gcsim", standalone_mode=False)
    except InputError as error:
        note(f"gcsim: {error}")
        return BAD_INPUT
    except KeyboardInterrupt:
        note("gcsim: interrupted")
        return INTERRUPTED
    except _UsageError as error:
        return _usage(error)
    except typer.Abort:
        return INTERRUPTED
    return status if isinstance(status, int) else 0


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))


def _usage(error: Exception) -> int:
    """Typer's own complaint as one sentence, with where to look."""
    context = getattr(error, "ctx", None)
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    if not message:  # no command given: the help has been printed
        return BAD_INPUT
    command = getattr(context, "command_path", "gcsim")
    note(f"gcsim: {message.rstrip('.')}; see '{command} --help'")
    return BAD_INPUT


if __name__ == "__main__":
    main()
