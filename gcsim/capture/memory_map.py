"""What of a running Go program's memory is its heap, told from the kernel's map of it (Linux)."""

import itertools
import re
from pathlib import Path
from typing import NamedTuple

ARENA_BYTES = 64 << 20  # heapArenaBytes of 64-bit Linux, Go 1.11-1.27 (runtime/malloc.go)
CHUNK_BYTES = 4 << 20  # made usable at a time: pallocChunkBytes (runtime/mpagealloc.go, ``mheap.grow``)
# of /proc/PID/maps, and the first line of each in smaps: start, end, rights, name
MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+ *(.*)$", re.MULTILINE)
_RESIDENT = re.compile(r"^Rss:\s+(\d+) kB", re.MULTILINE)


class MemoryMap(NamedTuple):
    """Bytes. The heap's arenas hold objects, goroutine stacks, free pages and those given back."""

    heap_mapped_bytes: int  # of arenas, ready to be used or once used: grows by 4 MiB
    rss_outside_heap_bytes: int  # resident: the runtime's metadata, the binary, C memory

    def highest(self, other: "MemoryMap | None") -> "MemoryMap":
        """Field by field, the larger one."""
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
    """Of a running process; None without /proc, where it has ended, and before its heap is there.

    The kernel walks the process's page tables: some 10 ms for each resident GiB.
    """
    try:
        text = Path(f"/proc/{pid}/smaps").read_text(errors="replace")
    except OSError:
        return None
    return parse_smaps(text)


def parse_smaps(text: str) -> MemoryMap | None:
    """The two figures of a ``/proc/PID/smaps``; None where no heap arena is in it.

    Arenas are reserved 64 MiB at a time and aligned to that (``mheap.sysAlloc``), then made usable 4 MiB at a time from
    some address on, which Go 1.26 and later draw at random (``mallocinit``): runs of adjacent anonymous mappings that
    begin and end on an arena's boundary, the usable stretches on a chunk's. The C library's arenas are aligned alike,
    but grow by pages.
    """
    mappings = _mappings(text)
    heap = [mapping for run in _runs(mappings) if _is_arenas(run) for mapping in run]
    if not heap:
        return None
    return MemoryMap(
        heap_mapped_bytes=sum(m.end - m.start for m in heap if m.usable),
        rss_outside_heap_bytes=sum(m.resident_bytes for m in mappings) - sum(m.resident_bytes for m in heap),
    )


def _runs(mappings: list[_Mapping]) -> list[list[_Mapping]]:
    """Adjacent anonymous ones together; anything else parts them."""
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
    if run[0].start % ARENA_BYTES or run[-1].end % ARENA_BYTES:
        return False
    turns = [next_one.start for one, next_one in itertools.pairwise(run) if one.usable != next_one.usable]
    return any(mapping.usable for mapping in run) and not any(turn % CHUNK_BYTES for turn in turns)


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
