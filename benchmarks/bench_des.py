"""How much faster than real time the event-by-event engine plays a service, beside the machine's own pace.

``python -m benchmarks.bench_des [SECONDS]`` plays 12,000 requests a second on two Ps with five collections a second,
and prints simulated seconds per CPU second. A calibration loop of plain Python runs in the same process before and
after, so that figures of two machines can be compared.
"""

import sys
import time
from dataclasses import dataclass, replace

import numpy as np

from gcsim.engine.des.run.cycle import Cycle
from gcsim.engine.des.run.parameters import SchedulerParameters, central_parameters
from gcsim.engine.des.run.runner import run_cycles
from gcsim.service.model import Model
from gcsim.service.parameters import PARAMETER_NAMES, RANGES, Parameter, Parameters
from gcsim.service.pauses import LEVELS, Pauses
from gcsim.service.profile import Profile
from gcsim.service.requests import Requests
from gcsim.service.variability import CycleVariability
from gcsim.settings import Settings
from gcsim.units import MIB

REQUESTS_PER_SECOND = 12_000.0
_CALIBRATION_STEPS = 2_000_000


def service() -> Model:
    """An order service that allocates 20 KiB a request, 60 MiB live, half of two Ps busy: made up for its figures."""
    rate = 20.0 * 1024 * REQUESTS_PER_SECOND
    values = {name: RANGES[name].low for name in PARAMETER_NAMES} | {
        "live_bytes": 40.0 * MIB,
        "globals_bytes": 0.2 * MIB,
        "alloc_bytes_per_second": rate,
        "alloc_bytes_per_cpu_second": rate / 0.9,
        "mutator_procs": 0.9,
        "mark_alloc_efficiency": 0.8,
        "mark_mutator_procs": 1.0,
        "mark_cpu_seconds": 0.035,
        "mark_cpu_heap_ratio": 2.0,
        "mark_background_procs": 0.52,
        "mark_idle_procs": 0.3,
        "pause_scale": 1.0,
        "live_per_doubling": 1.0,
    }
    return Model(
        name="bench",
        loop="open",
        settings=Settings(gogc=100, gomaxprocs=2, go="1.27"),
        parameters=Parameters(**{name: Parameter(value) for name, value in values.items()}),
        profile=Profile.steady(),
        pauses=Pauses(
            sweep_term_seconds=np.geomspace(2e-5, 1e-3, LEVELS.size),
            mark_term_seconds=np.geomspace(2e-5, 5e-4, LEVELS.size),
        ),
        scatter=CycleVariability.none(heap_start_slack_bytes=65536.0),
        duration_seconds=60.0,
        cycles=300,
        requests=Requests(bytes_per_request=20.0 * 1024, workers=32),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """One run."""

    times_real_time: float  # simulated seconds per CPU second
    requests_per_second: float  # simulated
    collections_per_second: float  # simulated
    calibration_steps_per_second: float  # of a plain Python loop in this process


def measure(seconds: float) -> Speed:
    """Plays ``seconds`` of the service."""
    model = service()
    gogc = model.settings.gogc
    settings = replace(model.settings, gogc=gogc)
    starts: list[float] = []

    def seen(cycle: Cycle, start_s: float) -> None:
        del cycle
        starts.append(start_s)

    parameters = central_parameters(model, settings, SchedulerParameters(goroutines_per_p=16))
    before = _calibration()
    began = time.process_time()
    latencies, _ = run_cycles(
        model,
        settings,
        parameters,
        seen,
        replica=0,
        seed=1,
        duration_seconds=seconds,
        most_cycles=None,
    )
    cpu_s = time.process_time() - began
    assert latencies is not None  # the model has requests
    return Speed(
        times_real_time=starts[-1] / cpu_s,
        requests_per_second=latencies.count / starts[-1],
        collections_per_second=len(starts) / starts[-1],
        calibration_steps_per_second=(before + _calibration()) / 2.0,
    )


def _calibration() -> float:
    began = time.process_time()
    total = 0
    for step in range(_CALIBRATION_STEPS):
        total += step & 3
    return _CALIBRATION_STEPS / (time.process_time() - began)


def main() -> None:
    """Prints the figures."""
    speed = measure(float(sys.argv[1]) if len(sys.argv) > 1 else 30.0)
    print(
        f"{speed.requests_per_second:,.0f} requests/s and {speed.collections_per_second:.2f} collections/s on 2 Ps:"
    )
    print(f"  {speed.times_real_time:.1f} times faster than real time")
    steps = speed.calibration_steps_per_second / speed.times_real_time
    print(f"  a simulated second costs as much CPU time as {steps / 1e6:.2f} million steps of plain Python")
    print(f"  ({speed.calibration_steps_per_second / 1e6:.1f} million steps/s in this process)")


if __name__ == "__main__":
    main()
