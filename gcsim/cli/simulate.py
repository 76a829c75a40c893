"""``gcsim simulate``: one setting."""

from pathlib import Path
from typing import Annotated

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
    chosen_settings,
    simulation,
)


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
    as_json: JsonOption = False,
) -> None:
    """Predict one setting; what is not given stays as calibrated."""
    from gcsim.atomic import write_text_atomically
    from gcsim.engine.simulate import record_cycles
    from gcsim.engine.simulate import simulate as run_simulation
    from gcsim.gctrace.writer import format_gctrace
    from gcsim.workload.model import Model

    how = simulation(duration=duration, replicas=replicas, seed=seed, engine=engine)
    service = Model.load(model)
    settings = chosen_settings(service, gogc=gogc, gomemlimit=gomemlimit, gomaxprocs=gomaxprocs, go=go)
    run = run_simulation(
        service,
        [settings],
        duration_seconds=how.duration_seconds,
        replicas=how.replicas,
        seed=how.seed,
        engine=how.engine,
    )[0]
    if trace_out is not None:
        cycles = record_cycles(service, settings, duration_seconds=how.duration_seconds, seed=how.seed)
        write_text_atomically(trace_out, format_gctrace(cycles, go=settings.go))
        note(f"wrote {trace_out}")
    if as_json:
        emit_json(run.to_json())
        return
    emit(f"{service.name} at {settings}; {how.describe(duration)}\n\n")
    emit_estimates(run.metrics)
