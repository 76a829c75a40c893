"""A trace as calibration reads it: one row per cycle, in floats, as exact as the log allows.

gctrace truncates sizes to whole MiB and times to two digits, or whole ms: each number is taken as the middle of what
is printed so, where no pacer line gives the bytes. ``standard_error`` says what truncation leaves in a mean.
"""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from gcsim.arrays import BoolArray, FloatArray, Int64Array
from gcsim.cycles import NOT_LOGGED
from gcsim.gctrace.numbers import printed_step_ns, untruncated_ms
from gcsim.gctrace.trace import Trace
from gcsim.goruntime.pacer import runway_bytes
from gcsim.submodels.process_memory import span_tail_recount_bytes
from gcsim.units import MIB

HALF_MIB = 0.5 * MIB
LOG = "log"  # the source of a parameter that the log shows
LITTLE_SCANNED = 0.1  # scan work of marked bytes: below it, objects are large or hold no pointers
BELOW_A_MIB = 0.25 * MIB  # what stacks and globals printed as 0 MB are taken for
NO_GOAL_BYTES = float(1 << 60)  # GOGC=off without a limit prints a goal near 2^63
_HALF_MS = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Columns of shape (n,): one row per cycle, in order. Seconds and bytes."""

    cycle_number: Int64Array  # N of "gc N": a jump is lines lost
    start_seconds: FloatArray
    end_seconds: FloatArray
    mark_seconds: FloatArray  # sweep termination and concurrent mark: what the pacer divides by
    sweep_term_seconds: FloatArray
    mark_term_seconds: FloatArray
    assist_cpu_seconds: FloatArray
    background_cpu_seconds: FloatArray
    idle_cpu_seconds: FloatArray
    heap_start_bytes: FloatArray
    heap_end_bytes: FloatArray
    heap_marked_bytes: FloatArray
    heap_goal_bytes: FloatArray  # infinite where there is none
    span_tail_recount_bytes: (
        FloatArray  # of heapLive's growth since the cycle before: ends of spans, counted again
    )
    allocated_bytes: FloatArray  # while marking
    heap_scan_bytes: FloatArray  # scan work on the heap; NaN without a pacer line
    runway_bytes: FloatArray  # that this cycle's trigger was computed with; NaN without a pacer line
    stack_bytes: FloatArray
    globals_bytes: FloatArray
    gomaxprocs: FloatArray
    natural: BoolArray  # started by the pacer: neither runtime.GC nor the two-minute timer
    exact: BoolArray  # heap_start, heap_end, goal, stacks and globals from a pacer line, to the byte
    marked_exact: BoolArray  # heap_marked worked out from the next cycle's exact goal

    def __len__(self) -> int:
        return int(self.start_seconds.shape[0])

    @property
    def scanned_share(self) -> float | None:
        """Scan work of marked bytes; None where no pacer line tells."""
        known = np.isfinite(self.heap_scan_bytes)
        if not known.any():
            return None
        return float(self.heap_scan_bytes[known].sum()) / float(self.heap_marked_bytes[known].sum())

    def select(self, rows: BoolArray | Int64Array | slice) -> Self:
        """The chosen rows."""
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def without_span_tails(self, slot_garbage_share: float) -> Self:
        """The same rows, and what of heapLive's growth before each of them nobody allocated."""
        again = span_tail_recount_bytes(
            np.maximum(self._grown_bytes, 0.0), self.live_bytes[:-1], slot_garbage=slot_garbage_share
        )
        return replace(
            self, span_tail_recount_bytes=np.concatenate([self.span_tail_recount_bytes[:1], again])
        )

    @property
    def allocated_between_bytes(self) -> FloatArray:
        """What was allocated from each cycle's end to the next one's start, as far as is known; shape (n - 1,)."""
        return self._grown_bytes - self.span_tail_recount_bytes[1:]

    @property
    def _grown_bytes(self) -> FloatArray:
        return self.heap_start_bytes[1:] - self.heap_marked_bytes[:-1]

    @property
    def follows(self) -> BoolArray:
        """Whether each row but the first is the cycle right after the row before it; shape (n - 1,)."""
        return np.asarray(np.diff(self.cycle_number) == 1, dtype=np.bool_)

    @property
    def follows_naturally(self) -> BoolArray:
        """Whether it is that, and the pacer started it; shape (n - 1,)."""
        return self.follows & self.natural[1:]

    @property
    def live_bytes(self) -> FloatArray:
        """Live when a cycle began: what was marked less what was allocated meanwhile."""
        return np.maximum(self.heap_marked_bytes - self.allocated_bytes, 0.0)

    @property
    def concurrent_seconds(self) -> FloatArray:
        """Marking beside the program, the first pause left out: when workers and assists run."""
        return np.maximum(self.mark_seconds - self.sweep_term_seconds, 1e-9)

    @property
    def heap_step_bytes(self) -> FloatArray:
        """Of what heap_start and heap_end were truncated to; 0 where they are exact."""
        return np.where(self.exact, 0.0, MIB)

    @property
    def marked_step_bytes(self) -> FloatArray:
        """Of what heap_marked was truncated to; 0 where it is exact."""
        return np.where(self.marked_exact, 0.0, MIB)

    @property
    def mark_cpu_seconds(self) -> FloatArray:
        """CPU of assists, background and idle workers together."""
        return self.assist_cpu_seconds + self.background_cpu_seconds + self.idle_cpu_seconds


def evidence_from(trace: Trace, gogc: int | None = None) -> Evidence:
    """The rows of one process's trace; with GOGC and pacer lines, marked bytes come from the next goal."""
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
    marked, marked_exact = _sizes(cycles.heap_marked_bytes), np.zeros(len(cycles), dtype=np.bool_)
    if gogc is not None:
        follows = np.diff(cycles.cycle_number) == 1
        marked, marked_exact = _marked_from_goals(marked, goal, stacks + roots, exact, follows, gogc)
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
        heap_marked_bytes=marked,
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
        marked_exact=marked_exact,
    )


def _marked_from_goals(
    printed: FloatArray,
    goal: FloatArray,
    root_bytes: FloatArray,
    exact: BoolArray,
    follows: BoolArray,
    gogc: int,
) -> tuple[FloatArray, BoolArray]:
    """Marked bytes to the byte where the next cycle's exact goal came from GOGC alone; and which these are.

    There goal = marked + (marked + roots) x GOGC/100 (Go 1.19+ ``commit``); a result that does not print as what
    was printed shows that something else set the goal: the minimum, the sweeper's room or a limit.
    """
    ratio = gogc / 100.0
    solved = (goal[1:] - root_bytes[:-1] * ratio) / (1.0 + ratio)
    agrees = follows & exact[1:] & exact[:-1] & (np.abs(solved - printed[:-1]) <= HALF_MIB)
    result = printed.copy()
    result[:-1] = np.where(agrees, solved, printed[:-1])
    return result, np.append(agrees, False)


def time_steps(seconds: FloatArray) -> FloatArray:
    """The unit of the last digit printed of each time, in seconds; 0 where 0 was printed."""
    step_ns = printed_step_ns(np.round(seconds * 1e9).astype(np.int64))
    return np.where(seconds > 0, step_ns * 1e-9, 0.0)


def _seconds(column: Int64Array) -> FloatArray:
    return np.asarray(untruncated_ms(np.maximum(column, 0)) * 1e-9, dtype=np.float64)


def _root_sizes(column: Int64Array) -> FloatArray:
    return np.where(column >= MIB, column + HALF_MIB, np.where(column == NOT_LOGGED, 0.0, BELOW_A_MIB))


def _sizes(column: Int64Array) -> FloatArray:
    return np.where(column == NOT_LOGGED, 0.0, column + HALF_MIB)
