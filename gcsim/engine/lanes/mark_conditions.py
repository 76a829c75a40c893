"""The conditions of a lane's mark phase, from its parameters and one cycle's work, runway and allocation rate."""

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.submodels.mark_phase import MarkConditions


def conditions_for(
    parameters: LaneParameters,
    *,
    open_loop: bool,
    mark_cpu_seconds: FloatArray,
    runway_bytes: FloatArray,
    pace: FloatArray,
    slowness: FloatArray | None,
) -> MarkConditions:
    """The conditions of one mark phase per lane, or of many mark phases of one lane.

    ``pace`` is the profile's allocation factor. In an open loop it multiplies the arrivals, in a closed loop the
    program's speed. ``slowness`` is the ``program_slowness`` of a steady open loop in each cycle. At the speed that
    it leaves

        Ps that the program demands = served_share * arrivals / speed

    In a slow cycle assists may leave the program fewer Ps. The Ps of a log are the mean over all cycles. A program that
    waits for locks or for few clients serves fewer arrivals while marking and the rest afterwards. With ``slowness``
    None the program uses the Ps of the log, because the arrivals of one cycle of a changing load are not known.
    """
    per_cpu = parameters.mark_alloc_bytes_per_cpu_second
    mutator = parameters.mark_mutator_procs
    if slowness is not None:
        per_cpu = per_cpu / slowness
        mutator = parameters.served_share * parameters.arrival_bytes_per_second / np.maximum(per_cpu, 1.0)
    elif open_loop:
        mutator = mutator * pace
    else:
        per_cpu = per_cpu * pace
    return MarkConditions(
        mark_cpu_seconds=mark_cpu_seconds,
        runway_bytes=runway_bytes,
        alloc_bytes_per_cpu_second=per_cpu,
        gomaxprocs=parameters.gomaxprocs,
        background_procs=parameters.mark_background_procs,
        busy_procs=parameters.mark_busy_procs,
        mutator_procs=mutator,
        open_loop=open_loop,
        assist_cpu_share=parameters.assist_cpu_share,
    )
