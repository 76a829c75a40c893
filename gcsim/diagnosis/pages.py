"""Pages with the numbers of a Go process at one moment: MemStats, /debug/vars, Prometheus."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from gcsim.calibration.memory.readings.reading import Reading

_NUMBER = r"([0-9.eE+-]{1,30})"
_PROMETHEUS = {
    "goroutines": re.compile(rf"^go_goroutines(?:\{{[^}}]*\}})?[ \t]+{_NUMBER}", re.MULTILINE),
    "gc_cpu": re.compile(rf"^go_memstats_gc_cpu_fraction(?:\{{[^}}]*\}})?[ \t]+{_NUMBER}", re.MULTILINE),
}
_TEXT_GC_CPU = re.compile(rf"^# GCCPUFraction = {_NUMBER}", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A reading, and the numbers of the same page that calibration does not use."""

    reading: Reading
    goroutines: int | None = None
    gc_cpu: float | None = None  # GCCPUFraction: since the program's start
    collections: int | None = None  # NumGC: orders two pages of one process

    @property
    def source(self) -> str:
        """The file."""
        return self.reading.origin


def page_of(reading: Reading, text: str) -> Page:
    """The page of a text whose reading is known."""
    if text.lstrip().startswith("{"):
        return _of_json(reading, text)
    goroutines = _value(_PROMETHEUS["goroutines"], text)
    gc_cpu = _value(_PROMETHEUS["gc_cpu"], text)
    return Page(
        reading=reading,
        goroutines=None if goroutines is None or not 0 <= goroutines < 1e9 else int(goroutines),
        gc_cpu=_share(_value(_TEXT_GC_CPU, text) if gc_cpu is None else gc_cpu),
    )


def _of_json(reading: Reading, text: str) -> Page:
    document = json.loads(text)
    inner = document.get("memstats", document)
    stats: Mapping[str, object] = inner if isinstance(inner, Mapping) else {}
    goroutines = next(
        (document[name] for name in ("NumGoroutine", "goroutines", "Goroutines") if name in document), None
    )
    count, gc_cpu = stats.get("NumGC"), stats.get("GCCPUFraction")
    return Page(
        reading=reading,
        goroutines=goroutines if type(goroutines) is int and 0 <= goroutines < 1_000_000_000 else None,
        gc_cpu=_share(float(gc_cpu)) if isinstance(gc_cpu, (int, float)) else None,
        collections=count if type(count) is int and count >= 0 else None,
    )


def _value(pattern: re.Pattern[str], text: str) -> float | None:
    found = pattern.search(text)
    try:
        return None if found is None else float(found[1])
    except ValueError:
        return None


def _share(value: float | None) -> float | None:
    return value if value is not None and 0.0 <= value <= 1.0 else None
