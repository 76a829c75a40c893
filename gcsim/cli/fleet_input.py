"""The services of ``gcsim fleet``: arguments such as ``app.toml*3``, and a table of models and replicas."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gcsim.cli.console import note
from gcsim.errors import InputError
from gcsim.printable import quoted

if TYPE_CHECKING:
    from gcsim.service.model import Model
    from gcsim.tuning.fleet import Service

MAX_REPLICAS = 100_000
_COLUMNS = ["model", "replicas"]
_NOTED = 5  # verdicts and models left out that are named one by one


def read_services(arguments: Sequence[str], manifest: Path | None, *, skip_bad: bool) -> "list[Service]":
    """The services in order, each model read once. Raises InputError for a model that cannot be read.

    With ``skip_bad`` such a model is left out, with a note.
    """
    from gcsim.service.model import Model
    from gcsim.tuning.fleet import Service

    wanted = [*map(_argument, arguments), *(() if manifest is None else _rows(manifest))]
    if not wanted:
        raise InputError("no service is given; name models, such as app.toml*3, or pass --manifest")
    models: dict[str, Model | None] = {}
    left_out: list[str] = []
    for name, _ in wanted:
        if name not in models:
            try:
                models[name] = Model.load(name)
            except InputError as error:
                if not skip_bad:
                    raise
                models[name] = None
                left_out.append(str(error))
    for sentence in left_out[:_NOTED]:
        note(f"gcsim: left out: {sentence}")
    if len(left_out) > _NOTED:
        note(f"gcsim: left out: {len(left_out) - _NOTED} more models that cannot be read")
    found = [
        Service(name=name, model=model, replicas=count)
        for name, count in wanted
        if (model := models[name]) is not None
    ]
    if not found:
        raise InputError("no model could be read; check the paths")
    _note_verdicts({name: model for name, model in models.items() if model is not None})
    return found


def _argument(text: str) -> tuple[str, int]:
    """The model and the replicas of one argument; a file whose name ends in ``*3`` is itself."""
    match = re.fullmatch(r"(.+)\*(\d{1,9})", text, re.DOTALL)
    if match is None or Path(text).exists():
        return text, 1
    return match[1], _count(match[2], text)


def _rows(manifest: Path) -> Iterator[tuple[str, int]]:
    """The rows of a CSV file with the columns model and replicas."""
    try:
        text = manifest.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise InputError(f"--manifest: {manifest} cannot be read ({reason}); name a CSV file") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    except csv.Error as error:
        raise InputError(
            f"{manifest}:{reader.line_num}: no CSV ({error}); write model,replicas in each line"
        ) from error
    if not lines or lines[0][1][0] != _COLUMNS[0]:
        raise InputError(f"{manifest}: the first line must be model,replicas; add it")
    header = lines[0][1]
    if not set(header) <= set(_COLUMNS) or len(set(header)) != len(header):
        raise InputError(f"{manifest}: the columns must be model and replicas; got {', '.join(header)}")
    for line, row in lines[1:]:
        where = f"{manifest}:{line}"
        if len(row) > len(header) or not row[0]:
            raise InputError(f"{where}: a line must be a model and its replicas, such as app.toml,3")
        yield row[0], _count(row[1], where) if len(row) > 1 and row[1] else 1


def _count(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= MAX_REPLICAS):
        raise InputError(
            f"{where}: the replicas must be a whole number from 1 to {MAX_REPLICAS:,}; got {quoted(text)}"
        )
    return int(text)


def _note_verdicts(models: "dict[str, Model]") -> None:
    """Notes the models that need care: the first ones by name, then their number."""
    lines = [
        f"{name}: {model.assessment.line}"
        for name, model in models.items()
        if model.assessment is not None and model.assessment.verdict != "trust"
    ]
    for line in lines[:_NOTED]:
        note(line)
    if len(lines) > _NOTED:
        note(f"gcsim: {len(lines) - _NOTED} more models are to be trusted with care, or not; see --json")
