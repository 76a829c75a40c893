"""How fast runs are simulated, compared with the same pacer rules driven cycle by cycle, in Python and in Go.

``python -m benchmarks.bench_lanes [MODEL]`` simulates 20 x 10 settings x 8 replicas x 10 minutes, and 1,000
settings x 16 replicas x 10 minutes, each as a sweep of a new process. With the extra ``gcsim[fast]`` it does so without
kernels, with kernels that are compiled, and with kernels whose machine code an earlier process kept; and again in that
process, as for the next service of ``gcsim sweep MODELS...``. It prints for each sweep

- CPU seconds;
- raw speed: GC cycles a second of the engine alone, with every lane simulated;
- effective speed: GC cycles in the sums of all lanes, simulated or proved equal to simulated ones, per CPU second of
  the whole sweep;
- GC cycles that the runs stand for per CPU second of the sweep: a steady run stops when more cycles would repeat it;
- the ratio of each speed to that of the same rules on Python numbers and to that of the Go runtime's own pacer, both
  measured in the same minute. The rules alone have no allocation, marking or scatter.

Last it prints the highest resident memory of a process that sweeps a million lanes.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from benchmarks.go_pacer import steps_per_second
from experiments import toolchains
from gcsim.engine.lanes.kernels import native
from gcsim.engine.lanes.run import MAX_STEADY_CYCLES, run_lanes
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
    raw_per_second: float  # GC cycles of the engine alone
    effective_per_second: float  # GC cycles, simulated or proved equal
    stood_for_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacers:
    """Cycles a second of the pacer's rules alone."""

    python_per_second: float
    go_per_second: float | None  # None without a Go toolchain


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
    in_sums = sum(
        float(np.minimum(run.metrics["gc_rate_hz"].value * duration_seconds, MAX_STEADY_CYCLES))
        for run in runs
    )
    engine = lanes_for(model, settings[: max(LANES_PER_CHUNK // replicas, 1)], replicas=replicas)
    began = time.process_time()
    totals = run_lanes(engine, duration_seconds=duration_seconds)
    engine_s = time.process_time() - began
    return Sweeping(
        settings=len(settings),
        replicas=replicas,
        cpu_seconds=cpu_s,
        raw_per_second=float(totals.cycles.sum()) / engine_s,
        effective_per_second=in_sums * replicas / cpu_s,
        stood_for_per_second=stood_for / cpu_s,
    )


def sweeps_of_a_process(
    name: str, gogc: str, limits: str, replicas: int, code_folder: str | None
) -> tuple[Sweeping, Sweeping]:
    """The first and the second sweep of a new process; kernels keep their code in the folder, None for no kernels."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(_two_sweeps, name, gogc, limits, replicas, code_folder).result()


def _two_sweeps(
    name: str, gogc: str, limits: str, replicas: int, code_folder: str | None
) -> tuple[Sweeping, Sweeping]:
    if code_folder is None:
        native.is_available = lambda: False  # type: ignore[assignment]  # of this process alone
    else:
        os.environ["XDG_CACHE_HOME"] = code_folder
    model = Model.load(name)
    settings = grid(model, gogc, limits)
    first, second = (
        sweep_speed(model, settings, replicas=replicas, duration_seconds=DURATION_SECONDS) for _ in range(2)
    )
    return first, second


def scalar_cycles_per_second(cycles: int) -> float:
    """The speed of the same pacer rules, a cycle at a time on Python numbers."""
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


def go_cycles_per_second(cycles: int) -> float | None:
    """The speed of the Go runtime's own pacer; None without a Go toolchain."""
    try:
        return steps_per_second(toolchains.default(), cycles)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None


def peak_memory_mib(model_name: str, settings_per_axis: int, replicas: int) -> float:
    """The highest resident memory of a new process that sweeps a square grid for 20 s of each run, MiB."""
    program = (
        "import resource, sys\n"
        "from gcsim.service.model import Model\n"
        "from gcsim.tuning.sweep import sweep\n"
        "name, count, replicas = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])\n"
        "model = Model.load(name)\n"
        "limits = [int(model.parameters.live_bytes.value * (1.5 + i * 15.0 / count)) for i in range(count - 1)]\n"
        "sweep(model, gogc=range(25, 25 + 4 * count, 4), gomemlimit_bytes=[None, *limits], replicas=replicas,\n"
        "      duration_seconds=20.0)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    command = [sys.executable, "-c", program, model_name, str(settings_per_axis), str(replicas)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def report(speed: Sweeping, pacers: Pacers) -> str:
    """One sweep's figures for a reader, on several lines."""
    lines = [
        f"{speed.settings} settings x {speed.replicas} replicas x {DURATION_SECONDS / 60:.0f} min:"
        f" {speed.cpu_seconds:.2f} s of CPU"
    ]
    for name, per_second in (
        ("raw", speed.raw_per_second),
        ("effective", speed.effective_per_second),
        ("stood for", speed.stood_for_per_second),
    ):
        line = f"  {name:9} {per_second / 1e6:6.1f} M GC cycles/s, {1e9 / per_second:5.0f} ns each,"
        line += f" {per_second / pacers.python_per_second:6.0f} times the rules in Python"
        if pacers.go_per_second is not None:
            line += f", {per_second / pacers.go_per_second:4.1f} times Go's pacer"
        lines.append(line)
    return "\n".join(lines)


def main() -> None:
    """Prints both sweeps and the memory of a large one."""
    name = sys.argv[1] if len(sys.argv) > 1 else "order-service"
    model = Model.load(name)
    pacers = Pacers(
        python_per_second=scalar_cycles_per_second(20_000), go_per_second=go_cycles_per_second(3_000_000)
    )
    print(f"the rules alone: {pacers.python_per_second / 1e6:.3f} M cycles/s in Python", end="")
    print(
        ""
        if pacers.go_per_second is None
        else f", {pacers.go_per_second / 1e6:.1f} M cycles/s in Go's runtime"
    )
    live_mib = round(model.parameters.live_bytes.value / MIB)
    ten = f"off,{live_mib * 3 // 2}MiB:{live_mib * 8}MiB:9"
    many = f"off,{live_mib * 3 // 2}MiB:{live_mib * 16}MiB:24"
    for gogc, limits, replicas in (("25:800:20", ten, 8), ("25:800:40", many, 16)):
        with tempfile.TemporaryDirectory() as code_folder:
            kinds: list[tuple[str, str | None]] = [("NumPy alone", None)]
            if native.is_available():
                kinds += [("with kernels, compiled", code_folder), ("with kernels, kept code", code_folder)]
            for kind, folder in kinds:
                first, second = sweeps_of_a_process(name, gogc, limits, replicas, folder)
                print(f"{kind}: {report(first, pacers)}", flush=True)
            print(f"the next sweep of that process: {report(second, pacers)}", flush=True)
    print(f"a million lanes: {peak_memory_mib(name, 250, 16):.0f} MiB of resident memory at most")
    print(f"numpy {np.__version__}")


if __name__ == "__main__":
    main()
