"""The outputs of ``gcsim sweep`` while it runs: finished parts next to the outputs, for ``--resume``."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gcsim.cli.console import note
from gcsim.errors import InputError

if TYPE_CHECKING:
    from gcsim.tuning.services import Grid
    from gcsim.tuning.unfinished import Unfinished


def is_parquet(output: Path | None) -> bool:
    """Whether ``-o`` names a Parquet file; otherwise it names a folder."""
    return output is not None and output.suffix == ".parquet"


def check_sweep_output(output: Path) -> None:
    """Raises InputError if ``-o`` cannot be written; leaves nothing behind."""
    from gcsim.atomic import check_folder, check_output

    if is_parquet(output):
        from gcsim.tuning.parquet_file import check_parquet

        check_parquet(output)
        check_output(output)
    else:
        check_folder(output)


@contextmanager
def keeping(
    output: Path | None, grid: "Grid", files: Sequence[str], *, resume: bool
) -> "Iterator[Unfinished | None]":
    """A context with the file of finished parts; None for a sweep without ``-o`` or of a single part.

    Raises InputError if the file has parts of another sweep, or cannot be written. Other refusals inside of the context
    then also say that the finished parts are kept.
    """
    from gcsim.atomic import make_folder
    from gcsim.tuning.services import file_digest
    from gcsim.tuning.sweep import is_one_chunk

    if output is None:
        if resume:
            raise InputError("--resume: the finished parts are next to the output; name it with -o")
        yield None
        return
    path = Path(f"{output}.unfinished") if is_parquet(output) else output / "sweep.unfinished"
    if len(files) == 1 and is_one_chunk(len(grid), grid.plan) and not path.exists():
        yield None
        return
    from gcsim.tuning.unfinished import Unfinished

    if not is_parquet(output):
        make_folder(output)
    total = len(files) * len(grid)
    about = grid.about([(file, file_digest(file)) for file in files])
    with Unfinished.opened(path, about, resume=resume) as kept:
        if resume:
            note(
                f"gcsim: resume: {kept.count():,} of {total:,} settings are finished"
                if kept.has_work()
                else f"gcsim: resume: {path} has no finished settings; the sweep begins"
            )
        try:
            yield kept
        except InputError as error:
            if "--resume" in str(error) or not (done := kept.count()):
                raise
            raise InputError(
                f"{error}; {done:,} of {total:,} settings are finished and kept: add --resume to continue"
            ) from error
