"""A process's memory map: what is Go's heap in it, in every version's layout."""

from gcsim.capture.memory_map import MemoryMap, memory_map, parse_smaps

KIB = 1 << 10
MIB = 1 << 20


def _line(start: int, end: int, rights: str, resident_kib: int, name: str = "") -> str:
    head = f"{start:x}-{end:x} {rights} 00000000 00:00 0 {name}"
    return f"{head}\nSize: {(end - start) >> 10} kB\nRss:   {resident_kib} kB\n"


def test_arenas_that_begin_at_the_documented_address_are_the_heap() -> None:
    """Go 1.19: usable from 0xc000000000 on, the rest of 64 MiB reserved."""
    base = 0xC000000000
    text = (
        _line(0x400000, 0x500000, "r-xp", 900, "/srv/app")
        + _line(base, base + 4 * MIB, "rw-p", 3000)
        + _line(base + 4 * MIB, base + 64 * MIB, "---p", 0)
        + _line(0x7FA1D3F84000, 0x7FA1D4500000, "rw-p", 2000)
    )
    assert parse_smaps(text) == MemoryMap(
        heap_mapped_bytes=4 * MIB, rss_outside_heap_bytes=(900 + 2000) * KIB
    )


def test_a_heap_at_a_random_address_within_named_arenas_is_found() -> None:
    """Go 1.26 and later start anywhere in the first arena; kernels may name mappings; two arenas make one run."""
    base = 0x63648000000
    text = (
        _line(base, base + 52 * MIB, "---p", 0, "[anon: Go: heap reservation]")
        + _line(base + 52 * MIB, base + 100 * MIB, "rw-p", 40 * 1024, "[anon: Go: heap]")
        + _line(base + 100 * MIB, base + 128 * MIB, "---p", 0, "[anon: Go: heap reservation]")
        + _line(0x7FFD5D672000, 0x7FFD5D693000, "rw-p", 12, "[stack]")
    )
    assert parse_smaps(text) == MemoryMap(heap_mapped_bytes=48 * MIB, rss_outside_heap_bytes=12 * KIB)


def test_arenas_of_the_c_library_are_not_the_heap() -> None:
    """A program with cgo: glibc's are aligned to 64 MiB too, but grow by pages."""
    base = 0x7FF180000000
    text = _line(base, base + 0x21000, "rw-p", 4) + _line(base + 0x21000, base + 64 * MIB, "---p", 0)
    assert parse_smaps(text) is None


def test_a_map_without_arenas_tells_nothing() -> None:
    """A C program, and a process that has ended."""
    assert parse_smaps(_line(0x7FA1D3F84000, 0x7FA1D4500000, "rw-p", 2000)) is None
    assert parse_smaps("") is None
    assert memory_map(2**22 + 1) is None
