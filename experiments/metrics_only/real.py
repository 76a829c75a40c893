"""Predictions from real scrapes, next to those from the log of the same run; see ``capture``."""

from collections.abc import Iterator
from pathlib import Path

from experiments.archive import unpacked
from experiments.metrics_only.programs import SUBJECTS, Subject, stem
from gcsim.calibration.calibrate import calibrate
from gcsim.calibration.source import read_source
from gcsim.calibration.validation import validate
from gcsim.gctrace import Trace, read_gctrace

CAPTURES = Path(__file__).parent / "captures"
_METRICS = {
    "heap_peak_bytes": "heap peak",
    "gc_rate_hz": "cycle rate",
    "gc_cpu_fraction": "GC CPU",
    "rss_peak_bytes": "RSS",
}
_REPLICAS = 8


def real_table() -> Iterator[str]:
    """The table of all captured programs."""
    yield f"| program | run | CPU of other processes | calibrated from | {' | '.join(_METRICS.values())} |"
    yield "|---|---|---|---|" + "---|" * len(_METRICS)
    for subject in SUBJECTS:
        if (CAPTURES / f"{subject.program}.tar.xz").exists():
            yield from _rows(subject, unpacked(CAPTURES))


def _rows(subject: Subject, folder: Path) -> Iterator[str]:
    first = stem(subject, *subject.settings[0])
    traces = {
        "log": read_gctrace(folder / f"{first}.log.gz"),
        "scrapes": read_source(str(folder / f"{first}.range.json")),
    }
    models = {source: calibrate(trace, name=subject.program).model for source, trace in traces.items()}
    for gogc, limit in subject.settings[1:]:
        target: Trace = read_gctrace(folder / f"{stem(subject, gogc, limit)}.log.gz")
        assert target.info is not None
        setting = f"GOGC={gogc}" if limit == "off" else f"GOGC={gogc}, limit {limit}"
        for source, model in models.items():
            found = validate(model, target, target.info.settings, replicas=_REPLICAS, seed=1)
            errors = {one.name: f"{100 * one.error:+.0f} %" for one in found.comparisons}
            cells = " | ".join(errors.get(name, "—") for name in _METRICS)
            busy = f"{100 * (target.info.foreign_cpu_fraction or 0.0):.0f} %"
            yield f"| `{subject.program}` | {setting} | {busy} | {source} | {cells} |"
