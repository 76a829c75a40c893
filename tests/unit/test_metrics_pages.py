"""Pages of runtime/metrics and Prometheus as evidence of ``gcsim diagnose``."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evidence_files import diagnosed

from gcsim.calibration.settings.log_settings import Overrides
from gcsim.calibration.source import read_source
from gcsim.diagnosis.evidence import diagnose_files
from gcsim.errors import InputError
from gcsim.units import MIB


def runtime_metrics(**changed: Any) -> dict[str, Any]:
    """All that a program prints of runtime/metrics on Go 1.27, with some values changed; names without their ends."""
    fields = {
        "/memory/classes/total:bytes": 320 * MIB, "/memory/classes/heap/objects:bytes": 150 * MIB,
        "/memory/classes/heap/unused:bytes": 50 * MIB, "/memory/classes/heap/free:bytes": 10 * MIB,
        "/memory/classes/heap/released:bytes": 90 * MIB, "/gc/heap/goal:bytes": 200 * MIB,
        "/gc/cycles/total:gc-cycles": 5, "/sched/goroutines:goroutines": 20,
        "/cpu/classes/gc/total:cpu-seconds": 1.5, "/cpu/classes/gc/mark/idle:cpu-seconds": 0.5,
        "/cpu/classes/total:cpu-seconds": 100.0,
        "/gc/finalizers/queued:finalizers": 5000, "/gc/finalizers/executed:finalizers": 5000,
        "/gc/cleanups/queued:cleanups": 0, "/gc/cleanups/executed:cleanups": 0,
    }  # fmt: skip
    short = {name.split(":")[0].removeprefix("/").replace("/", "_"): name for name in fields}
    return fields | {short[name]: value for name, value in changed.items()}


@pytest.mark.parametrize("form", ["flat", "inside", "list"])
def test_pages_of_runtime_metrics(form: str, tmp_path: Path) -> None:
    """The same findings as of MemStats, in each form that programs print; a usual page gives nothing."""

    def page(**changed: Any) -> str:
        found = runtime_metrics(**changed)
        forms: dict[str, Any] = {
            "flat": found,
            "inside": {"cmdline": ["app"], "metrics": found},
            "list": [{"Name": name, "Value": value} for name, value in found.items()],
        }
        return json.dumps(forms[form])

    assert diagnosed(tmp_path, a=page()).causes == ()
    cases = {
        "fragmentation": [page(memory_classes_heap_objects=20 * MIB, memory_classes_heap_unused=180 * MIB,
                               gc_heap_goal=40 * MIB)],
        "memory-not-returned": [page(memory_classes_total=720 * MIB, memory_classes_heap_free=400 * MIB)],
        "gc-cpu-high": [page(cpu_classes_gc_total=40.0)],
        "finalizer-backlog": [page(), page(gc_finalizers_queued=8000, gc_finalizers_executed=5300)],
        "finalizer-blocked": [page(), page(gc_finalizers_queued=8000)],
        "goroutine-leak": [page(), page(sched_goroutines=2000)],
    }  # fmt: skip
    for name, pages in cases.items():
        files = {f"{name}{number}": content for number, content in enumerate(pages)}
        assert name in [one.name for one in diagnosed(tmp_path, **files).causes]


def test_a_queue_that_keeps_up_is_no_backlog(tmp_path: Path) -> None:
    """A cycle queues many finalizers at once; nearly all have run by the second page."""
    pages = [
        json.dumps(runtime_metrics(gc_finalizers_queued=queued, gc_finalizers_executed=queued - waiting))
        for queued, waiting in ((5000, 0), (90_000, 2000))
    ]
    assert diagnosed(tmp_path, a=pages[0], b=pages[1]).causes == ()
    assert diagnosed(tmp_path, b=pages[1]).causes == ()
    alone = json.dumps(runtime_metrics(gc_finalizers_queued=9000, gc_finalizers_executed=2000))
    (cause,) = diagnosed(tmp_path, c=alone).causes
    assert (cause.name, cause.severity) == ("finalizer-backlog", "worth knowing")


def test_finalizers_on_a_page_of_prometheus(tmp_path: Path) -> None:
    """The names of the client with its runtime metrics."""
    for number, (queued, executed) in enumerate(((1000, 1000), (9000, 1400))):
        (tmp_path / f"{number}.txt").write_text(
            f"# TYPE go_gc_cycles_total_gc_cycles_total counter\ngo_gc_cycles_total_gc_cycles_total {number + 5}\n"
            f"go_gc_cleanups_queued_cleanups_total {queued}\ngo_gc_cleanups_executed_cleanups_total {executed}\n"
            "process_resident_memory_bytes 3e8\n"
        )
    files = [str(tmp_path / name) for name in ("1.txt", "0.txt")]  # the number of cycles orders them
    (cause,) = diagnose_files(files, stated=Overrides())[0].causes
    assert cause.name == "finalizer-backlog"
    assert "8,000 cleanups were queued between the two pages and 400 ran; 7,600 wait" in cause.sentence


def lines_of_json(*, live_mib: float, time: bool = True) -> str:
    """A minute of a service that prints runtime/metrics each 5 s: 2 collections a second, live heap as given."""
    return "".join(
        json.dumps(
            ({"time": f"2026-11-30T12:00:{5 * n:02d}Z"} if time else {})
            | {
                "/gc/cycles/total:gc-cycles": 10 * n, "/gc/heap/allocs:bytes": int(10 * n * live_mib * MIB),
                "/gc/heap/goal:bytes": int(2 * live_mib * MIB), "/gc/heap/live:bytes": int(live_mib * MIB),
                "/cpu/classes/gc/mark/assist:cpu-seconds": 0.01 * n,
                "/cpu/classes/gc/mark/dedicated:cpu-seconds": 0.2 * n, "/cpu/classes/gc/mark/idle:cpu-seconds": 0.0,
                "/cpu/classes/gc/total:cpu-seconds": 0.21 * n, "/cpu/classes/total:cpu-seconds": 10.0 * n,
                "/gc/gogc:percent": 100, "/gc/gomemlimit:bytes": 2**63 - 1, "/sched/gomaxprocs:threads": 2,
            }
        )
        + "\n"
        for n in range(12)
    )  # fmt: skip


def test_lines_of_json_are_metrics_over_time(tmp_path: Path) -> None:
    """calibrate and diagnose read them; without a time, the sentence names the line."""
    path = tmp_path / "metrics.jsonl"
    path.write_text(lines_of_json(live_mib=60.0))
    trace = read_source(str(path))
    assert len(trace.cycles) == 110
    assert np.median(trace.cycles.heap_marked_bytes) == 60 * MIB
    found, logs = diagnose_files([str(path)], stated=Overrides(go="1.27"))
    assert list(logs) == [str(path)]
    assert found.causes[-1].name == "gc-not-the-problem"
    path.write_text(lines_of_json(live_mib=60.0, time=False))
    with pytest.raises(InputError, match=r"metrics.jsonl:1: has no time"):
        diagnose_files([str(path)], stated=Overrides())
