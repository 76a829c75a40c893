"""pprof profiles and goroutine dumps as evidence of ``gcsim diagnose``."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from evidence_files import diagnosed

from gcsim.diagnosis.profiles.profile import read_profile
from gcsim.diagnosis.profiles.schema import profile_class
from gcsim.errors import InputError
from gcsim.units import MIB

HEAP = ("alloc_objects", "alloc_space", "inuse_objects", "inuse_space")
Stacks = dict[tuple[str, ...], tuple[int, ...]]


def profile(types: tuple[str, ...], stacks: Stacks, *, seconds: float = 0.0, duration: float = 0.0) -> bytes:
    """A packed profile; the leaf of a stack comes first."""
    message = profile_class()()
    table = [""]

    def text(one: str) -> int:
        if one not in table:
            table.append(one)
        return table.index(one)

    for name in types:
        message.sample_type.add(type=text(name), unit=text("count"))
    functions: dict[str, int] = {}
    for stack, values in stacks.items():
        for name in stack:
            if name not in functions:
                functions[name] = number = len(functions) + 1
                message.function.add(id=number, name=text(name), filename=text("/src/main.go"))
                message.location.add(id=number).line.add(function_id=number, line=10 * number)
        message.sample.add(location_id=[functions[name] for name in stack], value=values)
    message.time_nanos, message.duration_nanos = int(seconds * 1e9), int(duration * 1e9)
    message.string_table.extend(table)
    return gzip.compress(message.SerializeToString())


def test_two_heap_profiles_name_the_site_that_grows(tmp_path: Path) -> None:
    """Whatever the order on the command line, the time in the profiles counts."""
    old = profile(
        HEAP, {("main.cache", "main.run"): (9, 9, 1, 10 * MIB), ("main.other",): (9, 9, 1, MIB)}, seconds=1
    )
    new = profile(
        HEAP, {("main.cache", "main.run"): (9, 9, 1, 50 * MIB), ("main.other",): (9, 9, 1, MIB)}, seconds=61
    )
    for files in ({"a": old, "b": new}, {"b": new, "a": old}):
        cause = diagnosed(tmp_path, **files).causes[0]
        assert (cause.name, cause.severity) == ("heap-leak", "serious")
        assert "100 % of it was allocated at main.cache (main.go:10), called by main.run" in cause.sentence
        assert cause.signs[0].value == 40 * MIB


def test_a_profile_may_start_with_any_field(tmp_path: Path) -> None:
    """Go writes the period type (field 11) first."""
    stacks = {("main.newBuffer", "sync.(*Pool).Get", "main.handle"): (9, 900 * MIB, 0, 0)}
    content = b"\x5a\x04\x08\x05\x10\x02" + gzip.decompress(profile(HEAP, stacks))
    assert [one.name for one in diagnosed(tmp_path, allocs=content).causes] == ["pool-misses"]


def test_a_name_like_a_gc_line_stays_a_profile(tmp_path: Path) -> None:
    """The string table of a real profile held "gc", "2" and "@" in a row."""
    content = profile(HEAP, {("main.gc 2@", "sync.(*Pool).Get", "main.handle"): (9, 900 * MIB, 0, 0)})
    assert [one.name for one in diagnosed(tmp_path, allocs=content).causes] == ["pool-misses"]


def test_equal_heap_profiles_show_no_leak(tmp_path: Path) -> None:
    """Nor does a small rise."""
    old = profile(HEAP, {("main.cache",): (9, 9, 1, 50 * MIB)}, seconds=1)
    new = profile(HEAP, {("main.cache",): (9, 9, 1, 52 * MIB)}, seconds=61)
    assert [one.name for one in diagnosed(tmp_path, a=old, b=new).causes] == []


def test_a_pool_that_misses_names_its_user(tmp_path: Path) -> None:
    """Most bytes are allocated below sync.(*Pool).Get."""
    stack = ("main.newBuffer", "sync.(*Pool).Get", "main.handle")
    content = profile(HEAP, {stack: (9, 900 * MIB, 0, 0), ("main.other",): (9, 100 * MIB, 0, 0)})
    cause = diagnosed(tmp_path, allocs=content).causes[0]
    assert (cause.name, cause.severity) == ("pool-misses", "serious")
    assert "main.handle" in cause.sentence


def test_a_ballast_is_one_large_object(tmp_path: Path) -> None:
    """Many objects of that size are a cache."""
    one = profile(HEAP, {("main.ballast",): (1, 200 * MIB, 1, 200 * MIB)})
    many = profile(HEAP, {("main.ballast",): (1, 200 * MIB, 1000, 200 * MIB)})
    assert "heap-ballast" in [cause.name for cause in diagnosed(tmp_path, a=one).causes]
    assert "heap-ballast" not in [cause.name for cause in diagnosed(tmp_path, a=many).causes]


def test_gc_in_a_cpu_profile(tmp_path: Path) -> None:
    """A third of the CPU below the mark worker."""
    stacks = {("runtime.scanobject", "runtime.gcBgMarkWorker"): (1, 40), ("main.work",): (1, 60)}
    causes = diagnosed(tmp_path, cpu=profile(("samples", "cpu"), stacks, duration=10)).causes
    assert [cause.name for cause in causes] == ["gc-cpu-high"]


def test_contention_needs_a_lock_and_time(tmp_path: Path) -> None:
    """Waiting for channels is what idle goroutines do."""
    for function, expected in (("sync.(*Mutex).Unlock", ["lock-contention"]), ("runtime.chanrecv1", [])):
        stacks = {(function, "main.work"): (5, int(30e9))}
        content = profile(("contentions", "delay"), stacks, duration=10)
        assert [cause.name for cause in diagnosed(tmp_path, mutex=content).causes] == expected


DEBUG_1 = """goroutine profile: total {total}
{blocked} @ 0x1 0x2
#\t0x1\tmain.send+0x19\t/src/main.go:30
#\t0x2\tmain.work+0x19\t/src/main.go:40

2 @ 0x3
#\t0x3\tmain.main+0x1\t/src/main.go:5
"""


def test_goroutines_that_grow_are_grouped_by_stack(tmp_path: Path) -> None:
    """Two text profiles: the group, its place and its line."""
    files = {f"g{n}": DEBUG_1.format(total=n + 2, blocked=n) for n in (100, 400)}
    cause = diagnosed(tmp_path, **files).causes[0]
    assert (cause.name, cause.severity, cause.confidence) == ("goroutine-leak", "serious", "high")
    assert "from 102 to 402" in cause.sentence
    assert "main.send (main.go:30)" in cause.sentence
    assert cause.signs[0].line == 2


def test_protobuf_goroutines_count_as_well(tmp_path: Path) -> None:
    """The wait reason comes from the runtime's frames."""
    stack = ("runtime.gopark", "runtime.chansend1", "main.send")
    files = {
        f"g{n}": profile(("goroutine",), {stack: (n,), ("main.main",): (1,)}, seconds=n) for n in (100, 400)
    }
    assert "wait (chan send) in main.send" in diagnosed(tmp_path, **files).causes[0].sentence


def memstats(**changed: Any) -> str:
    """A consistent MemStats, with some fields changed."""
    fields = {
        "Sys": 320 * MIB, "HeapSys": 300 * MIB, "HeapIdle": 100 * MIB, "HeapInuse": 200 * MIB,
        "HeapReleased": 90 * MIB, "HeapAlloc": 150 * MIB, "NextGC": 200 * MIB, "NumGC": 5, "GCCPUFraction": 0.01,
    }  # fmt: skip
    return json.dumps(fields | changed)


def test_pages_of_memstats(tmp_path: Path) -> None:
    """Fragmentation, kept memory, GC CPU; a usual page gives nothing."""
    assert diagnosed(tmp_path, a=memstats()).causes == ()
    cases = {
        "fragmentation": memstats(HeapAlloc=20 * MIB, NextGC=40 * MIB),
        "memory-not-returned": memstats(Sys=620 * MIB, HeapSys=600 * MIB, HeapIdle=400 * MIB, HeapReleased=0),
        "gc-cpu-high": memstats(GCCPUFraction=0.4),
    }
    for name, page in cases.items():
        assert name in [one.name for one in diagnosed(tmp_path, a=page).causes]


def test_two_pages_show_growth(tmp_path: Path) -> None:
    """NumGC orders them."""
    new = memstats(
        NextGC=400 * MIB, HeapInuse=400 * MIB, HeapSys=500 * MIB, HeapAlloc=300 * MIB, Sys=520 * MIB, NumGC=50
    )
    verdicts = diagnosed(tmp_path, later=new, earlier=memstats())
    assert [one.name for one in verdicts.causes] == ["heap-leak"]
    assert "from 200 MiB to 400 MiB" in verdicts.causes[0].sentence


def test_goroutines_on_metrics_pages(tmp_path: Path) -> None:
    """go_goroutines of two pages."""
    page = "go_goroutines {}\nprocess_resident_memory_bytes 9e+07\n"
    verdicts = diagnosed(tmp_path, a=page.format(50), b=page.format(5000))
    assert [one.name for one in verdicts.causes] == ["goroutine-leak"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x1f\x8b",
        b"hello\n" * 100,
        b"\0" * 1000,
        gzip.compress(b"no profile", mtime=0),
        profile(HEAP, {("main.cache",): (1, 2, 3, 4)})[:-9],
        gzip.compress(gzip.decompress(profile(HEAP, {("main.cache",): (1, 2, 3, 4)}))[:-3], mtime=0),
        gzip.compress(b"\x0a\x04\x08\x01\x10\x02" + b"\x0b" * 100_000, mtime=0),  # nested groups
        b"goroutine profile: total 5\n",
        b'{"memstats": {"Sys": 1}}',
    ],
    ids=[f"file {number}" for number in range(10)],
)
def test_what_is_no_evidence_is_refused_in_one_sentence(content: bytes, tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(InputError) as refused:
        diagnosed(tmp_path, evidence=content)
    assert str(tmp_path / "evidence") in str(refused.value)
    assert "\n" not in str(refused.value)


def test_profiles_with_wrong_numbers_are_read(tmp_path: Path) -> None:
    """Ids and names that do not exist are unknown frames, too few values are zeros."""
    message = profile_class()()
    message.string_table.extend(["", "inuse_space", "bytes"])
    message.sample_type.add(type=1, unit=2)
    message.sample.add(location_id=[77, 1], value=[])
    message.location.add(id=1).line.add(function_id=99)
    message.function.add(id=2, name=-5, filename=1 << 40)
    found = read_profile(message.SerializeToString(), "x")
    assert found.total("inuse_space") == 0
    assert len(found.stacks) == 1
    del tmp_path
