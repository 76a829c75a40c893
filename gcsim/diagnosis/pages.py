"""Pages with the numbers of a Go process at one moment: MemStats, /debug/vars, runtime/metrics, Prometheus."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gcsim.calibration.memory.readings.reading import Reading
from gcsim.scrapes.exposition import read_exposition
from gcsim.scrapes.json_pages import memstats_in_text, parsed, read_json_page
from gcsim.scrapes.sample import GOROUTINES, QUEUES, Sample
from gcsim.scrapes.series import COLLECTIONS

_GC_CPU, _IDLE_CPU, _ALL_CPU = (
    f"go_cpu_classes_{name}_cpu_seconds_total" for name in ("gc_total", "gc_mark_idle", "total")
)
_MOST = 1e15  # a number beyond it is no count


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Functions that the runtime runs for unreachable objects, since the start of the process."""

    queued: int
    executed: int

    @property
    def length(self) -> int:
        """The number of functions that wait."""
        return self.queued - self.executed


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A reading, and the numbers of the same page that calibration does not use."""

    reading: Reading
    goroutines: int | None = None
    gc_cpu: float | None = None  # share of all CPU since the program's start, without idle marking
    collections: int | None = None  # orders two pages of one process
    queues: Mapping[str, Queue] = field(default_factory=dict)  # "finalizers", "cleanups", from Go 1.26 on

    @property
    def source(self) -> str:
        """The file."""
        return self.reading.origin


def page_of(reading: Reading, text: str) -> Page:
    """The page of a text whose reading is known. Raises InputError for damaged JSON."""
    sample = _sample(text, reading.origin)
    return Page(
        reading=reading,
        goroutines=_count(sample.first_of(*GOROUTINES)),
        gc_cpu=_gc_cpu(sample),
        collections=_count(sample.first_of(*COLLECTIONS)),
        queues=dict(_queues(sample)),
    )


def _sample(text: str, origin: str) -> Sample:
    if text.lstrip()[:1] in ("{", "["):
        return read_json_page(parsed(text, origin), origin) or Sample(source=origin)
    if "# runtime.MemStats" in text:
        return memstats_in_text(text, origin)
    return read_exposition(text, origin)


def _gc_cpu(sample: Sample) -> float | None:
    share = sample.first_of("go_memstats_gc_cpu_fraction")
    if share is None and {_GC_CPU, _ALL_CPU} <= sample.values.keys():
        used = sample.values[_GC_CPU] - sample.values.get(_IDLE_CPU, 0.0)
        share = used / max(sample.values[_ALL_CPU], 1e-9)
    return share if share is not None and 0.0 <= share <= 1.0 else None


def _queues(sample: Sample) -> Iterator[tuple[str, Queue]]:
    for name, (queued, executed) in QUEUES.items():
        counts = _count(sample.first_of(queued)), _count(sample.first_of(executed))
        if counts[0] is not None and counts[1] is not None and counts[0] >= counts[1]:
            yield name, Queue(queued=counts[0], executed=counts[1])


def _count(value: float | None) -> int | None:
    return int(value) if value is not None and 0 <= value < _MOST else None
