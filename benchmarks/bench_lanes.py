"""How fast runs are simulated, beside the same pacer rules driven cycle by cycle on Python numbers.

``python -m benchmarks.bench_lanes [MODEL]`` simulates 20 x 10 settings x 8 replicas x 10 minutes, and 1,000
settings x 16 replicas x 10 minutes, each as one sweep in this process. It prints CPU seconds; GC cycles a second of
the engine alone, with every lane simulated; GC cycles that the runs stand for a second (a steady run stops when more
cycles would only repeat, and equal lanes are simulated once); and the scalar rules' cycles a second in the same
process, with the ratios of both.
"""

import sys
import time
from dataclasses import dataclass

import numpy as np

from gcsim.engine.lanes.run import run_lanes
from gcsim.engine.simulate import lanes_for
from gcsim.goruntime.pacer_state import MarkResult, PacerState
from gcsim.goruntime.versions import rules_for
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.tuning.grid import parse_gogc_grid, parse_gomemlimit_grid, settings_grid
from gcsim.tuning.sweep import LANES_PER_CHUNK, sweep
from gcsim.units import MAX_INT64, MIB

DURATION_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweeping:
    """One sweep's cost."""

    settings: int
    replicas: int
    cpu_seconds: float  # of the whole of ``simulate``
    simulated_cycles_per_second: float  # of the engine alone
    stood_for_cycles_per_second: float


def grid(model: Model, gogc: str, gomemlimit: str) -> list[Settings]:
    """The settings of a sweep."""
    procs, go = model.settings.gomaxprocs, model.settings.go
    return settings_grid(parse_gogc_grid(gogc), parse_gomemlimit_grid(gomemlimit), gomaxprocs=procs, go=go)


def sweep_speed(
    model: Model, settings: list[Settings], *, replicas: int, duration_seconds: float
) -> Sweeping:
    """CPU time of a sweep over all settings of a grid, and the speed of the engine alone."""
    gogcs = list(dict.fromkeys(one.gogc for one in settings))
    limits = list(dict.fromkeys(one.gomemlimit_bytes for one in settings))
    began = time.process_time()
    runs = sweep(
        model, gogc=gogcs, gomemlimit_bytes=limits, duration_seconds=duration_seconds, replicas=replicas
    ).finished
    cpu_s = time.process_time() - began
    stood_for = sum(run.metrics["gc_rate_hz"].value for run in runs) * duration_seconds * replicas
    engine = lanes_for(model, settings[: max(LANES_PER_CHUNK // replicas, 1)], replicas=replicas)
    began = time.process_time()
    totals = run_lanes(engine, duration_seconds=duration_seconds)
    engine_s = time.process_time() - began
    return Sweeping(
        settings=len(settings),
        replicas=replicas,
        cpu_seconds=cpu_s,
        simulated_cycles_per_second=float(totals.cycles.sum()) / engine_s,
        stood_for_cycles_per_second=stood_for / cpu_s,
    )


def scalar_cycles_per_second(cycles: int) -> float:
    """The same pacer rules, a cycle at a time on Python numbers: no allocation, marking or scatter beside them."""
    state = PacerState.initial(gc_percent=100, memory_limit_bytes=MAX_INT64, rules=rules_for("1.27"))
    live, black = 60 * MIB, 20 * MIB
    began = time.process_time()
    for _ in range(cycles):
        state = state.commit(sweep_done=False)
        triggered = state.trigger_bytes(state.limit_goal_bytes())
        state = state.end_cycle(
            MarkResult(
                triggered_bytes=triggered,
                heap_live_bytes=triggered + black,
                bytes_marked=live + black,
                heap_scan_work_bytes=live,
                stack_scan_work_bytes=8192,
                globals_scan_work_bytes=160_000,
                assist_time_ns=1_000_000,
                idle_mark_time_ns=0,
                mark_duration_ns=50_000_000,
                gomaxprocs=2,
            )
        )
    return cycles / (time.process_time() - began)


def report(speed: Sweeping, scalar: float) -> str:
    """One sweep's figures for a reader."""
    return (
        f"{speed.settings} settings x {speed.replicas} replicas x {DURATION_SECONDS / 60:.0f} min:"
        f" {speed.cpu_seconds:.2f} s of CPU,"
        f" {speed.simulated_cycles_per_second / 1e6:.1f} M GC cycles/s simulated,"
        f" {speed.stood_for_cycles_per_second / 1e6:.1f} M/s stood for;"
        f" scalar rules alone {scalar / 1e6:.3f} M/s, ratio {speed.simulated_cycles_per_second / scalar:.0f}"
        f" simulated, {speed.stood_for_cycles_per_second / scalar:.0f} stood for"
    )


def main() -> None:
    """Both sweeps."""
    model = Model.load(sys.argv[1] if len(sys.argv) > 1 else "order-service")
    scalar = scalar_cycles_per_second(20_000)
    live_mib = round(model.parameters.live_bytes.value / MIB)
    ten = f"off,{live_mib * 3 // 2}MiB:{live_mib * 8}MiB:9"
    many = f"off,{live_mib * 3 // 2}MiB:{live_mib * 16}MiB:24"
    for gogc, limits, replicas in (("25:800:20", ten, 8), ("25:800:40", many, 16)):
        settings = grid(model, gogc, limits)
        speed = sweep_speed(model, settings, replicas=replicas, duration_seconds=DURATION_SECONDS)
        print(report(speed, scalar), flush=True)
    print(f"numpy {np.__version__}")


if __name__ == "__main__":
    main()
