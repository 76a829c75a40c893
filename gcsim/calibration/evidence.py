"""The evidence of a trace: one row per cycle, as floats, as exact as the log allows.

gctrace truncates sizes to whole MiB, and times to two digits or whole ms. Calibration replaces each truncated number
by the middle of the values that print the same. A pacer line gives sizes to the byte. ``standard_error`` gives the
error that truncation leaves in a mean.
"""

import math
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from gcsim.arrays import BoolArray, FloatArray, Int64Array
from gcsim.calibration.stats.standard_error import printing_error
from gcsim.cycles import NOT_LOGGED
from gcsim.gctrace.numbers import untruncated_ms
from gcsim.gctrace.trace import Trace
from gcsim.goruntime.pacer import runway_bytes
from gcsim.submodels.process_memory import span_tail_recount_bytes
from gcsim.units import MIB

HALF_MIB = 0.5 * MIB
LOG = "log"  # source text of a parameter with origin "log"
LITTLE_SCANNED = 0.1  # scan work over marked bytes: below it, objects are large or hold no pointers
BELOW_A_MIB = 0.25 * MIB  # value of stacks and globals printed as 0 MB
NO_GOAL_BYTES = float(1 << 60)  # GOGC=off without a limit prints a goal near 2^63
_HALF_MS = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Columns of shape (n,): one row per cycle, in order. Seconds and bytes."""

    cycle_number: Int64Array  # N of "gc N"; a gap means lost lines
    start_seconds: FloatArray
    end_seconds: FloatArray
    mark_seconds: FloatArray  # sweep termination and concurrent mark: the pacer's denominator
    sweep_term_seconds: FloatArray
    mark_term_seconds: FloatArray
    assist_cpu_seconds: FloatArray
    background_cpu_seconds: FloatArray
    idle_cpu_seconds: FloatArray
    heap_start_bytes: FloatArray
    heap_end_bytes: FloatArray
    heap_marked_bytes: FloatArray
    heap_goal_bytes: FloatArray  # infinite without a goal
    span_tail_recount_bytes: (
        FloatArray  # recounted span tails in the growth of heapLive since the cycle before
    )
    allocated_bytes: FloatArray  # growth of heapLive during the mark phase
    heap_scan_bytes: FloatArray  # scan work on the heap; NaN without a pacer line
    runway_bytes: FloatArray  # runway in this cycle's trigger; NaN without a pacer line
    stack_bytes: FloatArray
    globals_bytes: FloatArray
    gomaxprocs: FloatArray
    natural: BoolArray  # started by the pacer: neither runtime.GC nor the two-minute timer
    exact: BoolArray  # heap_start, heap_end, goal, stacks and globals from a pacer line, to the byte
    marked_exact: BoolArray  # heap_marked solved from the next cycle's exact goal

    def __len__(self) -> int:
        return int(self.start_seconds.shape[0])

    @property
    def scanned_share(self) -> float | None:
        """Scan work over marked bytes, 0 to 1; None without pacer lines."""
        known = np.isfinite(self.heap_scan_bytes)
        if not known.any():
            return None
        return float(self.heap_scan_bytes[known].sum()) / float(self.heap_marked_bytes[known].sum())

    def select(self, rows: BoolArray | Int64Array | slice) -> Self:
        """The evidence of the chosen rows."""
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def without_span_tails(self, slot_garbage_share: float, base_share: float) -> Self:
        """The same rows with the recounted span tails set for given parameters of ``span_tail_recount_bytes``."""
        again = span_tail_recount_bytes(
            np.maximum(self._grown_bytes, 0.0),
            self.live_bytes[:-1],
            slot_garbage=slot_garbage_share,
            base_share=base_share,
        )
        return replace(
            self, span_tail_recount_bytes=np.concatenate([self.span_tail_recount_bytes[:1], again])
        )

    def with_gogc(self, gogc: int | None) -> Self:
        """The same rows with heap_marked solved from the next cycle's goal, to the byte, where pacer lines allow it.

        None is GOGC=off: its goals do not depend on heap_marked.
        """
        if gogc is None:
            return self
        marked, exact = _marked_from_goals(
            self.heap_marked_bytes,
            self.heap_goal_bytes,
            self.stack_bytes + self.globals_bytes,
            self.exact,
            self.follows,
            gogc,
        )
        return replace(self, heap_marked_bytes=marked, marked_exact=exact)

    @property
    def allocated_between_bytes(self) -> FloatArray:
        """Bytes allocated from each cycle's end to the next start, without recounted span tails; shape (n - 1,)."""
        return self._grown_bytes - self.span_tail_recount_bytes[1:]

    @property
    def _grown_bytes(self) -> FloatArray:
        return self.heap_start_bytes[1:] - self.heap_marked_bytes[:-1]

    @property
    def follows(self) -> BoolArray:
        """Whether each row but the first directly follows the cycle of the row before; shape (n - 1,)."""
        return np.asarray(np.diff(self.cycle_number) == 1, dtype=np.bool_)

    @property
    def follows_naturally(self) -> BoolArray:
        """Whether a row follows the row before and the pacer started its cycle; shape (n - 1,)."""
        return self.follows & self.natural[1:]

    @property
    def live_bytes(self) -> FloatArray:
        """Live heap at the start of each cycle: heapMarked less the bytes allocated while marking."""
        return np.maximum(self.heap_marked_bytes - self.allocated_bytes, 0.0)

    @property
    def concurrent_seconds(self) -> FloatArray:
        """Duration of concurrent marking, without sweep termination: workers and assists run in it."""
        return np.maximum(self.mark_seconds - self.sweep_term_seconds, 1e-9)

    @property
    def heap_step_bytes(self) -> FloatArray:
        """Truncation step of heap_start and heap_end; 0 where they are exact."""
        return np.where(self.exact, 0.0, MIB)

    @property
    def allocated_printing_error(self) -> float:
        """The error that truncation leaves in the mean of ``allocated_bytes``, in bytes.

        It includes one cycle more or less that prints a whole step, because a printed difference of 0 may hide some
        bytes.
        """
        step = self.heap_step_bytes
        return math.hypot(
            printing_error(self.heap_start_bytes, step),
            printing_error(self.heap_end_bytes, step),
            float(step.mean()) / (len(self) + 1),
        )

    @property
    def marked_step_bytes(self) -> FloatArray:
        """Truncation step of heap_marked; 0 where it is exact."""
        return np.where(self.marked_exact, 0.0, MIB)

    @property
    def mark_cpu_seconds(self) -> FloatArray:
        """CPU seconds of assists, background workers and idle workers together."""
        return self.assist_cpu_seconds + self.background_cpu_seconds + self.idle_cpu_seconds


def evidence_from(trace: Trace) -> Evidence:
    """The evidence of one process's trace."""
    cycles = trace.cycles
    start, end = _sizes(cycles.heap_start_bytes), _sizes(cycles.heap_end_bytes)
    goal = _sizes(cycles.heap_goal_bytes)
    stacks, roots = _root_sizes(cycles.stack_bytes), _root_sizes(cycles.globals_bytes)
    exact = np.zeros(len(cycles), dtype=np.bool_)
    ends = trace.pacer_ends.select(
        (trace.pacer_ends.cycle_index >= 0) & (trace.pacer_ends.cycle_index < len(cycles))
    )
    rows = ends.cycle_index
    start[rows], end[rows] = ends.triggered_bytes, ends.heap_live_bytes
    goal[rows] = ends.heap_goal_bytes
    stacks[rows], roots[rows] = ends.stack_work_bytes, ends.globals_work_bytes
    exact[rows] = True
    scan = np.full(len(cycles), np.nan)
    scan[rows] = ends.heap_work_bytes
    runway = np.full(len(cycles), np.nan)
    runway[rows] = runway_bytes(ends.cons_mark, ends.expected_work_bytes)
    first, second = _seconds(cycles.stw_sweep_term_ns), _seconds(cycles.stw_mark_term_ns)
    start_s = (np.maximum(cycles.start_ns, 0) + _HALF_MS) * 1e-9
    mark_s = first + _seconds(cycles.mark_ns)
    return Evidence(
        cycle_number=cycles.cycle_number,
        start_seconds=start_s,
        end_seconds=start_s + mark_s + second,
        mark_seconds=mark_s,
        sweep_term_seconds=first,
        mark_term_seconds=second,
        assist_cpu_seconds=_seconds(cycles.assist_cpu_ns),
        background_cpu_seconds=_seconds(cycles.background_cpu_ns),
        idle_cpu_seconds=_seconds(cycles.idle_cpu_ns),
        heap_start_bytes=start,
        heap_end_bytes=end,
        heap_marked_bytes=_sizes(cycles.heap_marked_bytes),
        heap_goal_bytes=np.where(goal > NO_GOAL_BYTES, np.inf, goal),
        span_tail_recount_bytes=np.zeros(len(cycles)),
        allocated_bytes=np.maximum(end - start, 0.0),
        heap_scan_bytes=scan,
        runway_bytes=runway,
        stack_bytes=stacks,
        globals_bytes=roots,
        gomaxprocs=np.maximum(cycles.gomaxprocs, 1).astype(np.float64),
        natural=~(cycles.forced | trace.periodic),
        exact=exact,
        marked_exact=np.zeros(len(cycles), dtype=np.bool_),
    )


def _marked_from_goals(
    printed: FloatArray,
    goal: FloatArray,
    root_bytes: FloatArray,
    exact: BoolArray,
    follows: BoolArray,
    gogc: int,
) -> tuple[FloatArray, BoolArray]:
    """Marked bytes, exact where GOGC alone set the next cycle's exact goal; and a mask of the exact ones.

    goal = marked + (marked + roots) x GOGC/100 (Go 1.19+ ``commit``), solved for marked. A solution that differs from
    the printed value shows that the minimum heap, the sweeper's distance or a limit set the goal; it is not used.
    """
    ratio = gogc / 100.0
    solved = (goal[1:] - root_bytes[:-1] * ratio) / (1.0 + ratio)
    agrees = follows & exact[1:] & exact[:-1] & (np.abs(solved - printed[:-1]) <= HALF_MIB)
    result = printed.copy()
    result[:-1] = np.where(agrees, solved, printed[:-1])
    return result, np.append(agrees, False)


def _seconds(column: Int64Array) -> FloatArray:
    return np.asarray(untruncated_ms(np.maximum(column, 0)) * 1e-9, dtype=np.float64)


def _root_sizes(column: Int64Array) -> FloatArray:
    return np.where(column >= MIB, column + HALF_MIB, np.where(column == NOT_LOGGED, 0.0, BELOW_A_MIB))


def _sizes(column: Int64Array) -> FloatArray:
    return np.where(column == NOT_LOGGED, 0.0, column + HALF_MIB)
