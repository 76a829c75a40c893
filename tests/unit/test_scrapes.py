"""The readers of metrics over time, on pages of a real Go program (experiments/metrics_only/example)."""

import gzip
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.metrics_only.range_query import range_query
from gcsim.errors import InputError
from gcsim.scrapes.exposition import read_exposition
from gcsim.scrapes.files import is_metrics, processes_in, read_series
from gcsim.scrapes.json_pages import memstats_in_text, read_json_page
from gcsim.scrapes.sample import metric_of

EXAMPLE = Path(__file__).parents[2] / "experiments/metrics_only/example"
COUNT = "go_gc_duration_seconds_count"


def answer(*processes: str) -> dict[str, Any]:
    """The answer of a range query about the example, once for each name of an instance."""
    scrapes = sorted((EXAMPLE / "metrics").iterdir())
    document: dict[str, Any] = json.loads(range_query(EXAMPLE, scrapes))
    document["data"]["result"] = [
        {**one, "metric": {**one["metric"], "instance": name}}
        for name in processes
        for one in document["data"]["result"]
    ]
    return document


def saved(folder: Path, document: object, name: str = "range.json") -> Path:
    """A JSON file."""
    path = folder / name
    path.write_text(json.dumps(document))
    return path


def test_a_folder_of_a_capture() -> None:
    """Times are those of the manifest, and the pages of one moment are one sample."""
    assert is_metrics(EXAMPLE)
    found = read_series([EXAMPLE])
    assert len(found) == 5
    assert np.diff(found.seconds) == pytest.approx([10.0] * 4, abs=0.1)
    assert found.go_version == "go1.27.3"
    assert found.columns["go_memstats_gc_cpu_fraction"].shape == (5,)  # of the expvar page
    assert found.columns["process_resident_memory_bytes"].min() > 1 << 20  # of the metrics page
    assert max(found.pauses[-1].values()) == 2 * found.columns[COUNT][-1]


@pytest.mark.parametrize("form", ["loose files", "packed", "range query", "expvar", "UTF-16"])
def test_every_form_gives_the_same_numbers(form: str, tmp_path: Path) -> None:
    """Loose scrapes with their file times, packed ones, the answer of a query, expvar pages."""
    whole = read_series([EXAMPLE])
    sources = [tmp_path / "pages"]
    sources[0].mkdir()
    pages = sorted((EXAMPLE / ("vars" if form == "expvar" else "metrics")).iterdir())
    for page, at in zip(pages, whole.seconds, strict=True):
        text = page.read_bytes()
        name = page.name
        if form == "packed":
            text, name = gzip.compress(text), f"{page.name}.gz"
        if form == "UTF-16":
            text = page.read_text().encode("utf-16")
        (sources[0] / name).write_bytes(text)
        os.utime(sources[0] / name, (at, at))
    if form == "range query":
        sources = [saved(tmp_path, answer("app:6060"))]
    elif form == "loose files":
        sources = sorted(sources[0].iterdir(), reverse=True)
    assert is_metrics(sources[0])
    found = read_series(sources)
    for name in (COUNT, "go_memstats_alloc_bytes_total", "go_memstats_next_gc_bytes"):
        # expvar pages were fetched some ms after the metrics
        assert found.columns[name] == pytest.approx(
            whole.columns[name], rel=0.02 if form == "expvar" else 1e-9
        )


def test_names_of_files_may_hold_the_time(tmp_path: Path) -> None:
    """Copied files lose their times; a name with seconds since 1970 keeps it."""
    for i, page in enumerate(sorted((EXAMPLE / "metrics").iterdir())):
        shutil.copy(page, tmp_path / f"metrics-{1_796_000_000 + 7 * i}.txt")
    assert np.diff(read_series([tmp_path]).seconds).tolist() == [7.0] * 4


def test_several_processes_in_one_answer(tmp_path: Path) -> None:
    """The sentence lists them, and --process chooses one."""
    path = saved(tmp_path, answer("a:1", "b:1", "c:1"))
    with pytest.raises(InputError, match=r"holds 3 processes \(1: instance=a:1, job=app; 2: .*--process N"):
        read_series([path])
    assert len(read_series([path], process=2)) == 5
    assert [labels for labels, _ in processes_in(path)] == [f"instance={x}:1, job=app" for x in "abc"]
    with pytest.raises(InputError, match="there is no process 4"):
        read_series([path], process=4)


def test_a_restart_leaves_the_longest_run(tmp_path: Path) -> None:
    """Counters that fall show that the process was started again."""
    document = answer("a:1")
    for one in document["data"]["result"]:
        if one["metric"]["__name__"] == COUNT:
            one["values"][0][1] = "100000"
    found = read_series([saved(tmp_path, document)])
    assert len(found) == 4
    assert "started again 1 time" in found.notes[0]


def matrix(result: object, **more: str) -> dict[str, object]:
    """An answer with a result."""
    return {"status": "success", **more, "data": {"resultType": "matrix", "result": result}}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (matrix([], status="error", error="too many samples"), "too many samples"),
        (matrix([]), "holds no go_"),
        (matrix([{"metric": {"job": "a"}, "values": [[1, "2"]]}]), "not rates"),
        (matrix(3), "no list of series"),
        (matrix([3]), "without its labels"),
    ],
)
def test_answers_without_the_series(document: object, reason: str, tmp_path: Path) -> None:
    """The sentence says which query to send."""
    with pytest.raises(InputError, match=reason):
        read_series([saved(tmp_path, document)])


def test_one_scrape_is_not_enough(tmp_path: Path) -> None:
    """Counters need two moments."""
    shutil.copy(EXAMPLE / "metrics/metrics-0000.txt", tmp_path)
    with pytest.raises(InputError, match="holds 1 sample of one process"):
        read_series([tmp_path])


def test_a_folder_without_metrics(tmp_path: Path) -> None:
    """A folder of other files is none of metrics."""
    (tmp_path / "a.txt").write_text("hello")
    assert not is_metrics(tmp_path)
    assert not is_metrics(tmp_path / "missing")


def test_exposition_with_everything_in_it() -> None:
    """Labels, time stamps, OpenMetrics, exemplars, NaN, and lines that are no metrics."""
    sample = read_exposition(
        "# HELP go_goroutines N\n# TYPE go_goroutines gauge\n"
        'go_goroutines{job="a",x="}"} 12 1700000000123\r\n'
        'go_info{version="go1.22.1 X:loopvar"} 1\n'
        'go_gc_duration_seconds{quantile="1"} 0.5\n'
        'go_gc_duration_seconds_count 7 # {trace_id="x"} 1\n'
        "go_memstats_next_gc_bytes NaN\n"
        "go_memstats_heap_alloc_bytes 1e+06\n"
        "go_gc_gogc_percent many\n"
        'go_gc_pauses_seconds_bucket{le="1e-05"} 3\n'
        'http_requests_total{path="go_goroutines 5"} 9\n# EOF\n',
        "page",
    )
    assert sample.values == {"go_goroutines": 12.0, COUNT: 7.0, "go_memstats_heap_alloc_bytes": 1e6}
    assert (sample.go_version, sample.seconds, sample.pauses) == ("go1.22.1", 1700000000.123, {1e-05: 3.0})


def test_runtime_metrics_as_json() -> None:
    """Names of runtime/metrics become those of the client; histograms keep their counts."""
    assert metric_of("/gc/heap/live:bytes") == "go_gc_heap_live_bytes"
    assert metric_of("/cpu/classes/gc/mark/assist:cpu-seconds") == "go_cpu_classes_gc_mark_assist_cpu_seconds"
    sample = read_json_page(
        {
            "/gc/heap/live:bytes": 5,
            "/cpu/classes/gc/total:cpu-seconds": 1.5,
            "/gc/cycles/total:gc-cycles": 9,
            "/sched/pauses/total/gc:seconds": {"Counts": [1, 2, 3], "Buckets": [0, 1e-6, 1e-5, None]},
            "/gc/gogc:percent": "100",
        },
        "metrics.json",
    )
    assert sample is not None
    assert sample.values == {
        "go_gc_heap_live_bytes": 5.0,
        "go_cpu_classes_gc_total_cpu_seconds_total": 1.5,
        "go_gc_cycles_total_gc_cycles_total": 9.0,
    }
    assert sample.pauses == {1e-6: 1.0, 1e-5: 3.0, float("inf"): 6.0}


def test_memstats_at_the_end_of_a_heap_profile() -> None:
    """The text form of /debug/pprof/heap ends with runtime.MemStats."""
    sample = memstats_in_text(
        "heap profile: 1: 2 [3: 4] @ heap/1048576\n\n# runtime.MemStats\n# Alloc = 1\n# TotalAlloc = 500\n"
        "# Stack = 262144 / 262144\n# NextGC = 4194304\n# LastGC = 1700000000000000000\n# NumGC = 3\n"
        "# GCCPUFraction = 0.25\n# PauseNs = [1 2]\n",
        "heap.txt",
    )
    assert sample.values["go_memstats_alloc_bytes_total"] == 500.0
    assert sample.values["go_memstats_stack_inuse_bytes"] == 262144.0
    assert sample.values["go_memstats_last_gc_time_seconds"] == 1.7e9
    assert sample.values["go_memstats_gc_cpu_fraction"] == 0.25


@pytest.mark.parametrize(
    "text", ['{"a":' * 100_000, '{"data":{"resultType":"matrix","result":[[[', '{"memstats": {"NextGC": 1']
)
def test_broken_json_is_one_sentence(text: str, tmp_path: Path) -> None:
    """Cut short, or nested too deeply."""
    path = tmp_path / "page.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"page\.json"):
        read_series([path, path] if "resultType" not in text else [path])


def test_large_files_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A bomb of gzip ends at the bound on its unpacked size."""
    monkeypatch.setattr("gcsim.scrapes.files.MOST_BYTES", 1 << 20)
    path = tmp_path / "metrics.txt.gz"
    path.write_bytes(gzip.compress(b"go_goroutines 1\n" * (1 << 17)))
    with pytest.raises(InputError, match="holds more than 1 MiB"):
        read_series([path])
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match="damaged or cut short"):
        read_series([path])
