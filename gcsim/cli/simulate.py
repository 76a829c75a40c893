"""``gcsim simulate``: one setting."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gcsim.cli.console import emit, emit_estimates, emit_json, note
from gcsim.cli.options import (
    DurationOption,
    EngineOption,
    GogcOption,
    GomaxprocsOption,
    GomemlimitOption,
    GoOption,
    JsonOption,
    ModelArgument,
    ReplicasOption,
    SeedOption,
    Simulation,
    chosen_settings,
    simulation,
)
from gcsim.cli.service import load_service
from gcsim.errors import InputError

if TYPE_CHECKING:
    from gcsim.settings import Settings
    from gcsim.workload.model import Model


def simulate(
    model: ModelArgument,
    gogc: GogcOption = None,
    gomemlimit: GomemlimitOption = None,
    gomaxprocs: GomaxprocsOption = None,
    go: GoOption = None,
    replicas: ReplicasOption = 32,
    duration: DurationOption = "10m",
    seed: SeedOption = 1,
    engine: EngineOption = "lanes",
    trace_out: Annotated[
        Path | None, typer.Option("--trace-out", metavar="F", help="Write one run as a gctrace log.")
    ] = None,
    timeline_out: Annotated[
        Path | None,
        typer.Option("--timeline-out", metavar="F", help="Write one run for Perfetto; needs --engine des."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Predict one setting; what is not given stays as calibrated."""
    from gcsim.engine.simulate import simulate as run_simulation

    how = simulation(duration=duration, replicas=replicas, seed=seed, engine=engine)
    if timeline_out is not None and how.engine != "des":
        raise InputError("--timeline-out: only the event-by-event engine has a timeline; add --engine des")
    service = load_service(model)
    settings = chosen_settings(service, gogc=gogc, gomemlimit=gomemlimit, gomaxprocs=gomaxprocs, go=go)
    run = run_simulation(
        service,
        [settings],
        duration_seconds=how.duration_seconds,
        replicas=how.replicas,
        seed=how.seed,
        engine=how.engine,
    )[0]
    if trace_out is not None or timeline_out is not None:
        _write_run(service, settings, how, trace_out, timeline_out)
    if as_json:
        emit_json(run.to_json())
        return
    emit(f"{service.name} at {settings}; {how.describe(duration)}\n\n")
    emit_estimates(run.metrics)


def _write_run(
    service: "Model", settings: "Settings", how: Simulation, trace_out: Path | None, timeline_out: Path | None
) -> None:
    """One run at the model's central values, as a gctrace log and as a timeline."""
    from gcsim.atomic import write_text_atomically
    from gcsim.engine.simulate import record_cycles
    from gcsim.gctrace.writer import format_gctrace

    if how.engine == "des":
        from gcsim.engine.des.simulate import record_events
        from gcsim.engine.des.timeline import chrome_trace

        recording = record_events(service, settings, duration_seconds=how.duration_seconds, seed=how.seed)
        cycles = recording.cycles
        if timeline_out is not None:
            name = f"{service.name}: {settings}"
            write_text_atomically(timeline_out, json.dumps(chrome_trace(recording, name=name)))
            note(f"wrote {timeline_out}")
    else:
        cycles = record_cycles(service, settings, duration_seconds=how.duration_seconds, seed=how.seed)
    if trace_out is not None:
        write_text_atomically(trace_out, format_gctrace(cycles, go=settings.go))
        note(f"wrote {trace_out}")
