"""Converts the numbers of gc lines to a CycleTable and back, for every generation of the format.

``CycleTable`` has three phases, as the runtime since Go 1.6. Older lines map to them:

- Go 1.5 prints the concurrent phase in three parts. Their sum is ``mark_ns``. The CPU time of the first two, which the
  collector's own goroutine spent, counts as ``background_cpu_ns``.
- Go 1.2-1.4 stop the world for the whole collection. The pause is ``stw_mark_term_ns`` and nothing is concurrent, as in
  a forced stop-the-world cycle of Go 1.5-1.7. Their lines have no clock, goal or CPU time.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gcsim.cycles import NOT_LOGGED, CycleTable
from gcsim.gctrace.records import FivePhaseFields, StopTheWorldFields

Raw = Mapping[str, NDArray[Any]]
Older = StopTheWorldFields | FivePhaseFields | None

_PHASES = ("phase1_ns", "phase2_ns", "phase3_ns", "phase4_ns")


def cycles_from_lines(generation: str, raw: Raw, length: int) -> tuple[CycleTable, Older]:
    """(cycles, further fields of old formats or None), from the fields of ``formats.CYCLE_LINES``."""
    columns = dict(raw)
    older: Older = None
    if generation in ("1.2", "1.3", "1.4"):
        older = StopTheWorldFields.build(length, raw)
        zero = np.zeros(length, np.int64)
        pause = sum((raw[name] for name in _PHASES if name in raw), zero)
        columns |= {"stw_sweep_term_ns": zero, "mark_ns": zero, "stw_mark_term_ns": pause}
        columns["heap_end_bytes"] = raw["heap_start_bytes"]
    elif generation in ("1.5", "1.5beta"):
        older = parts = FivePhaseFields.build(length, raw)
        cpu = raw["mark_cpu_ns"] if generation == "1.5beta" else raw["background_cpu_ns"]
        columns["mark_ns"] = raw["mark_ns"] + parts.scan_ns + parts.write_barrier_ns
        columns["background_cpu_ns"] = cpu + parts.scan_cpu_ns + parts.write_barrier_cpu_ns
    table: dict[str, NDArray[Any]] = {}
    for f in fields(CycleTable):
        dtype, missing = (np.bool_, False) if f.name == "forced" else (np.int64, NOT_LOGGED)
        column = columns.get(f.name)
        table[f.name] = np.full(length, missing, dtype) if column is None else column.astype(dtype)
    return CycleTable(**table), older


def lines_from_cycles(generation: str, cycles: CycleTable, older: Older) -> dict[str, NDArray[Any]]:
    """The fields of gc lines to print; the inverse of ``cycles_from_lines``."""
    raw = {f.name: getattr(cycles, f.name) for f in fields(cycles)}
    if older is not None:
        raw |= {f.name: getattr(older, f.name) for f in fields(older)}
    if isinstance(older, FivePhaseFields):
        raw["mark_ns"] = cycles.mark_ns - older.scan_ns - older.write_barrier_ns
        cpu = cycles.background_cpu_ns - older.scan_cpu_ns - older.write_barrier_cpu_ns
        raw["mark_cpu_ns" if generation == "1.5beta" else "background_cpu_ns"] = cpu
    return raw
