"""The parameters of one service: named numbers, each with its uncertainty, origin and source."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, Literal, Self, get_args

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.documents import number, table_of, text_of
from gcsim.errors import InputError
from gcsim.units import format_bound, format_range

#: Where a parameter's value is from. "log": the log shows it. "capture": measurements over the whole run give it.
#: "reading": a reading of the process at one moment gives it. "prior": a prior, possibly updated by measurements.
#: "limit goals": a prior updated by the heap goals of a log under GOMEMLIMIT. "pooled": the mean of several logs.
#: "derived": computed from other parameters.
ParameterOrigin = Literal["log", "capture", "reading", "prior", "limit goals", "pooled", "derived"]
PARAMETER_ORIGINS: tuple[ParameterOrigin, ...] = get_args(ParameterOrigin)

#: Memory outside the heap that GOMEMLIMIT counts. Calibration, pooling, the diagnosis and both engines take all of it.
OUTSIDE_HEAP = (
    "metadata_base_bytes",
    "metadata_share",
    "slot_garbage_share",
    "unfilled_slot_share",
    "allocated_stack_bytes",
)
#: Memory of the process: resident, file pages and kernel memory.
PROCESS = (
    "rss_base_bytes", "rss_ratio", "rss_beside_bytes", "file_resident_bytes", "rss_file_share", "file_hot_share",
    "kernel_bytes",
)  # fmt: skip
MAY_BE_NEGATIVE = ("mark_cpu_heap_exponent",)  # normal; all other parameters are log-normal


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of a model, with the relative standard deviation of its uncertainty."""

    value: float
    rel_sd: float = 0.0  # standard deviation of log(value); of MAY_BE_NEGATIVE: of value / |value|
    source: str = ""  # the origin in words, as reports print it; code reads ``origin``
    origin: ParameterOrigin = "log"

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise InputError(f"the value must be finite, got {self.value}")
        if not (math.isfinite(self.rel_sd) and 0 <= self.rel_sd <= 10):
            raise InputError(f"rel_sd must be from 0 to 10, got {self.rel_sd}")

    @property
    def is_prior(self) -> bool:
        """Whether a prior gives the value, possibly updated by measurements."""
        return self.origin in ("prior", "limit goals")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The parameters of a service at the calibrated settings.

    "Ps" are processors, averaged over time. Means "while marking" are over the wall time of the mark phases including
    sweep termination, as in the pacer (Go 1.19+ ``gcControllerState.endCycle``).
    """

    # heap
    live_bytes: Parameter  # live heap at the start of a cycle: h2 - (h1 - h0)
    live_per_doubling: Parameter  # factor on the live heap per doubling of the allocation between collections
    stack_bytes: Parameter  # scanned stacks, a term of the heap goal
    globals_bytes: Parameter
    # allocation
    alloc_bytes_per_second: Parameter  # mean over the run, marking included, recounted span tails excluded
    alloc_bytes_per_cpu_second: Parameter  # per second of mutator CPU outside marking
    sweep_cpu_seconds_per_byte: (
        Parameter  # of heap peak: mutator CPU after each collection, for sweeping and cache misses
    )
    sweep_share: Parameter  # of mutator CPU outside marking: sweeping at this cost, at calibration
    recounted_share: Parameter  # of heapLive's growth outside marking at calibration: recounted span tails
    recounted_share_of_all: Parameter  # of heapLive's whole growth at calibration: recounted span tails
    mutator_procs: Parameter  # Ps that the program uses outside marking
    mark_alloc_efficiency: (
        Parameter  # allocation per mutator CPU second while marking over that outside marking
    )
    mark_mutator_procs: Parameter  # Ps on the mutator while marking, without assists
    # marking
    mark_cpu_seconds: Parameter  # per cycle: assists, background and idle workers together
    mark_cpu_heap_ratio: Parameter  # (peak + roots) / (live + roots): ``heap_growth``
    mark_cpu_heap_exponent: Parameter  # exponent of heap growth in mark CPU
    mark_background_procs: Parameter  # Ps on dedicated and fractional workers while marking
    mark_idle_procs: Parameter  # Ps on idle workers while marking
    assist_cpu_seconds: Parameter  # per cycle, baseline assists
    # pauses
    pause_scale: Parameter  # factor on every pause: 1, with the spread between runs
    # memory outside the heap
    metadata_base_bytes: Parameter  # the runtime's own memory, counted against GOMEMLIMIT: constant part
    metadata_share: Parameter  # of heap in use: its proportional part
    slot_garbage_share: Parameter  # of garbage: in spans with a live object, so free slots after a sweep
    unfilled_slot_share: Parameter  # of heap peak: free slots at mark end, which no allocation fits
    allocated_stack_bytes: Parameter
    recount_base_share: Parameter  # of the live heap: growth of heapLive per cycle that is not allocation
    rss_base_bytes: Parameter  # resident memory outside the heap: constant part
    rss_ratio: Parameter  # resident bytes per byte of heap peak
    rss_beside_bytes: Parameter  # part of the constant that GOMEMLIMIT does not count: text, data, C memory
    file_resident_bytes: (
        Parameter  # part of both: resident file pages (text, read-only data, mapped files), shared
    )
    rss_file_share: (
        Parameter  # of the error of file_resident_bytes: part of the error of the two constants too
    )
    file_hot_share: Parameter  # of file_resident_bytes: pages that the kernel cannot reclaim without stalling
    kernel_bytes: Parameter  # kernel memory charged to the container: page tables, kernel stacks, slab

    def __post_init__(self) -> None:
        for f in fields(self):
            RANGES[f.name].check(f.name, getattr(self, f.name).value)

    @property
    def memory_source(self) -> Literal["capture", "reading", "prior"]:
        """Where resident memory is from: measured over a run, read at one moment, or not measured."""
        origin = self.rss_base_bytes.origin
        return origin if origin in ("capture", "reading") else "prior"

    @classmethod
    def from_document(cls, entries: Mapping[str, Any]) -> Self:
        """The parameters in a model file's tables, one per parameter; NEUTRAL holds missing ones. Raises InputError."""
        entries = {**{name: {"value": value, **_ABSENT} for name, value in NEUTRAL.items()}, **entries}
        unknown = sorted(set(entries) - set(PARAMETER_NAMES))
        missing = sorted(set(PARAMETER_NAMES) - set(entries))
        if unknown or missing:
            raise InputError(_name_mismatch(unknown, missing))
        return cls(**{name: _parameter(table_of(entries, name), name) for name in PARAMETER_NAMES})

    def to_document(self) -> dict[str, dict[str, float | str]]:
        """The tables of the model file."""
        every = {name: getattr(self, name) for name in PARAMETER_NAMES}
        return {
            name: {
                "value": p.value,
                "rel_sd": p.rel_sd,
                "origin": p.origin,
                "source": p.source,
            }  # source last: _parameter
            for name, p in every.items()
        }


@dataclass(frozen=True, slots=True)
class Range:
    """The wide range of values that a parameter can have in a Go program."""

    low: float  # both ends belong to the range
    high: float

    def check(self, name: str, value: float) -> None:
        """Raises InputError, with the parameter and its range, if the value lies outside."""
        if not self.low <= value <= self.high:
            raise InputError(
                f"{name} must be from {format_range(self.low, self.high)}, got {format_bound(value)}"
            )

    def clip(self, values: FloatArray) -> FloatArray:
        """The values, limited to the range."""
        return np.clip(values, self.low, self.high)


_MOST_BYTES = float((1 << 48) - 1)  # the address space of one process on amd64 and arm64
_MOST_PROCS = 4096.0
_SIZE = Range(0.0, _MOST_BYTES)
_RATE = Range(1.0, _MOST_BYTES)  # bytes per second
_CPU_SECONDS = Range(0.0, 1e5)  # of one cycle: a terabyte takes a few hundred
_BELOW_ONE = Range(0.0, 0.999)
_PROCS = Range(0.0, _MOST_PROCS)
_SOME_PROCS = Range(1e-6, _MOST_PROCS)

#: The range of each parameter. A value outside is refused in a file and limited in a draw.
RANGES: dict[str, Range] = {
    "live_bytes": Range(1.0, _MOST_BYTES),
    "live_per_doubling": Range(0.5, 2.0),
    "stack_bytes": _SIZE,
    "globals_bytes": _SIZE,
    "alloc_bytes_per_second": _RATE,
    "alloc_bytes_per_cpu_second": _RATE,
    "sweep_cpu_seconds_per_byte": Range(0.0, 1e-6),
    "sweep_share": _BELOW_ONE,
    "recounted_share": Range(0.0, 0.5),
    "recounted_share_of_all": Range(0.0, 0.5),
    "mutator_procs": _SOME_PROCS,
    "mark_alloc_efficiency": Range(0.0, 1e12),
    "mark_mutator_procs": _PROCS,
    "mark_cpu_seconds": Range(1e-9, 1e5),
    "mark_cpu_heap_ratio": Range(1.0, 1e9),
    "mark_cpu_heap_exponent": Range(-2.0, 2.0),
    "mark_background_procs": _SOME_PROCS,
    "mark_idle_procs": _PROCS,
    "assist_cpu_seconds": _CPU_SECONDS,
    "pause_scale": Range(1e-3, 1e3),
    "metadata_base_bytes": _SIZE,
    "metadata_share": _BELOW_ONE,
    "slot_garbage_share": Range(0.0, 1.0),
    "unfilled_slot_share": _BELOW_ONE,
    "allocated_stack_bytes": _SIZE,
    "recount_base_share": Range(-0.05, 0.5),
    "rss_base_bytes": _SIZE,
    "rss_ratio": Range(1e-3, 100.0),
    "rss_beside_bytes": _SIZE,
    "file_resident_bytes": _SIZE,
    "rss_file_share": Range(0.0, 1.0),
    "file_hot_share": Range(0.0, 1.0),
    "kernel_bytes": _SIZE,
}

#: Growth of heapLive between two cycles that is not allocation, per byte of live heap, without refilled slots
#: (``submodels.process_memory.span_tail_recount_bytes``).
RECOUNT_BASE_SHARE = 0.008

#: Parameters that model files of an older gcsim lack, each with the value at which a model predicts what it did before.
#: A new parameter with such a value leaves older model files valid.
NEUTRAL: dict[str, float] = {"recount_base_share": RECOUNT_BASE_SHARE}
_ABSENT = {"rel_sd": 0.0, "origin": "derived", "source": "not in the model file"}

PARAMETER_NAMES = tuple(field.name for field in fields(Parameters))


def _parameter(entry: Mapping[str, Any], name: str) -> Parameter:
    """The parameter of one table. A file that was cut off in its last table lacks ``source`` and is refused."""
    try:
        source = text_of(entry, "source")
        return Parameter(number(entry, "value"), number(entry, "rel_sd"), source, _origin(entry, source))
    except InputError as error:
        raise InputError(f"parameters.{name}: {error}") from error


def _origin(entry: Mapping[str, Any], source: str) -> ParameterOrigin:
    if "origin" not in entry:
        return origin_from_source(source)
    found = text_of(entry, "origin")
    for origin in PARAMETER_ORIGINS:
        if found == origin:
            return origin
    raise InputError(f"origin must be one of {', '.join(PARAMETER_ORIGINS)}, got {found!r}")


def origin_from_source(source: str) -> ParameterOrigin:
    """The origin that a source text states: for model files without the key ``origin``."""
    if source.startswith("prior"):
        return "limit goals" if source.endswith("the limit's goals") else "prior"
    if source.startswith("reading"):
        return "reading"
    if source.startswith("from the "):
        return "derived"
    if "the runtime's own counts" in source or source == "capture" or re.match(r"\d+ captures", source):
        return "capture"
    return "pooled" if re.match(r"\d+ logs", source) else "log"


def _name_mismatch(unknown: list[str], missing: list[str]) -> str:
    if not unknown:
        return (
            f"parameter {missing[0]!r} is missing, as in models of an older gcsim; calibrate the model again"
        )
    close = get_close_matches(unknown[0], PARAMETER_NAMES, n=1)
    hint = f", did you mean {close[0]!r}" if close else ""
    return f"unknown parameter {unknown[0]!r}{hint}; calibrate the model again"
