"""The commit of a GC cycle in the event engine."""

from dataclasses import replace

import numpy as np

from gcsim.engine.controllers import Commit, GcSetting
from gcsim.engine.des.run.order import now_ns
from gcsim.engine.des.run.process import GoProcess
from gcsim.goruntime.pacer_state import PacerState


def setting_of(pacer: PacerState) -> GcSetting:
    """The setting in force: the pacer holds it, as one lane."""
    return GcSetting(np.array([pacer.gc_percent]), np.array([pacer.memory_limit_bytes]))


def ask_controller(
    process: GoProcess, *, live_bytes: float, heap_end_bytes: float, heap_marked_bytes: float
) -> None:
    """Sets the next cycle's GOGC and limit from the controller, before the pacer commits the ending cycle."""
    pacer = process.pacer
    commit = Commit(
        now_seconds=np.array(
            [0.0 if process.warming_up else (now_ns(process.env) - process.epoch_ns) * 1e-9]
        ),
        heap_marked_bytes=np.array([heap_marked_bytes]),
        heap_end_bytes=np.array([heap_end_bytes]),
        live_bytes=np.array([live_bytes]),
        root_bytes=np.array([process.parameters.root_bytes], dtype=np.float64),
        setting=setting_of(pacer),
    )
    answer = process.controller.at_commit(commit)
    if answer is commit.setting:
        return
    percent, limit = int(answer.gc_percent[0]), int(answer.memory_limit_bytes[0])
    process.pacer = replace(pacer, gc_percent=percent, memory_limit_bytes=limit)
