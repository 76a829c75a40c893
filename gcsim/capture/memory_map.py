"""The heap in a running Go program's memory, from the kernel's memory map (Linux)."""

import itertools
import re
from pathlib import Path
from typing import NamedTuple

ARENA_BYTES = 64 << 20  # heapArenaBytes of 64-bit Linux, Go 1.11-1.27 (runtime/malloc.go)
CHUNK_BYTES = (
    4 << 20
)  # the runtime makes chunks usable: pallocChunkBytes (runtime/mpagealloc.go, ``mheap.grow``)
# a line of /proc/PID/maps, or the first line of a mapping in smaps: start, end, rights, name
MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+ *(.*)$", re.MULTILINE)
_RESIDENT = re.compile(r"^Rss:\s+(\d+) kB", re.MULTILINE)


class MemoryMap(NamedTuple):
    """Memory by place, bytes. Arenas hold objects, goroutine stacks, free pages and released pages."""

    heap_mapped_bytes: int  # usable memory of arenas; grows by 4 MiB
    rss_outside_heap_bytes: (
        int  # resident memory outside arenas: the runtime's metadata, the binary, C memory
    )

    def highest(self, other: "MemoryMap | None") -> "MemoryMap":
        """The larger value of each field."""
        if other is None:
            return self
        return MemoryMap(*map(max, self, other))


class _Mapping(NamedTuple):
    start: int
    end: int
    usable: bool
    anonymous: bool
    resident_bytes: int


def memory_map(pid: int) -> MemoryMap | None:
    """The memory map of a running process; None without /proc, after its end, and before it has a heap.

    The kernel reads the process's page tables, which takes some 10 ms per resident GiB.
    """
    try:
        text = Path(f"/proc/{pid}/smaps").read_text(errors="replace")
    except OSError:
        return None
    return parse_smaps(text)


def parse_smaps(text: str) -> MemoryMap | None:
    """The memory map from the text of ``/proc/PID/smaps`` or ``maps``; None without a heap arena.

    ``maps`` has no resident sizes, and ``rss_outside_heap_bytes`` is 0.

    The runtime reserves arenas of 64 MiB, aligned to 64 MiB (``mheap.sysAlloc``), and makes them usable by 4 MiB. Go
    1.26 and later start at a random address (``mallocinit``). An arena is therefore a run of adjacent anonymous
    mappings whose ends are multiples of 64 MiB and whose usable parts end at multiples of 4 MiB. The C library's
    arenas have the same alignment but grow by pages.
    """
    mappings = _mappings(text)
    heap = [mapping for run in _runs(mappings) if _is_arenas(run) for mapping in run]
    if not heap:
        return None
    return MemoryMap(
        heap_mapped_bytes=sum(m.end - m.start for m in heap if m.usable),
        rss_outside_heap_bytes=sum(m.resident_bytes for m in mappings) - sum(m.resident_bytes for m in heap),
    )


def heap_mapped(pid: int) -> int | None:
    """``MemoryMap.heap_mapped_bytes`` of a running process, from its list of mappings; None as for ``memory_map``.

    The kernel does not read page tables for this list, which takes some 0.1 ms.
    """
    try:
        text = Path(f"/proc/{pid}/maps").read_text(errors="replace")
    except OSError:
        return None
    found = parse_smaps(text)
    return None if found is None else found.heap_mapped_bytes


def _runs(mappings: list[_Mapping]) -> list[list[_Mapping]]:
    """Runs of adjacent anonymous mappings."""
    runs: list[list[_Mapping]] = []
    for mapping in mappings:
        if not mapping.anonymous:
            continue
        if runs and runs[-1][-1].end == mapping.start:
            runs[-1].append(mapping)
        else:
            runs.append([mapping])
    return runs


def _is_arenas(run: list[_Mapping]) -> bool:
    """Whether a run of mappings is heap arenas."""
    if run[0].start % ARENA_BYTES or run[-1].end % ARENA_BYTES:
        return False
    edges = [next_one.start for one, next_one in itertools.pairwise(run) if one.usable != next_one.usable]
    return any(mapping.usable for mapping in run) and not any(edge % CHUNK_BYTES for edge in edges)


def _mappings(text: str) -> list[_Mapping]:
    heads = list(MAPPING.finditer(text))
    ends = [*(head.start() for head in heads), len(text)][1:]
    return [_mapping(head, text[head.end() : end]) for head, end in zip(heads, ends, strict=True)]


def _mapping(head: re.Match[str], body: str) -> _Mapping:
    start, end, rights, name = head.groups()
    resident = _RESIDENT.search(body)
    return _Mapping(
        start=int(start, 16),
        end=int(end, 16),
        usable=rights.startswith("rw"),
        # a kernel that names mappings calls the heap "[anon: Go: heap]" (Go 1.25+)
        anonymous=not name or name.startswith("[anon"),
        resident_bytes=int(resident[1]) << 10 if resident else 0,
    )
