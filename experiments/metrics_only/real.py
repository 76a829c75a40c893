"""Calibrates each captured program from its log and from its real scrapes, and compares predictions at other settings.

python -m experiments.metrics_only.real            # writes real.csv; a minute of CPU
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from experiments.archive import unpacked
from experiments.metrics_only.programs import SUBJECTS, Subject, stem
from experiments.metrics_only.study import errors_at, write_results
from gcsim.calibration.calibrate import calibrate
from gcsim.calibration.metrics.trace import trace_of_metrics
from gcsim.gctrace import read_gctrace
from gcsim.scrapes.files import read_series
from gcsim.scrapes.series import Series
from gcsim.service.model import Model

CAPTURES = Path(__file__).parent / "captures"
RESULTS = Path(__file__).parent / "real.csv"
_DEFAULT = (
    "go_gc_duration_",
    "go_memstats_",
    "go_gc_gogc_",
    "go_gc_gomemlimit_",
    "go_sched_gomaxprocs_",
    "process_",
)


def models_of(subject: Subject, folder: Path) -> Iterator[tuple[str, Model]]:
    """(source, model): the log, all metrics of the client, and those of its default collectors."""
    first = folder / stem(subject, *subject.settings[0])
    yield "log", calibrate(read_gctrace(f"{first}.log.gz"), name=subject.program).model
    series = read_series([Path(f"{first}.range.json")])
    for name, one in (("all metrics", series), ("default metrics", default_metrics(series))):
        yield name, calibrate(trace_of_metrics(one), name=subject.program).model


def default_metrics(series: Series) -> Series:
    """The series without those that the client makes of runtime/metrics only if it is asked to."""
    kept = {name: column for name, column in series.columns.items() if name.startswith(_DEFAULT)}
    return replace(series, columns=kept, pauses=tuple({} for _ in series.pauses))


def rows(folder: Path) -> Iterator[dict[str, object]]:
    """The errors of all programs at all settings."""
    for subject in SUBJECTS:
        if not all((folder / f"{stem(subject, *one)}.log.gz").exists() for one in subject.settings):
            print(f"{subject.program}: not captured", file=sys.stderr)
            continue
        models = dict(models_of(subject, folder))
        for gogc, limit in subject.settings[1:]:
            target = read_gctrace(folder / f"{stem(subject, gogc, limit)}.log.gz")
            setting = f"GOGC={gogc}" if limit == "off" else f"limit {limit}"
            yield from errors_at(
                target, models, load=subject.program, held_out=subject.held_out, setting=setting
            )


def main() -> int:
    """The command."""
    write_results(RESULTS, rows(unpacked(CAPTURES)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
