"""``gcsim.toml``: a user's defaults of options, one table per command, and the options of every command."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gcsim.errors import InputError
from gcsim.printable import quoted

if TYPE_CHECKING:
    from typer.core import TyperGroup

FILE = "gcsim.toml"
_MOST_BYTES = 1 << 20
_QUIET, _VERBOSE, _CONFIG = ("--quiet", "-q"), ("--verbose",), "--config"
_NEVER = ("help", "config", "quiet", "verbose")  # of no command's table


@dataclass(frozen=True, slots=True, kw_only=True)
class Everywhere:
    """The options that every command takes, at any place before ``--``."""

    quiet: bool = False
    verbose: bool = False
    config: str | None = None  # a file; None looks for gcsim.toml in the working folder


def split_everywhere(arguments: Sequence[str], commands: "TyperGroup") -> tuple[list[str], Everywhere]:
    """The arguments without the options of every command, and those options. Raises InputError.

    A command's own option of the same name stays its own, such as that of ``calibrate --verbose``. Behind ``capture``
    arguments may be those of another program, so all of them stay.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    name = command_of(arguments[:end], commands)
    if name == "capture":
        end = arguments.index(name)
    own = set() if name is None else _options_of(name, commands)
    kept: list[str] = []
    quiet = verbose = False
    config: str | None = None
    place = 0
    while place < end:
        one = arguments[place]
        if one in _QUIET and one not in own:
            quiet = True
        elif one in _VERBOSE:
            verbose = True
            kept += [one] if one in own else []
        elif one == _CONFIG or one.startswith(f"{_CONFIG}="):
            if "=" not in one:
                place += 1
            config = one.partition("=")[2] if "=" in one else _value(arguments, place, end)
        else:
            kept.append(one)
        place += 1
    return [*kept, *arguments[end:]], Everywhere(quiet=quiet, verbose=verbose, config=config)


def defaults(everywhere: Everywhere, commands: "TyperGroup") -> tuple[dict[str, dict[str, Any]], Path | None]:
    """Defaults by command and parameter, and the file that they come from. Raises InputError for a bad file.

    Without ``--config`` and without ``gcsim.toml`` in the working folder there are none.
    """
    path = Path(FILE) if everywhere.config is None else Path(everywhere.config)
    if everywhere.config is None and not _is_file(path):
        return {}, None
    return {
        command: _table(path, command, table, commands) for command, table in _document(path).items()
    }, path


def command_of(arguments: Sequence[str], commands: "TyperGroup") -> str | None:
    """The command that the arguments name."""
    return next((one for one in arguments if one in commands.commands), None)


def used_defaults(
    table: Mapping[str, Any], arguments: Sequence[str], name: str, commands: "TyperGroup"
) -> dict[str, str]:
    """The defaults of a command that its arguments do not replace, as text by option."""
    given = {one.partition("=")[0] for one in arguments}
    used = {}
    for parameter in commands.commands[name].params:
        options = [option for option in parameter.opts if option.startswith("--")]
        if parameter.name in table and not given & {*parameter.opts, *parameter.secondary_opts}:
            value = table[parameter.name]
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            used[options[0]] = options[0] if value is True else f"{options[0]} {shown}"
    return used


def _options_of(name: str, commands: "TyperGroup") -> set[str]:
    return {option for parameter in commands.commands[name].params for option in parameter.opts}


def _value(arguments: Sequence[str], place: int, end: int) -> str:
    if place >= end:
        raise InputError(f"{_CONFIG}: name a file, such as {_CONFIG} {FILE}")
    return arguments[place]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _document(path: Path) -> dict[str, Any]:
    """The tables of the file. Raises InputError."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror or error}; name a file of defaults that can be read"
        ) from error
    if len(text) > _MOST_BYTES:
        raise InputError(f"{path}: the file is larger than 1 MiB; a file of defaults has a few lines")
    try:
        return tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: the file is not TOML ({why}); correct it, or remove it") from error


def _table(path: Path, command: str, table: Any, commands: "TyperGroup") -> dict[str, Any]:
    """The defaults of one command by parameter. Raises InputError for an unknown name or a wrong type."""
    if not isinstance(table, dict):
        raise InputError(
            f"{path}: {quoted(command)} is in no table; write the table of a command above it, such as [recommend]"
        )
    if command not in commands.commands:
        raise InputError(f"{path}: {_unknown(command, commands.commands, 'command')}")
    known = {
        option.removeprefix("--"): parameter
        for parameter in commands.commands[command].params
        for option in parameter.opts
        if option.startswith("--") and parameter.name not in _NEVER
    }
    found = {}
    for key, value in table.items():
        if key not in known:
            raise InputError(f"{path}: [{command}]: {_unknown(key, known, 'option')}")
        parameter = known[key]
        is_flag, several = getattr(parameter, "is_flag", False), getattr(parameter, "multiple", False)
        found[str(parameter.name)] = _checked(
            f"{path}: [{command}] {key}", value, flag=is_flag, several=several
        )
    return found


def _unknown(name: str, known: Mapping[str, object], what: str) -> str:
    close = get_close_matches(name, known, n=1)
    hint = (
        f"did you mean {close[0]}?" if close else f"gcsim --help and gcsim COMMAND --help list every {what}"
    )
    return f"unknown {what} {quoted(name)}; {hint}"


def _checked(what: str, value: Any, *, flag: bool, several: bool) -> Any:
    """The value as an option takes it. Raises InputError."""
    if flag:
        if not isinstance(value, bool):
            raise InputError(f"{what}: write true or false")
        return value
    if several:
        values = value if isinstance(value, list) else [value]
        return [_text(what, one) for one in values]
    return _text(what, value)


def _text(what: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f'{what}: write a number or a text in quotes, such as "512Mi"')
    return str(value)
