"""The option ``--format`` of ``gcsim recommend``: the answer as a snippet to paste, and nothing else."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import emit, note
from gcsim.errors import InputError
from gcsim.printable import quoted

if TYPE_CHECKING:
    from gcsim.service.model import Model
    from gcsim.tuning.limits_reached import LimitReached
    from gcsim.tuning.recommend import Recommendation

TEXT = "text"
FormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="text, or only a snippet to paste: env, yaml, patch, dockerfile, systemd or ecs.",
    ),
]
ContainerOption = Annotated[
    str | None,
    typer.Option(
        "--container",
        metavar="NAME",
        help="Name of the container in a patch or a task definition [default: the service's name].",
    ),
]


def check_format(form: str, container: str | None, *, as_json: bool) -> None:
    """Raises InputError for an unknown format, and for options that exclude each other."""
    from gcsim.report.snippets import NAMED, SNIPPETS, container_name

    if form != TEXT and form not in SNIPPETS:
        known = ", ".join([TEXT, *SNIPPETS])
        raise InputError(f"--format: unknown format {quoted(form)}; write one of {known}")
    if form != TEXT and as_json:
        raise InputError("--format and --json exclude each other; pass one of them")
    if container is not None and form not in NAMED:
        raise InputError(f"--container: only {' and '.join(NAMED)} name a container; add --format patch")
    if container is not None and container_name(container) != container:
        raise InputError(
            f"--container: {quoted(container)} is no name of a container; write lower-case letters, digits and hyphens"
        )


def print_snippet(
    found: "Recommendation",
    service: "Model",
    form: str,
    container: str | None,
    reached: "Sequence[LimitReached]",
) -> None:
    """Prints the snippet on standard output, or nothing for a miss; reasons and warnings go to standard error."""
    from gcsim.report.snippets import SNIPPETS, Deployed, container_name

    changed = found.settings.gomaxprocs != service.settings.gomaxprocs
    if found.feasible:
        env = dict(found.env) | ({"GOMAXPROCS": str(found.settings.gomaxprocs)} if changed else {})
        name = container_name(service.name) if container is None else container
        emit(SNIPPETS[form](Deployed(env=env, memory_bytes=found.memory_bytes, container=name)))
    for sentence in found.reasons:
        note(f"gcsim: {sentence}")
    if not found.feasible:
        note("gcsim: nothing is printed to paste, because no setting is feasible")
    for one in reached:
        note(f"gcsim: {one.sentence}")
