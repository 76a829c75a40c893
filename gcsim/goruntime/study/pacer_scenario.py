"""Runs the pacer through a scenario, cycle by cycle, as Go's own ``TestGcPacer`` does.

Marking is ideal: allocation and scan rates are constant within a cycle, assists are continuous, and all memory is heap.
The results therefore depend only on the pacer and can be compared with the real runtime's.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gcsim.errors import InputError
from gcsim.goruntime.arithmetic import truncate_to_int64
from gcsim.goruntime.pacer import GC_OFF
from gcsim.goruntime.pacer_state import MarkResult, PacerState
from gcsim.goruntime.versions import rules_for
from gcsim.goruntime.workers import BACKGROUND_UTILIZATION
from gcsim.units import KIB, MAX_INT64

INTEGER_INPUTS = ("gc_percent", "memory_limit_bytes", "globals_bytes", "gomaxprocs", "stack_bytes")
RATE_INPUTS = (
    "alloc_rate_kib_per_cpu_ms",
    "scan_rate_kib_per_cpu_ms",
    "growth_rate",
    "scannable_fraction",
)
INPUTS = (*INTEGER_INPUTS, *RATE_INPUTS)
OUTPUTS = (
    "heap_marked_bytes",
    "trigger_bytes",
    "peak_bytes",
    "goal_bytes",
    "gc_utilization",
    "mark_duration_ns",
    "assist_time_ns",
    "allocated_black_bytes",
)
_FIRST_LIVE_BYTES = 256 * KIB  # the live heap of the first cycle
_STEP_NS = 500_000  # between two revisions of the assist ratio
_BYTES_PER_RATE_AND_STEP = 1024 * 0.5  # KiB per cpu-ms, over one step
_MIN_RATE = 0.0001  # TestGcPacer's minimum of allocation, scan and growth rates
_STACK_QUANTUM_BYTES = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cycle:
    """The inputs of one cycle, with the column names of the golden files."""

    gc_percent: int
    memory_limit_bytes: int
    globals_bytes: int
    gomaxprocs: int
    stack_bytes: int
    alloc_rate_kib_per_cpu_ms: float
    scan_rate_kib_per_cpu_ms: float
    growth_rate: float
    scannable_fraction: float


def run_pacer_scenario(columns: Mapping[str, ArrayLike], *, go: str) -> dict[str, NDArray[np.number]]:
    """Runs the pacer of a Go version through a scenario; returns one value per cycle of each quantity below.

    ``columns`` maps every input name to an array with one element per cycle, n >= 1:
    ``gc_percent`` (-1 is off), ``memory_limit_bytes`` (2^63 - 1 is off), ``globals_bytes``, ``gomaxprocs``,
    ``stack_bytes``: whole numbers; ``alloc_rate_kib_per_cpu_ms``, ``scan_rate_kib_per_cpu_ms``,
    ``growth_rate``, ``scannable_fraction``: floats. As in Go's test, rates and growth below 0.0001 count as
    0.0001, a scannable fraction above 1 as 1, and stacks are rounded down to a multiple of 2048.

    The result maps ``heap_marked_bytes``, ``trigger_bytes``, ``peak_bytes``, ``goal_bytes``,
    ``mark_duration_ns``, ``assist_time_ns``, ``allocated_black_bytes`` to int64 arrays (uint64 for a heap
    past 2^63 - 1) and ``gc_utilization`` to a float64 array (NaN with nothing to scan), of length n.

    ``heap_marked_bytes`` is that at the start of the cycle, ``trigger_bytes`` the heap at which it started.

    The first cycle marks 256 KiB and the bytes allocated black in it. Each later cycle marks (marked - allocated black
    in the cycle before) x growth rate + allocated black in this cycle. A changed GOGC or limit acts from the commit
    that ends the cycle before, as if it was set while the world was stopped. Globals and GOMAXPROCS change at the start
    of a cycle. Go 1.19 and later. Raises InputError for missing, unknown, negative, NaN or unequally long columns, for
    fractions in columns of whole numbers, and if marking would never end.
    Source: Go 1.19+ ``mgcpacer_test.go`` ``TestGcPacer``, ``export_test.go`` ``GCController``.
    """
    rules = rules_for(go)
    if not rules.memory_limit:
        raise InputError(f"go {go!r}: scenarios run on the pacers of Go 1.19 and later; use 1.19 or newer")
    cycles = _read_cycles(columns)
    first = cycles[0]
    state = PacerState.initial(
        gc_percent=first.gc_percent, memory_limit_bytes=first.memory_limit_bytes, rules=rules
    )
    rows: list[tuple[float, ...]] = []
    black_before = 0
    for index, cycle in enumerate(cycles):
        live_bytes = (
            int((state.heap_marked_bytes - black_before) * cycle.growth_rate) if index else _FIRST_LIVE_BYTES
        )
        mark, goal_bytes = _mark(state, cycle, live_bytes, cycle_number=index + 1)
        black_before = mark.bytes_marked - live_bytes
        rows.append(_outputs(state, mark, goal_bytes, black_before))
        following = cycles[min(index + 1, len(cycles) - 1)]
        state = replace(
            state,
            gc_percent=following.gc_percent,
            memory_limit_bytes=following.memory_limit_bytes,
            globals_scan_bytes=cycle.globals_bytes,
        ).end_cycle(mark)
    return _output_arrays(rows)


def _mark(state: PacerState, cycle: _Cycle, live_bytes: int, *, cycle_number: int) -> tuple[MarkResult, int]:
    """(results of one cycle from trigger to mark end, heap goal at its end)."""
    limit_goal = state.limit_goal_bytes()
    trigger = state.trigger_bytes(limit_goal)
    heap_live = max(trigger, state.heap_marked_bytes)
    triggered = heap_live if state.rules.triggered_is_heap_live else trigger
    state = replace(state, globals_scan_bytes=cycle.globals_bytes)
    goal = state.heap_goal_bytes(limit_goal, triggered)
    roots_max = cycle.stack_bytes + cycle.globals_bytes
    heap_scan = state.last_heap_scan_bytes + int(
        float(heap_live - state.heap_marked_bytes) * cycle.scannable_fraction
    )
    left = [cycle.globals_bytes, cycle.stack_bytes, int(float(live_bytes) * cycle.scannable_fraction)]
    done = [0, 0, 0]
    duration_ns = assist_ns = black = 0
    while sum(left) > 0:
        ratio, _ = state.assist_ratio(
            heap_live_bytes=heap_live,
            heap_goal_bytes=goal,
            triggered_bytes=triggered,
            scan_work_bytes=sum(done),
            max_scan_work_bytes=heap_scan + roots_max,
        )
        step = _step(cycle, ratio, sum(left))
        if step.scanned_bytes == 0 and step.allocated_bytes == 0:
            raise InputError(
                f"cycle {cycle_number}: marking never ends at a scan rate of"
                f" {cycle.scan_rate_kib_per_cpu_ms:g} KiB per cpu-ms; raise scan_rate_kib_per_cpu_ms"
            )
        _take(left, done, step.scanned_bytes)
        heap_live += step.allocated_bytes
        heap_scan += int(float(step.allocated_bytes) * cycle.scannable_fraction)
        duration_ns += step.elapsed_ns
        assist_ns += step.assist_ns
        black += step.allocated_bytes
    mark = MarkResult(
        heap_live_bytes=heap_live,
        triggered_bytes=triggered,
        globals_scan_work_bytes=done[0],
        stack_scan_work_bytes=done[1],
        heap_scan_work_bytes=done[2],
        assist_time_ns=assist_ns,
        mark_duration_ns=duration_ns,
        gomaxprocs=cycle.gomaxprocs,
        bytes_marked=live_bytes + black,
    )
    return mark, goal


@dataclass(frozen=True, slots=True)
class _Step:
    """A step of marking."""

    scanned_bytes: int
    allocated_bytes: int
    elapsed_ns: int
    assist_ns: int


def _step(cycle: _Cycle, assist_work_per_byte: float, left_bytes: int) -> _Step:
    """500 us of marking, or less at the end of the work; products are evaluated from left to right, as in Go."""
    alloc_rate, scan_rate = cycle.alloc_rate_kib_per_cpu_ms, cycle.scan_rate_kib_per_cpu_ms
    procs = float(cycle.gomaxprocs)
    assisted = assist_work_per_byte * alloc_rate
    utilization = max(assisted / (assisted + scan_rate), BACKGROUND_UTILIZATION)
    could_scan = scan_rate * _BYTES_PER_RATE_AND_STEP * procs * utilization
    allocated = alloc_rate * _BYTES_PER_RATE_AND_STEP * procs * (1.0 - utilization)
    scanned_bytes = truncate_to_int64(could_scan)
    elapsed_ns = _STEP_NS
    if left_bytes < scanned_bytes:
        scanned_bytes = left_bytes
        elapsed_ns = int(float(scanned_bytes) * float(_STEP_NS) / could_scan)
        bytes_elapsed = alloc_rate * _BYTES_PER_RATE_AND_STEP * float(elapsed_ns) / float(_STEP_NS)
        allocated = bytes_elapsed * procs * (1.0 - utilization)
    assist_ns = int(float(elapsed_ns) * procs * (utilization - BACKGROUND_UTILIZATION))
    return _Step(scanned_bytes, truncate_to_int64(allocated), elapsed_ns, assist_ns)


def _take(left: list[int], done: list[int], work_bytes: int) -> None:
    """Moves work from left to done: globals first, then stacks, then heap."""
    for kind, available in enumerate(left):
        taken = min(available, work_bytes)
        left[kind] -= taken
        done[kind] += taken
        work_bytes -= taken


def _outputs(state: PacerState, mark: MarkResult, goal_bytes: int, black_bytes: int) -> tuple[float, ...]:
    offered = float(mark.mark_duration_ns) * float(mark.gomaxprocs)
    assist_share = float(mark.assist_time_ns) / offered if offered else float("nan")
    return (
        state.heap_marked_bytes,
        mark.triggered_bytes,
        mark.heap_live_bytes,
        goal_bytes,
        assist_share + BACKGROUND_UTILIZATION,
        mark.mark_duration_ns,
        mark.assist_time_ns,
        black_bytes,
    )


def _output_arrays(rows: list[tuple[float, ...]]) -> dict[str, NDArray[np.number]]:
    return {
        name: np.array(column, dtype=_output_type(name, column))
        for name, column in zip(OUTPUTS, zip(*rows, strict=True), strict=True)
    }


def _output_type(name: str, column: tuple[float, ...]) -> type[np.float64 | np.int64 | np.uint64]:
    """The dtype of a column: uint64 for a heap above 2^63 - 1, as with GOGC=off and no limit in 1.19 and 1.20."""
    if name == "gc_utilization":
        return np.float64
    return np.int64 if max(column) <= MAX_INT64 else np.uint64


def _read_cycles(columns: Mapping[str, ArrayLike]) -> list[_Cycle]:
    """The checked inputs, one record per cycle."""
    _check_names(columns)
    lists: dict[str, list[Any]] = {name: _integers(name, columns[name]) for name in INTEGER_INPUTS}
    lists |= {name: _rates(name, columns[name]) for name in RATE_INPUTS}
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) != 1:
        shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InputError(f"columns must have one element per cycle and equal lengths; got {shown}")
    if not lists["gc_percent"]:
        raise InputError("columns are empty; give at least one cycle")
    return [_Cycle(**dict(zip(lists, values, strict=True))) for values in zip(*lists.values(), strict=True)]


def _check_names(columns: Mapping[str, ArrayLike]) -> None:
    missing = [name for name in INPUTS if name not in columns]
    for name in columns:
        if name not in INPUTS:
            nearest = difflib.get_close_matches(str(name), INPUTS, n=1, cutoff=0.0)[0]
            raise InputError(f"unknown column {name!r}; the nearest is {nearest!r}")
    if missing:
        raise InputError(f"missing column {', '.join(missing)}; give one element per cycle")


def _integers(name: str, values: ArrayLike) -> list[int]:
    """The whole numbers of a column of integers or of floats without a fraction."""
    numbers = [_whole(name, value) for value in _one_dimensional(name, values)]
    lowest = {"gc_percent": GC_OFF, "gomaxprocs": 1}.get(name, 0)
    highest = {"gc_percent": 2**31 - 1, "gomaxprocs": 2**31 - 1}.get(name, MAX_INT64)
    for index, number in enumerate(numbers):
        if not lowest <= number <= highest:
            raise InputError(
                f"column {name!r}, cycle {index + 1}: {number} is out of range; give {lowest} to {highest}"
            )
    if name == "stack_bytes":
        return [number // _STACK_QUANTUM_BYTES * _STACK_QUANTUM_BYTES for number in numbers]
    return numbers


def _whole(name: str, value: object) -> int:
    """One whole number; 2^63 as a float is GOMEMLIMIT=off read as float64."""
    if isinstance(value, (int, np.integer)):
        return int(value)
    if not isinstance(value, (float, np.floating)) or not float(value).is_integer():
        raise InputError(f"column {name!r}: {value!r} is not a whole number")
    return min(int(value), MAX_INT64) if value == 2.0**63 else int(value)


def _rates(name: str, values: ArrayLike) -> list[float]:
    """The finite floats of 0 or more of a column, with the minimum or maximum of Go's test."""
    try:
        numbers = [float(value) for value in _one_dimensional(name, values)]
    except (TypeError, ValueError):
        raise InputError(f"column {name!r} holds a value that is not a number") from None
    for index, number in enumerate(numbers):
        if not 0.0 <= number < float("inf"):
            raise InputError(
                f"column {name!r}, cycle {index + 1}: {number} is out of range; give a number of 0 or more"
            )
    if name == "scannable_fraction":
        return [min(number, 1.0) for number in numbers]
    return [max(number, _MIN_RATE) for number in numbers]


def _one_dimensional(name: str, values: ArrayLike) -> NDArray[np.generic]:
    array = np.asarray(values)
    if array.ndim != 1:
        raise InputError(f"column {name!r} must be one-dimensional, got {array.ndim} dimensions")
    return array
