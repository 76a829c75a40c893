"""``gcsim simulate``: the prediction of one setting."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import emit, emit_estimates, emit_json, emit_reached, note
from gcsim.cli.options import (
    GogcOption,
    GomaxprocsOption,
    GomemlimitOption,
    GoOption,
    JsonOption,
    ModelArgument,
    Simulation,
    chosen_settings,
    simulates,
)
from gcsim.cli.service import assessed, exit_by_verdict, load_service
from gcsim.cli.table import TableOption, check_table_option, write_table_option
from gcsim.cli.upgrade import note_upgrade
from gcsim.cli.where import executor_of
from gcsim.engine.plan import Plan
from gcsim.errors import InputError
from gcsim.units import format_seconds, parse_duration

if TYPE_CHECKING:
    from gcsim.cycles import CycleTable
    from gcsim.engine.run import Run
    from gcsim.service.model import Model
    from gcsim.settings import Settings


@simulates(replicas=32)
def simulate(
    model: ModelArgument,
    gogc: GogcOption = None,
    gomemlimit: GomemlimitOption = None,
    gomaxprocs: GomaxprocsOption = None,
    go: GoOption = None,
    *,
    how: Simulation,
    force_gc: Annotated[
        str | None,
        typer.Option(
            "--force-gc",
            metavar="TIME",
            help="Interval of forced collections (runtime.GC); needs --engine des.",
        ),
    ] = None,
    trace_out: Annotated[
        Path | None, typer.Option("--trace-out", metavar="F", help="Write one run as a gctrace log.")
    ] = None,
    timeline_out: Annotated[
        Path | None,
        typer.Option("--timeline-out", metavar="F", help="Write one run for Perfetto; needs --engine des."),
    ] = None,
    timeline_step: Annotated[
        str | None,
        typer.Option(
            "--timeline-step",
            metavar="TIME",
            help="Interval of counters in the timeline [default: every event].",
        ),
    ] = None,
    objects_out: Annotated[
        Path | None,
        typer.Option(
            "--objects-out", metavar="F", help="Write one run object by object, as JSON; needs --engine des."
        ),
    ] = None,
    objects: Annotated[
        Path | None,
        typer.Option(
            "--objects", metavar="TOML", help="Kinds of objects for --objects-out [default: an assumed mix]."
        ),
    ] = None,
    table: TableOption = None,
    as_json: JsonOption = False,
) -> None:
    """Predict one setting; values that are not given stay as calibrated."""
    from gcsim.atomic import check_output

    _check_outputs(how.plan, timeline_out, timeline_step, objects_out, objects)
    for path in (trace_out, timeline_out, objects_out):
        if path is not None:
            check_output(path)
    check_table_option(table)
    force_gc_seconds = None if force_gc is None else parse_duration(force_gc, what="--force-gc")
    service = load_service(model)
    settings = chosen_settings(service, gogc=gogc, gomemlimit=gomemlimit, gomaxprocs=gomaxprocs, go=go)
    from gcsim.engine.simulate import simulate as run_simulation

    plan = how.plan.changed(explicit_gc_seconds=force_gc_seconds)
    with executor_of(how) as executor:
        run = run_simulation(service, [settings], plan, executor=executor)[0]
    note_upgrade(service, settings)
    outputs = _Outputs(
        trace=trace_out,
        timeline=timeline_out,
        timeline_step=timeline_step,
        objects=objects_out,
        kinds=objects,
    )
    from gcsim.tuning.limits_reached import limits_reached, reached_json

    reached = limits_reached(service, settings, seed=how.plan.seed)
    if as_json:
        emit_json(assessed({**run.to_json(), **reached_json(reached)}, service))
    else:
        emit(f"{service.name} at {settings}; {how}\n{_simulated(run, plan)}\n")
        emit_estimates(run.metrics)
        emit_reached(reached)
    if trace_out is not None or timeline_out is not None or objects_out is not None:
        _write_run(service, settings, plan, outputs)
    write_table_option(table, "model", [(service.name, run)])
    exit_by_verdict(service)


def _simulated(run: "Run", plan: Plan) -> str:
    """The line that says how much of each run was simulated, if the command chose that."""
    if run.simulated is None or plan.length == "full":
        return ""
    cycles, seconds = run.simulated.cycles, format_seconds(run.simulated.seconds)
    return f"simulated {cycles:.0f} GC cycles ({seconds}) of each replica; --duration 10m simulates more\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outputs:
    """The requested files and their options."""

    trace: Path | None
    timeline: Path | None
    timeline_step: str | None
    objects: Path | None
    kinds: Path | None


def _check_outputs(
    plan: Plan,
    timeline_out: Path | None,
    timeline_step: str | None,
    objects_out: Path | None,
    objects: Path | None,
) -> None:
    for option, path, what in (
        ("--timeline-out", timeline_out, "a timeline"),
        ("--objects-out", objects_out, "an object-level view"),
    ):
        if path is not None and plan.engine != "des":
            raise InputError(f"{option}: only the event-by-event engine has {what}; add --engine des")
    if timeline_step is not None and timeline_out is None:
        raise InputError("--timeline-step: no timeline is written; add --timeline-out FILE")
    if objects is not None and objects_out is None:
        raise InputError("--objects: no object-level view is written; add --objects-out FILE")
    if timeline_step is not None:
        parse_duration(timeline_step, what="--timeline-step")
    if objects is not None:
        from gcsim.service.objects.kinds_file import read_objects

        read_objects(objects)


def _write_run(service: "Model", settings: "Settings", plan: Plan, outputs: _Outputs) -> None:
    """Writes one run at the model's central values in the requested formats."""
    from gcsim.atomic import write_text_atomically
    from gcsim.engine.simulate import record_cycles
    from gcsim.gctrace.writer import format_gctrace

    if plan.engine == "des":
        cycles = _write_events(service, settings, plan, outputs)
    else:
        cycles = record_cycles(service, settings, plan)
    if outputs.trace is not None:
        write_text_atomically(outputs.trace, format_gctrace(cycles, go=settings.go))
        note(f"wrote {outputs.trace}")


def _write_events(service: "Model", settings: "Settings", plan: Plan, outputs: _Outputs) -> "CycleTable":
    """Writes timeline and object-level view of one run; returns its cycles."""
    from gcsim.atomic import write_text_atomically
    from gcsim.engine.des.run.replicas import record_events
    from gcsim.engine.des.run.timeline import chrome_trace
    from gcsim.service.objects.kinds_file import assumed_objects, read_objects

    objects = None
    if outputs.objects is not None:
        values = service.parameters
        objects = (
            assumed_objects(values.live_bytes.value, slot_garbage_share=values.slot_garbage_share.value)
            if outputs.kinds is None
            else read_objects(outputs.kinds)
        )
    step = outputs.timeline_step
    step_ns = None if step is None else 1e9 * parse_duration(step, what="--timeline-step")
    recording = record_events(service, settings, plan, objects=objects)
    if outputs.timeline is not None:
        trace = chrome_trace(recording, name=f"{service.name}: {settings}", step_ns=step_ns)
        write_text_atomically(outputs.timeline, json.dumps(trace))
        note(f"wrote {outputs.timeline}")
    if outputs.objects is not None and recording.objects is not None:
        write_text_atomically(outputs.objects, json.dumps(recording.objects.to_json()))
        note(f"wrote {outputs.objects}")
    return recording.cycles
