"""The CPU time and the wall time of one whole run of a job.

    wall = wall of the calibrated run x bytes per second there / bytes per second
    CPU  = CPU of the program + sweeping + (GC CPU + idle marking) x GOMAXPROCS x wall

The calibrated run is simulated with the same random numbers. A capture gives its wall time and its CPU time; the CPU
time of the program is the latter less that of the simulated collector. Without a capture the log's length counts, and
the bytes that the job allocates over bytes per CPU second.

Error: the CPU time of the program itself is that of the calibrated run. Caches of the CPU that a smaller or larger
heap would use differently are not in it.
"""

from dataclasses import dataclass

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.service.growth import LiveGrowth

_LEAST_SHARE = 0.05  # of the CPU time of the calibrated run: the program's own


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCosts:
    """The calibrated run of a job, in each replica."""

    wall_seconds: float
    program_cpu_seconds: FloatArray
    throughput: FloatArray  # as in ``throughput_ratio``
    sweep_cpu_seconds_per_byte: FloatArray

    @classmethod
    def of(
        cls,
        growth: LiveGrowth,
        home: dict[str, FloatArray],
        drawn: dict[str, FloatArray],
        *,
        job_bytes: FloatArray,
        gomaxprocs: int,
    ) -> "JobCosts":
        """The costs by ``home``, the metrics of the simulated calibrated run; arrays of shape (replicas,)."""
        wall = growth.whole_job_seconds
        sweep = drawn["sweep_cpu_seconds_per_byte"]
        if growth.job_cpu_seconds:
            collector = _collector_seconds(home, np.full_like(sweep, wall), gomaxprocs, sweep)
            program = np.maximum(growth.job_cpu_seconds - collector, _LEAST_SHARE * growth.job_cpu_seconds)
        else:
            program = job_bytes / np.maximum(drawn["alloc_bytes_per_cpu_second"], 1.0)
        return cls(
            wall_seconds=wall,
            program_cpu_seconds=program,
            throughput=home["throughput_ratio"],
            sweep_cpu_seconds_per_byte=sweep,
        )

    def metrics(self, found: dict[str, FloatArray], gomaxprocs: FloatArray) -> dict[str, FloatArray]:
        """``job_cpu_seconds`` and ``job_wall_seconds`` of each lane, setting by setting and replica by replica."""
        settings = gomaxprocs.size // self.throughput.size
        home, sweep, program = (
            np.tile(values, settings)
            for values in (self.throughput, self.sweep_cpu_seconds_per_byte, self.program_cpu_seconds)
        )
        wall = self.wall_seconds * home / np.maximum(found["throughput_ratio"], 1e-9)
        cpu = program + _collector_seconds(found, wall, gomaxprocs, sweep)
        return {"job_cpu_seconds": np.minimum(cpu, gomaxprocs * wall), "job_wall_seconds": wall}


def _collector_seconds(
    metrics: dict[str, FloatArray], wall: FloatArray, gomaxprocs: FloatArray | int, sweep: FloatArray
) -> FloatArray:
    """CPU time of marking and sweeping."""
    marking = metrics["gc_cpu_fraction"] + metrics["gc_idle_cpu_fraction"]
    swept = metrics["gc_rate_hz"] * wall * metrics["heap_peak_mean_bytes"]
    seconds: FloatArray = marking * gomaxprocs * wall + sweep * swept
    return seconds
