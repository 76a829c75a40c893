"""Records the cycles of one lane as a CycleTable, as a gctrace would log them."""

import numpy as np

from gcsim.arrays import FloatArray, Int64Array
from gcsim.cycles import CycleTable
from gcsim.engine.cycle_step import CycleStep
from gcsim.service.model import Model
from gcsim.settings import Settings


class CycleRecorder:
    """Records the cycles of one lane and draws their pauses."""

    def __init__(
        self, model: Model, settings: Settings, *, generator: np.random.Generator, lane: int = 0
    ) -> None:
        self._model = model
        self._settings = settings
        self._generator = generator
        self._lane = lane
        self._rows: list[tuple[float, ...]] = []

    def add(self, step: CycleStep) -> None:
        """Records one cycle."""
        phase, lane = step.phase, self._lane
        self._rows.append(
            (
                float(step.start_seconds[lane]),
                float(phase.duration_seconds[lane]),
                float(phase.assist_cpu_seconds[lane]),
                float(phase.background_cpu_seconds[lane]),
                float(phase.idle_cpu_seconds[lane]),
                float(step.heap_start_bytes[lane]),
                float(step.heap_end_bytes[lane]),
                float(step.heap_marked_bytes[lane]),
                float(step.heap_goal_bytes[lane]),
            )
        )

    def table(self) -> CycleTable:
        """All recorded cycles."""
        rows = np.array(self._rows, dtype=np.float64).reshape(-1, 9).T
        start_s, mark_s, assist_s, background_s, idle_s, start_b, end_b, marked_b, goal_b = rows
        count, procs = start_s.size, self._settings.gomaxprocs
        pauses = self._model.pauses
        first = _ns(pauses.draw_sweep_term(self._generator, count))
        second = _ns(pauses.draw_mark_term(self._generator, count))
        gc_cpu_s = assist_s + background_s + (first + second) * 1e-9 * procs
        end_s = np.maximum(start_s + mark_s + (first + second) * 1e-9, 1e-9)
        return CycleTable(
            cycle_number=np.arange(1, count + 1),
            start_ns=_ns(start_s),
            utilization_percent=(100.0 * np.cumsum(gc_cpu_s) / (end_s * procs)).astype(np.int64),
            stw_sweep_term_ns=first,
            mark_ns=_ns(mark_s),
            stw_mark_term_ns=second,
            stw_sweep_term_cpu_ns=first * procs,
            assist_cpu_ns=_ns(assist_s),
            background_cpu_ns=_ns(background_s),
            idle_cpu_ns=_ns(idle_s),
            stw_mark_term_cpu_ns=second * procs,
            heap_start_bytes=start_b.astype(np.int64),
            heap_end_bytes=end_b.astype(np.int64),
            heap_marked_bytes=marked_b.astype(np.int64),
            heap_goal_bytes=goal_b.astype(np.int64),
            stack_bytes=np.full(count, int(self._model.parameters.stack_bytes.value)),
            globals_bytes=np.full(count, int(self._model.parameters.globals_bytes.value)),
            gomaxprocs=np.full(count, procs),
            forced=np.zeros(count, dtype=np.bool_),
        )


def _ns(seconds: FloatArray) -> Int64Array:
    return np.round(seconds * 1e9).astype(np.int64)
