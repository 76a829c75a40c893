"""A made-up service for tests of what is built on the engine: not calibrated from anything."""

import numpy as np

from gcsim.settings import Settings
from gcsim.units import MIB
from gcsim.workload.model import Model
from gcsim.workload.parameters import Parameter, Parameters
from gcsim.workload.pauses import LEVELS, Pauses
from gcsim.workload.profile import Profile


def example_service() -> Model:
    """100 MiB live, 400 MiB/s allocated on two saturated Ps, about a tenth of the CPU in GC at GOGC=100."""
    values = {
        "live_bytes": 100.0 * MIB,
        "stack_bytes": 0.2 * MIB,
        "globals_bytes": 0.2 * MIB,
        "alloc_bytes_per_second": 400.0 * MIB,
        "alloc_bytes_per_cpu_second": 240.0 * MIB,
        "mutator_procs": 2.0,
        "mark_alloc_efficiency": 0.8,
        "mark_mutator_procs": 1.2,
        "heap_start_slack_bytes": 65536.0,
        "mark_cpu_seconds": 0.05,
        "mark_cpu_heap_ratio": 2.0,
        "mark_cpu_heap_exponent": 0.1,
        "mark_background_procs": 0.55,
        "mark_idle_procs": 0.05,
        "assist_debt_share": 0.3,
        "pause_scale": 1.0,
        "live_scatter": 0.02,
        "alloc_scatter": 0.05,
        "mark_alloc_scatter": 0.05,
        "mark_cpu_scatter": 0.05,
        "metadata_base_bytes": 4.0 * MIB,
        "metadata_share": 0.02,
        "slot_garbage_share": 0.05,
        "allocated_stack_bytes": 0.5 * MIB,
        "rss_base_bytes": 8.0 * MIB,
        "rss_ratio": 1.06,
    }
    uncertain = {
        "live_bytes": 0.01,
        "mark_cpu_seconds": 0.03,
        "alloc_bytes_per_second": 0.02,
        "rss_ratio": 0.01,
    }
    return Model(
        name="example",
        loop="closed",
        settings=Settings(gogc=100, gomemlimit_bytes=None, gomaxprocs=2, go="1.27"),
        parameters=Parameters(
            **{name: Parameter(value, uncertain.get(name, 0.0), "made up") for name, value in values.items()}
        ),
        profile=Profile.steady(),
        pauses=Pauses(
            sweep_term_seconds=np.geomspace(10e-6, 400e-6, LEVELS.size),
            mark_term_seconds=np.geomspace(20e-6, 900e-6, LEVELS.size),
        ),
        duration_seconds=60.0,
        cycles=200,
    )
