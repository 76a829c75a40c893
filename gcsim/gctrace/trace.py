"""A Trace: the GC log of one real Go process."""

from collections import Counter
from dataclasses import dataclass, field, fields

import numpy as np

from gcsim.arrays import BoolArray, Int64Array
from gcsim.capture.info import CaptureInfo
from gcsim.capture.runtime_counters import HeapAccounts
from gcsim.cycles import CycleTable
from gcsim.gctrace.formats import CYCLES
from gcsim.gctrace.records import (
    Columns,
    FivePhaseFields,
    HeapSummaries,
    PacerEnds,
    PacerEndsBefore118,
    PacerStarts,
    Scavenges,
    StopTheWorldFields,
    Sweeps,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseWarning:
    """A warning about a log, with its line."""

    kind: str  # "broken gc line", "reassembled gc line", "gap in numbering", "other process", ...
    line_number: int  # from 1; 0 is the file as a whole
    text: str  # the text of the line, shortened, or an explanation

    def __str__(self) -> str:
        where = f"line {self.line_number}: " if self.line_number else ""
        return f"{where}{self.kind}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FromMetrics:
    """How the cycles of a trace were computed from metrics."""

    scrapes: int
    has_cpu: bool  # the metrics show GC CPU
    has_live: bool  # the metrics show heapMarked; otherwise it is solved from the heap goal
    accounts: HeapAccounts | None = None  # of the runtime's memory at the scrapes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """The log of one process. Equality compares the process's log, not other properties of the file.

    ``generation`` is the format of its gc lines, named by the first Go version that printed it: "1.2",
    "1.3", "1.4", "1.5beta", "1.5", "1.6" (to 1.17) or "1.18" (to 1.27).
    """

    generation: str
    cycles: CycleTable
    periodic: BoolArray  # cycles that the two-minute timer forced (with a "GC forced" line)
    leak_check: BoolArray  # cycles that searched for leaked goroutines, Go 1.26+
    older: StopTheWorldFields | FivePhaseFields | None = None  # rows as in cycles; None from Go 1.6 on
    pacer_starts: PacerStarts = field(default_factory=lambda: PacerStarts.build(0, {}))
    pacer_ends: PacerEnds = field(default_factory=lambda: PacerEnds.build(0, {}))
    pacer_ends_before_118: PacerEndsBefore118 = field(default_factory=lambda: PacerEndsBefore118.build(0, {}))
    sweeps: Sweeps = field(default_factory=lambda: Sweeps.build(0, {}))
    scavenges: Scavenges = field(default_factory=lambda: Scavenges.build(0, {}))
    heap_summaries: HeapSummaries = field(default_factory=lambda: HeapSummaries.build(0, {}))
    # properties of the file, which all its processes share
    line_numbers: Int64Array = field(default_factory=lambda: np.empty(0, np.int64))  # of the cycles
    parse_warnings: tuple[ParseWarning, ...] = ()
    foreign_line_numbers: Int64Array = field(default_factory=lambda: np.empty(0, np.int64))
    gc_lines_in_log: int = 0  # read gc lines of all processes, with copies
    repeated_gc_lines_in_log: int = 0  # copies of earlier lines
    processes_in_log: int = 1
    info: CaptureInfo | None = None  # from the side file that `gcsim capture` writes
    metrics: FromMetrics | None = None  # None for a log

    def __post_init__(self) -> None:
        if self.generation not in CYCLES:
            raise ValueError(f"generation must be one of {', '.join(CYCLES)}, got {self.generation!r}")
        expected = _OLDER.get(self.generation, type(None))
        if not isinstance(self.older, expected):
            raise TypeError(f"a trace of Go {self.generation} needs older: {expected.__name__}")
        rows = {len(self.cycles), len(self.periodic), len(self.leak_check)}
        rows |= {len(self.older)} if self.older is not None else set()
        if len(rows) != 1:
            raise ValueError(f"per-cycle columns must be of one length, got {sorted(rows)}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Trace):
            return NotImplemented
        logged = [f.name for f in fields(self) if f.name not in _ABOUT_THE_FILE]
        return all(_same(getattr(self, name), getattr(other, name)) for name in logged)

    __hash__ = None  # type: ignore[assignment]  # arrays are not hashable, and equality is by value

    @property
    def log_counts(self) -> str:
        """The numbers of gc lines and of processes in the whole log, as a part of a sentence."""
        lines, copies, processes = self.gc_lines_in_log, self.repeated_gc_lines_in_log, self.processes_in_log
        repeated = f" ({copies} of them copies)" if copies else ""
        return f"{lines} gc line{'s' * (lines != 1)}{repeated} read, in {processes} process{'es' * (processes != 1)}"

    @property
    def parse_warning_counts(self) -> dict[str, int]:
        """The number of warnings of each kind, with foreign lines and all copies of lines."""
        counts = Counter(warning.kind for warning in self.parse_warnings)
        if self.repeated_gc_lines_in_log:
            counts["repeated gc line"] = self.repeated_gc_lines_in_log
        if len(self.foreign_line_numbers):
            counts["foreign line"] = len(self.foreign_line_numbers)
        return dict(counts)


_OLDER: dict[str, type[Columns]] = {
    "1.2": StopTheWorldFields,
    "1.3": StopTheWorldFields,
    "1.4": StopTheWorldFields,
    "1.5beta": FivePhaseFields,
    "1.5": FivePhaseFields,
}
_ABOUT_THE_FILE = {
    "line_numbers",
    "parse_warnings",
    "foreign_line_numbers",
    "gc_lines_in_log",
    "repeated_gc_lines_in_log",
    "processes_in_log",
    "info",
    "metrics",
}


def _same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return np.array_equal(a, b)
    return bool(a == b)
