"""Allocation sites: profiles, names of sites, and slices that append grows."""

from pathlib import Path

import pytest

from gcsim.diagnosis.profiles.alloc_sites import read_sites
from gcsim.diagnosis.profiles.allocator_cpu import read_allocator_cpu
from gcsim.diagnosis.profiles.schema import profile_class
from gcsim.errors import InputError
from gcsim.goruntime.slice_growth import grown_capacity, next_slice_cap
from gcsim.goruntime.versions import rules_for
from gcsim.service.objects.site_names import named_site
from gcsim.service.objects.sites import Allocations, Place, Site, Sites
from gcsim.submodels.append_growth import AppendGrowth

RULES = rules_for("1.27")
COLUMNS = ("alloc_objects", "alloc_space", "inuse_objects", "inuse_space")


def place(function: str, line: int = 10) -> Place:
    package = function.rsplit("/", 1)[-1].split(".")[0]
    return Place(function, f"/src/{package}/main.go", line)


def allocations(
    *functions: str, size: float = 64.0, objects: float = 1000.0, live: float = 0.0
) -> Allocations:
    """Objects of one size, by a stack of functions, the leaf first."""
    stack = tuple(place(function) for function in functions)
    return Allocations(stack=stack, object_bytes=size, objects=objects, live_objects=live)


def sites(*rows: Allocations) -> Sites:
    return Sites(source="allocs.pb.gz", allocations=rows, seconds=10.0, since_start=False, has_live=True)


def grown(element_bytes: int, lengths: dict[int, int], *, scan: bool = False, go: str = "1.27") -> Site:
    """A site that made slices of the given lengths, {length: number}, by append of one element at a time."""
    made: dict[int, float] = {}
    for length, slices in lengths.items():
        capacity = 0
        while capacity < length:
            capacity, size = grown_capacity(
                capacity + 1, capacity, element_bytes=element_bytes, scan=scan, rules=rules_for(go)
            )
            made[size] = made.get(size, 0.0) + slices
    rows = tuple(allocations("main.grow", size=float(size), objects=count) for size, count in made.items())
    return sites(*rows).site(place("main.grow"), rows)


def write_profile(
    path: Path,
    rows: list[tuple[tuple[str, ...], tuple[int, ...]]],
    *,
    second: int = 1,
    columns: tuple[str, ...] = COLUMNS,
) -> Path:
    """A profile with one function per location."""
    message = profile_class()()
    table = ["", "/src/main.go", *columns]
    functions = list(dict.fromkeys(name for stack, _ in rows for name in stack))
    for number in range(len(columns)):
        message.sample_type.add(type=number + 2)
    for number, name in enumerate(functions, 1):
        table.append(name)
        message.function.add(id=number, name=len(table) - 1, filename=1)
        location = message.location.add(id=number)
        location.line.add(function_id=number, line=number)
    for stack, values in rows:
        message.sample.add(location_id=[functions.index(name) + 1 for name in stack], value=values)
    message.string_table.extend(table)
    message.time_nanos, message.period = second * 10**9, 512 << 10
    path.write_bytes(message.SerializeToString())
    return path


def test_sites_are_the_difference_of_two_profiles(tmp_path: Path) -> None:
    """Allocations between the two, live objects of the second, frames of the runtime left out."""
    stack = ("runtime.mallocgc", "main.make", "main.main")
    first = write_profile(tmp_path / "a.pb", [(stack, (10, 640, 5, 320))], second=3)
    last = write_profile(tmp_path / "b.pb", [(stack, (110, 7040, 7, 448))], second=8)
    found = read_sites(last, first)
    (site,) = found.ranked()
    assert (site.place.function, site.objects, site.bytes) == ("main.make", 100.0, 6400.0)
    assert (site.live_bytes, found.seconds, found.since_start) == (448.0, 5.0, False)
    assert read_sites(last).since_start


@pytest.mark.parametrize(("before", "word"), [("b.pb", "exchange"), ("c.pb", "more allocations")])
def test_two_profiles_in_the_wrong_order_are_refused(tmp_path: Path, before: str, word: str) -> None:
    """One sentence that says so."""
    write_profile(tmp_path / "a.pb", [(("main.a",), (10, 640, 5, 320))], second=3)
    write_profile(tmp_path / "b.pb", [(("main.a",), (5, 320, 5, 320))], second=8)
    write_profile(tmp_path / "c.pb", [(("main.a",), (50, 3200, 5, 320))], second=1)
    with pytest.raises(InputError, match=word):
        read_sites(tmp_path / "a.pb", tmp_path / before)


def test_the_error_of_sampling_falls_with_the_number_of_samples() -> None:
    """A site of 100 samples has an error of 10 %."""
    small = sites(allocations("main.a", size=1024.0, objects=100 * 512.0)).ranked()[0]
    assert small.rel_sd == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize(
    ("text", "function", "objects"),
    [
        ("main.(*service).reply", "main.(*service).reply", 1000.0),
        ("service.reply", "main.(*service).reply", 1000.0),
        ("reply", "main.(*service).reply", 1000.0),
        ("decode", "example.org/app/codec.decode", 3000.0),  # does not allocate itself: what it calls
        ("reflect.growslice:10", "reflect.growslice", 2000.0),
        ("codec/main.go:10", "example.org/app/codec.decode", 3000.0),
    ],
)
def test_a_name_means_a_site(text: str, function: str, objects: float) -> None:
    """In full, in short, with a line, or by its file."""
    found = named_site(
        sites(
            allocations("main.(*service).reply", "main.main"),
            allocations("reflect.growslice", "example.org/app/codec.decode", "main.main"),
            allocations("reflect.growslice", "example.org/app/codec.decode", "main.main", size=32.0),
            allocations("reflect.New", "example.org/app/codec.decode", "main.main"),
        ),
        text,
        "--pool",
    )
    assert (found.place.function, found.objects) == (function, objects)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nwBuffer", "the nearest are main.newBuffer"),
        ("unheard", "the largest sites are main.a.grow"),
        ("grow", "names 2 functions of 'allocs.pb.gz'; write one of main.a.grow, main.b.grow"),
        ("", "is not a site"),
    ],
)
def test_a_name_of_none_or_several_is_one_sentence(text: str, words: str) -> None:
    """With the names that could be meant."""
    known = sites(
        allocations("main.a.grow", size=99.0), allocations("main.b.grow"), allocations("main.newBuffer")
    )
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        named_site(known, text, "--pool")


@pytest.mark.parametrize(
    ("go", "capacities"),
    [
        ("1.27", [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 848, 1280]),
        ("1.17", [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1280]),
    ],
)
def test_append_grows_as_each_version_documents(go: str, capacities: list[int]) -> None:
    """Capacities of []int64, known from the public documentation of the rule."""
    found, capacity = [], 0
    for _ in capacities:
        capacity, _ = grown_capacity(capacity + 1, capacity, element_bytes=8, scan=False, rules=rules_for(go))
        found.append(capacity)
    assert found == capacities
    assert next_slice_cap(100, 10, rules=rules_for(go)) == 100


@pytest.mark.parametrize(
    ("element_bytes", "length", "scan"), [(8, 50, False), (56, 73, True), (24, 700, True), (1, 5000, False)]
)
def test_slices_of_one_length_are_recognised(element_bytes: int, length: int, scan: bool) -> None:
    """The saving is that of a length inside the last step of the capacity, within the stated error."""
    site = grown(element_bytes, {length: 100_000}, scan=scan)
    found = AppendGrowth.of(site, rules=RULES)
    assert found is not None
    assert found.slices == pytest.approx(100_000)
    assert found.bytes == pytest.approx(site.bytes)
    assert found.final_bytes == pytest.approx(length * element_bytes, rel=3.5 * found.final_rel_sd + 0.05)


def test_slices_that_end_in_several_steps_get_a_distribution() -> None:
    """Lengths around 100, of which a fifth needs the next step: the mean is within a tenth."""
    lengths = dict.fromkeys(range(70, 145), 2000)
    found = AppendGrowth.of(grown(16, lengths), rules=RULES)
    assert found is not None
    mean = sum(lengths) / len(lengths) * 16
    assert found.final_bytes == pytest.approx(mean, rel=0.12)


@pytest.mark.parametrize("sizes", [(24576.0,), (64.0, 100.0, 1000.0), (1408.0,)])
def test_other_sizes_are_not_taken_for_slices(sizes: tuple[float, ...]) -> None:
    """One size, or sizes that no element explains."""
    rows = tuple(allocations("main.a", size=size, objects=50_000.0) for size in sizes)
    assert AppendGrowth.of(sites(*rows).ranked()[0], rules=RULES) is None


def test_the_allocator_s_cpu_at_a_site_leaves_out_assists(tmp_path: Path) -> None:
    """Samples in mallocgc below the site count; assists are GC CPU, and other work of the site is its own."""
    rows = [
        (
            ("runtime.memclr", "runtime.mallocgc", "runtime.makeslice", "main.newBuffer", "main.main"),
            (30, 300),
        ),
        (("runtime.gcAssistAlloc", "runtime.mallocgc", "main.newBuffer", "main.main"), (20, 200)),
        (("main.newBuffer", "main.main"), (10, 100)),
        (("runtime.mallocgc", "main.other", "main.main"), (40, 400)),
    ]
    path = write_profile(tmp_path / "cpu.pb", rows, columns=("samples", "cpu"))
    site = sites(allocations("main.newBuffer", "main.main")).ranked()[0]
    (found,) = read_allocator_cpu(path, [site])
    assert (found.share, found.samples) == (pytest.approx(0.3), 30)
    heap = write_profile(tmp_path / "heap.pb", [(("main.a",), (1, 64, 1, 64))])
    with pytest.raises(InputError, match="not a CPU profile"):
        read_allocator_cpu(heap, [site])
