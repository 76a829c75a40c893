"""One log under diagnosis, with the figures that the rules share."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from gcsim.arrays import BoolArray, FloatArray
from gcsim.calibration.checks.stalls import Stalls, find_stalls
from gcsim.calibration.evidence import Evidence
from gcsim.calibration.log_case import LogCase, case_of
from gcsim.calibration.memory.readings.reading import Reading
from gcsim.calibration.settings.log_settings import Overrides, log_settings
from gcsim.capture.cpu_quota import CpuQuota
from gcsim.capture.info import CaptureInfo
from gcsim.cycles import NOT_LOGGED
from gcsim.diagnosis.records import Sign, Unit
from gcsim.diagnosis.thresholds import COARSE_CLOCK_SHARE, CROWDED_CPU, TWO_GOGC, WAITING_SHARE
from gcsim.gctrace.source import source_name
from gcsim.gctrace.trace import Trace
from gcsim.metrics import cycle_metrics
from gcsim.settings import Settings
from gcsim.units import MIB, format_gogc

_LATE = 0.5  # of the time of the log


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One log with its settings, its readings of memory and the container that the user states."""

    name: str
    case: LogCase
    readings: tuple[Reading, ...] = ()
    stated_memory_bytes: int | None = None
    stated_cpus: float | None = None
    throttling: CpuQuota | None = None  # counts of a cpu.stat
    metrics: dict[str, float] = field(default_factory=dict)  # of the working window; empty for one cycle

    @classmethod
    def of(
        cls,
        name: str,
        trace: Trace,
        stated: Overrides,
        *,
        readings: Sequence[Reading] = (),
        memory_bytes: int | None = None,
        cpus: float | None = None,
        throttling: CpuQuota | None = None,
    ) -> "Subject":
        """The subject of a log with at least one cycle."""
        case = case_of(trace, log_settings(trace, stated))
        rows = trace.cycles.select(case.window)
        return cls(
            name=source_name(name),
            case=case,
            readings=tuple(readings),
            stated_memory_bytes=memory_bytes,
            stated_cpus=cpus,
            throttling=throttling,
            metrics=cycle_metrics(rows) if len(rows) >= 2 else {},
        )

    @property
    def trace(self) -> Trace:
        """The log of the process."""
        return self.case.trace

    @property
    def info(self) -> CaptureInfo | None:
        """The side file of the capture."""
        return self.trace.info

    @property
    def settings(self) -> Settings:
        """The settings of the log, stated, captured, inferred or assumed."""
        return self.case.log.settings

    @property
    def window(self) -> Evidence:
        """The cycles of the working window."""
        return self.case.evidence

    @property
    def seconds(self) -> float:
        """Time from the first cycle of the window to its last."""
        return self.case.seconds

    @cached_property
    def whole_seconds(self) -> float:
        """Time from the first cycle of the log to its last."""
        started = self.case.printed.start_seconds
        return float(started[-1] - started[0])

    @property
    def limit_is_known(self) -> bool:
        """Whether GOMEMLIMIT, or its absence, is stated or captured."""
        return self.case.log.origins.gomemlimit in ("stated", "captured")

    @property
    def memory_bytes(self) -> int | None:
        """The memory of the container: as stated, else the limit of the captured cgroup."""
        if self.stated_memory_bytes is not None:
            return self.stated_memory_bytes
        cgroup = None if self.info is None else self.info.cgroup
        return None if cgroup is None else cgroup.limit_bytes

    @property
    def is_crowded(self) -> bool:
        """Whether other processes used much of the CPU during the capture."""
        foreign = None if self.info is None else self.info.foreign_cpu_fraction
        return foreign is not None and foreign >= CROWDED_CPU

    @property
    def has_times(self) -> bool:
        """Whether the log prints the time of each cycle (Go 1.5 and later)."""
        return self.trace.older is None or self.trace.generation in ("1.5beta", "1.5")

    @property
    def gogc_text(self) -> str:
        """GOGC as a part of a sentence; an assumed value says so."""
        mark = " (assumed)" if self.case.log.origins.gogc == "assumed" else ""
        return f"GOGC={format_gogc(self.settings.gogc)}{mark}"

    @property
    def has_cpu(self) -> bool:
        """Whether the log prints CPU times of marking (Go 1.5 and later)."""
        return bool((self.trace.cycles.background_cpu_ns != NOT_LOGGED).any())

    @cached_property
    def clock_is_coarse(self) -> bool:
        """Whether most mark phases print 0, as with the clock of Windows."""
        mark = self.trace.cycles.mark_ns
        return self.has_times and bool(mark.size) and float((mark == 0).mean()) > COARSE_CLOCK_SHARE

    def metric(self, name: str) -> float:
        """A metric of the window; NaN if the log has too few cycles for it."""
        return self.metrics.get(name, math.nan)

    @property
    def gc_cpu(self) -> float:
        """GC CPU over all CPU; NaN if the log does not show it."""
        return self.metric("gc_cpu_fraction") if self.has_cpu else math.nan

    @cached_property
    def late_gc_cpu(self) -> float:
        """GC CPU in the second half of the window's time; NaN if the log does not show it."""
        rows = self.trace.cycles.select(self.case.window)
        late = rows.select(self.late)
        if not self.has_cpu or len(late) < 3:
            return self.gc_cpu
        return cycle_metrics(late)["gc_cpu_fraction"]

    @cached_property
    def gc_of_used_cpu(self) -> float:
        """GC CPU over the CPU that the process used; NaN without a capture."""
        info = self.info
        if info is None or not info.cpu_seconds or not info.wall_seconds or math.isnan(self.gc_cpu):
            return math.nan
        idle = self.metric("gc_idle_cpu_fraction")
        used = info.cpu_seconds / info.wall_seconds / max(self.settings.gomaxprocs, 1)
        return min((self.gc_cpu + idle) / max(used, 1e-9), 1.0)

    @property
    def gc_waits_for_cpu(self) -> bool:
        """Whether other processes used much of the CPU, and gctrace counts more GC CPU than the process used."""
        return self.is_crowded and self.gc_of_used_cpu >= WAITING_SHARE

    @cached_property
    def late(self) -> BoolArray:
        """The rows of the window in the second half of its time, shape (n,)."""
        started = self.window.start_seconds
        middle = started[0] + _LATE * (started[-1] - started[0]) if started.size else 0.0
        return np.asarray(started >= middle, dtype=np.bool_)

    @cached_property
    def live_bytes(self) -> float:
        """The median live heap of the late cycles."""
        return float(np.median(self.window.live_bytes[self.late]))

    @cached_property
    def heap_peak_bytes(self) -> float:
        """The highest heap of the log."""
        return float(self.case.printed.heap_end_bytes.max())

    @cached_property
    def stack_bytes(self) -> float:
        """The largest scanned stacks of the log; 0 if it prints none."""
        return float(max(self.trace.cycles.stack_bytes.max(), 0))

    @cached_property
    def stalls(self) -> Stalls:
        """Signs that the process was kept off the CPU."""
        return find_stalls(self.case.printed)

    @cached_property
    def goal_below_live(self) -> BoolArray:
        """Whether a cycle's goal is not above heapMarked of the cycle before; window rows, shape (n,).

        GOGC alone sets every goal above heapMarked; only a memory limit sets a goal as low as this.
        """
        evidence = self.window
        found = np.zeros(len(evidence), dtype=np.bool_)
        goals, marked = evidence.heap_goal_bytes[1:], evidence.heap_marked_bytes[:-1]
        room = np.where(evidence.exact[1:], 0.0, MIB)  # both are cut to whole MiB
        if not self.limit_is_known:  # a GOGC of 1 or 2 sets such goals of small heaps
            room = np.where(TWO_GOGC * marked > MIB, room, -MIB)
        low = (goals < marked + room) & evidence.follows & (goals > 0) & (marked > 8.0 * MIB)
        if self.trace.generation == "1.18":
            found[1:] = low
        return found

    @cached_property
    def room(self) -> FloatArray:
        """Goal less heapMarked of the cycle before, over heapMarked; window rows without the first."""
        evidence = self.window
        marked = np.maximum(evidence.heap_marked_bytes[:-1], MIB)
        return np.asarray((evidence.heap_goal_bytes[1:] - marked) / marked, dtype=np.float64)

    def row(self, place: int) -> int:
        """The row in the trace of a row of the window."""
        return (self.case.window.start or 0) + place

    def sign(
        self, text: str, *, row: int | None = None, value: float | None = None, unit: Unit | None = None
    ) -> Sign:
        """A sign in this log; ``row`` is a row of the trace, whose line is named."""
        lines = self.trace.line_numbers
        line = int(lines[row]) if row is not None and len(lines) > row else None
        if row is not None:
            text = f"gc {self.trace.cycles.cycle_number[row]}: {text}"
        return Sign(text=text, source=self.name, line=line, value=value, unit=unit)

    def side_sign(self, text: str, *, value: float | None = None, unit: Unit | None = None) -> Sign:
        """A sign in the side file of this log."""
        return Sign(text=text, source=f"{self.name}.meta.json", value=value, unit=unit)
