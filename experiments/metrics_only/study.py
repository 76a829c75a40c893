"""Calibrates each program from its log and from metrics alone, and compares predictions at other settings.

python -m experiments.metrics_only.study            # writes results.csv; minutes of CPU
python -m experiments.metrics_only.page [--check]   # docs/explanation/accuracy-metrics.md from results.csv
"""

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from experiments.metrics_only.computed import computed_series
from experiments.validation.matrix import CAPTURES, LOADS, MAIN_GO, MAIN_PROCS, Load
from gcsim.calibration.calibrate import calibrate
from gcsim.calibration.metrics.trace import trace_of_metrics
from gcsim.calibration.validation import validate
from gcsim.errors import InputError
from gcsim.gctrace import Trace, read_gctrace
from gcsim.service.model import Model

RESULTS = Path(__file__).parent / "results.csv"
METRICS = ("heap_peak_bytes", "gc_rate_hz", "gc_cpu_fraction", "rss_peak_bytes")
EVERY_SECONDS = 1.0  # the runs last ten seconds; ten scrapes
FIELDS = ("load", "held_out", "setting", "source", "metric", "error", "inside")
_REPLICAS = 8
_SETTINGS = (1, 3, 2, 5)  # of a load: GOGC=50, 200, 400, and GOGC=off under the moderate limit


def sources(trace: Trace) -> Iterator[tuple[str, Model]]:
    """(source, model): the log, all metrics of the client, and those of its default collectors."""
    yield "log", calibrate(trace, name="run").model
    for name, all_metrics in (("all metrics", True), ("default metrics", False)):
        series = computed_series(trace, every_seconds=EVERY_SECONDS, runtime_metrics=all_metrics)
        try:
            yield name, calibrate(trace_of_metrics(series), name="run").model
        except InputError as error:
            print(f"  {name}: {error}", file=sys.stderr)


def rows_of(load: Load) -> Iterator[dict[str, object]]:
    """The errors of one load."""
    trace = _trace(load, 0)
    models = dict(sources(trace))
    for place in _SETTINGS:
        try:
            target = _trace(load, place)
        except InputError as error:  # a setting at which the program was not captured
            print(f"  {error}", file=sys.stderr)
            continue
        gogc, limit = load.settings[place]
        setting = f"GOGC={gogc}" if limit is None else f"limit {limit} MiB"
        yield from errors_at(target, models, load=load.label, held_out=not load.design, setting=setting)


def errors_at(
    target: Trace, models: Mapping[str, Model], *, load: str, held_out: bool, setting: str
) -> Iterator[dict[str, object]]:
    """The error of each metric that each source's model predicts for a run; one row of a file of results each."""
    assert target.info is not None
    for source, model in models.items():
        found = validate(model, target, target.info.settings, replicas=_REPLICAS, seed=1)
        for one in found.comparisons:
            if one.name in METRICS:
                yield {
                    "load": load, "held_out": int(held_out), "setting": setting, "source": source,
                    "metric": one.name, "error": f"{one.error:.5f}", "inside": int(one.inside),
                }  # fmt: skip


def write_results(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Writes a file of results."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_results(path: Path) -> list[dict[str, str]]:
    """The rows of a file of results."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _trace(load: Load, place: int) -> Trace:
    gogc, limit = load.settings[place]
    stem = f"{load.label}-go{MAIN_GO}-gogc{'off' if gogc is None else gogc}"
    name = f"{stem}-limit{'off' if limit is None else f'{limit}MiB'}-p{MAIN_PROCS}-r1.log.gz"
    return read_gctrace(CAPTURES / name)


def main() -> int:
    """The command."""
    write_results(RESULTS, _all_rows())
    return 0


def _all_rows() -> Iterator[dict[str, object]]:
    for load in LOADS:
        print(load.label, file=sys.stderr)
        try:
            yield from rows_of(load)
        except InputError as error:
            print(f"  {load.label}: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
