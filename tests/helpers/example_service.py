"""A made-up service for tests of what is built on calibration and the engine."""

import io
from functools import cache

import numpy as np

from gcsim.calibration.calibrate import calibrate
from gcsim.gctrace import read_gctrace
from gcsim.service.model import Model

CYCLES = 240
LIVE_MIB = 100.0
ALLOCATED_MIB_PER_SECOND = 480.0  # outside marking, on both Ps
MARK_SECONDS, MARK_ALLOCATED_MIB = 0.070, 17.0


def example_log() -> str:
    """A minute of GOGC=100 on two saturated Ps: 100 MiB live, four cycles a second, a tenth of the CPU in GC."""
    generator = np.random.default_rng(1)
    lines = []
    now_s, marked_mib = 0.2, LIVE_MIB + MARK_ALLOCATED_MIB
    for number in range(1, CYCLES + 1):
        goal_mib = 2.0 * marked_mib
        start_mib = 0.89 * goal_mib
        end_mib = start_mib + MARK_ALLOCATED_MIB * generator.normal(1.0, 0.05)
        now_s += (start_mib - marked_mib) / (ALLOCATED_MIB_PER_SECOND * generator.normal(1.0, 0.04))
        marked_mib = LIVE_MIB * generator.normal(1.0, 0.02) + end_mib - start_mib
        first_ms, second_ms = np.maximum([0.04, 0.09] * generator.lognormal(0, 0.8, 2), 0.011)
        work = generator.normal(1.0, 0.05)
        lines.append(
            f"gc {number} @{now_s:.3f}s 9%: {first_ms:.2g}+{1e3 * MARK_SECONDS:.2g}+{second_ms:.2g} ms clock,"
            f" {2 * first_ms:.2g}+{8.5 * work:.2g}/{38 * work:.2g}/{3.5 * work:.2g}+{2 * second_ms:.2g} ms cpu,"
            f" {int(start_mib)}->{int(end_mib)}->{int(marked_mib)} MB, {int(goal_mib)} MB goal,"
            " 0 MB stacks, 0 MB globals, 2 P\n"
        )
        now_s += MARK_SECONDS
    return "".join(lines)


@cache
def example_service() -> Model:
    """The model of that log."""
    return calibrate(read_gctrace(io.BytesIO(example_log().encode())), name="example").model
