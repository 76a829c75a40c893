"""The mark phase that a lane enters: its parameters and one cycle's work, runway and pace."""

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.submodels.mark_phase import MarkConditions


def conditions_for(
    parameters: LaneParameters,
    *,
    mark_cpu_seconds: FloatArray,
    runway_bytes: FloatArray,
    pace: FloatArray,
    slowness: FloatArray | None,
) -> MarkConditions:
    """What lanes meet, one cycle each, or one lane in many cycles; ``pace`` is the profile's allocation factor.

    In an open loop the pace moves what is asked for, in a closed one how fast the program can allocate.
    ``slowness`` is a steady open loop's ``program_slowness`` in each cycle. At that speed

        Ps that the program asks for = served_share * arrivals / speed

    and the goal may leave it fewer, in slow cycles. The Ps that a log shows are the mean of both. A program that waits
    for locks or for few clients serves fewer arrivals while marking, and the rest afterwards. Where ``slowness`` is
    None the Ps of the log hold: of a load that moves, the arrivals of one cycle are not known.
    """
    per_cpu = parameters.mark_alloc_bytes_per_cpu_second
    mutator = parameters.mark_mutator_procs
    if slowness is not None:
        per_cpu = per_cpu / slowness
        mutator = parameters.served_share * parameters.arrival_bytes_per_second / np.maximum(per_cpu, 1.0)
    elif parameters.open_loop:
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
        open_loop=parameters.open_loop,
        assist_cpu_share=parameters.assist_cpu_share,
    )
