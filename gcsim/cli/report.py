"""``gcsim report``: one HTML page about one model."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.bounds import OtherMemoryOption, Wanted, constrains, parse_other_memory
from gcsim.cli.console import note
from gcsim.cli.evidence import Service, SourceArgument, Stated, container_memory, reads_log, service_of
from gcsim.cli.options import (
    GomaxprocsOption,
    GoOption,
    Simulation,
    parse_memory,
    simulates,
)
from gcsim.cli.progress import Report, progress
from gcsim.cli.readings import GivenMemory, reads_memory
from gcsim.cli.service import exit_by_verdict
from gcsim.cli.sweep import GogcGrid
from gcsim.cli.upgrade import note_upgrade
from gcsim.cli.where import executor_of

if TYPE_CHECKING:
    from gcsim.calibration.validation import Validation
    from gcsim.engine.executors import Executor
    from gcsim.engine.plan import Plan
    from gcsim.report.page.content import Content
    from gcsim.service.model import Model
    from gcsim.tuning.compare import Comparison
    from gcsim.tuning.recommend import Recommendation


_MOST_BYTES = 2e6  # of a page that is easy to attach
_APART = 0.03  # a usual limit nearer to a marked one would repeat its row


@simulates(replicas=16)
@reads_memory()
@reads_log(settings=False)
@constrains()
def report(
    model: SourceArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="PAGE", help="The HTML file to write.")],
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory",
            metavar="SIZE",
            help="Memory of the container, such as 512Mi, for a recommendation [default: the limit that the evidence"
            " shows].",
        ),
    ] = None,
    other_memory: OtherMemoryOption = None,
    *,
    wanted: Wanted,
    log: Annotated[
        list[str] | None,
        typer.Option(
            "--log", metavar="LOG", help="A gctrace log to show next to the prediction; may be repeated."
        ),
    ] = None,
    gogc: GogcGrid = "25:800:12",
    gomemlimit: Annotated[
        str | None,
        typer.Option(
            "--gomemlimit",
            metavar="GRID",
            help="Memory limits, such as off,512MiB [default: off, and with --memory shares of it].",
        ),
    ] = None,
    gomaxprocs: GomaxprocsOption = None,
    go: GoOption = None,
    stated: Stated,
    given: GivenMemory,
    how: Simulation,
) -> None:
    """Write one HTML page to attach to a change: recommendation, figures, fit, and how to roll back."""
    from gcsim.atomic import check_output, write_text_atomically
    from gcsim.errors import InputError
    from gcsim.tuning.grid import parse_gogc_grid, parse_gomemlimit_grid, shares_of

    gogcs, memory_bytes = parse_gogc_grid(gogc), parse_memory(memory)
    other_bytes = parse_other_memory(other_memory)
    limits = None if gomemlimit is None else parse_gomemlimit_grid(gomemlimit)
    given, file_limits = given.split_limits()
    check_output(output)
    source = service_of(model, given, stated, go=go)
    if memory_bytes is None:
        memory_bytes = container_memory(source, file_limits, model)
    wanted.check(source.model)
    if (wanted.bounds or other_bytes) and memory_bytes is None:
        raise InputError(
            "--max-*, --min-*, --other-memory: bounds need the memory of the container; pass --memory, such as 512Mi"
        )
    usual = limits is None
    if limits is None:
        limits = [None] if memory_bytes is None else [None, *shares_of(memory_bytes - other_bytes)]
    if len(gogcs) * len(limits) < 2:
        raise InputError(
            "--gogc and --gomemlimit make one setting, but a report needs two or more; give more values"
        )
    with progress("report") as show, executor_of(how) as executor:
        asked = _Asked(
            wanted=wanted, other_bytes=other_bytes, gomaxprocs=gomaxprocs, go=go, plan=how.plan, executor=executor,
            progress=show, memory_bytes=memory_bytes, usual_limits=usual,
        )  # fmt: skip
        content = asked.content(source, gogcs, limits, checks=_checks(source, log or [], how.plan))
    note_upgrade(source.model, content.base)
    from gcsim.report.page.document import html_page

    page = html_page(content)
    write_text_atomically(output, page)
    note(f"wrote {output}")
    if len(page) > _MOST_BYTES:
        note(f"gcsim: note: {output} has {len(page) / 1e6:.1f} MB; a grid of fewer settings makes it smaller")
    exit_by_verdict(source.model)


def _checks(source: Service, logs: list[str], plan: "Plan") -> "dict[str, Validation]":
    """The comparison with each log of ``--log``, and with the log that the command calibrated."""
    from gcsim.calibration.settings.log_settings import log_settings
    from gcsim.calibration.validation import validate
    from gcsim.cli.logs import overrides_of, read_logs, warn_about
    from gcsim.errors import InputError

    found: dict[str, Validation] = {}
    if source.fit is not None:
        found |= {log: check for log, check in source.fit.checks.items() if check is not None}
    for log, trace in read_logs(logs).items() if logs else ():
        warn_about(log, trace)
        known = trace.info is not None and trace.info.go is not None
        settings = log_settings(trace, overrides_of(go=None if known else source.model.settings.go)).settings
        try:
            found[log] = validate(source.model, trace, settings, replicas=plan.replicas, seed=plan.seed)
        except InputError as error:
            raise InputError(f"{log}: {error}") from error
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The options that the sweep, the recommendation and the comparison share."""

    wanted: Wanted
    other_bytes: int
    gomaxprocs: int | None
    go: str | None
    plan: "Plan"
    executor: "Executor"
    progress: Report
    memory_bytes: int | None
    usual_limits: bool  # whether the limits of the grid are not the user's

    @property
    def available_bytes(self) -> int | None:
        """The container's memory that is the program's."""
        return None if self.memory_bytes is None else self.memory_bytes - self.other_bytes

    def content(
        self,
        source: Service,
        gogcs: list[int | None],
        limits: list[int | None],
        checks: "dict[str, Validation]",
    ) -> "Content":
        """Everything that the page shows; the grid has today's setting and the recommended one."""
        from gcsim.report.page.content import Content
        from gcsim.tuning.limits_reached import limits_reached
        from gcsim.tuning.recorded import record_runs
        from gcsim.tuning.sweep import base_settings, sweep

        service = source.model
        today = base_settings(service, gomaxprocs=self.gomaxprocs, go=self.go)
        found = None if self.memory_bytes is None else self._recommended(service, self.memory_bytes)
        marked = [today, *([found.settings] if found is not None and found.feasible else [])]
        if self.usual_limits:
            known = [one.gomemlimit_bytes for one in marked if one.gomemlimit_bytes is not None]
            limits = [
                one for one in limits if one is None or all(abs(one / own - 1.0) > _APART for own in known)
            ]
        grid = sweep(
            service,
            gogc=list(dict.fromkeys([*gogcs, *(one.gogc for one in marked)])),
            gomemlimit_bytes=list(dict.fromkeys([*limits, *(one.gomemlimit_bytes for one in marked)])),
            gomaxprocs=self.gomaxprocs,
            go=self.go,
            plan=self.plan,
            memory_bytes=self.available_bytes,
            progress=self.progress,
            executor=self.executor,
        )
        return Content(
            model=service,
            sweep=grid,
            recorded=record_runs(service, list(dict.fromkeys(marked)), self.plan),
            recommendation=found,
            comparison=None if found is None else self._compared(service, found),
            checks=checks,
            reached=limits_reached(
                service, marked[-1], memory_bytes=self.available_bytes, seed=self.plan.seed
            ),
        )

    def _recommended(self, service: "Model", memory_bytes: int) -> "Recommendation":
        return self.wanted.recommendation(
            service,
            memory_bytes,
            other_memory_bytes=self.other_bytes,
            gomaxprocs=self.gomaxprocs,
            go=self.go,
            plan=self.plan,
            progress=self.progress,
            executor=self.executor,
        )

    def _compared(self, service: "Model", found: "Recommendation") -> "Comparison":
        from gcsim.tuning.compare import compare

        return compare(
            service,
            memory_bytes=found.memory_bytes,
            other_memory_bytes=self.other_bytes,
            gomaxprocs=self.gomaxprocs,
            go=self.go,
            plan=self.plan,
            executor=self.executor,
            recommendation=found,
        )
