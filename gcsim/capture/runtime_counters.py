"""What a running Go program counts of its own memory, read from outside while it runs (Linux).

No GC trace prints what GOMEMLIMIT counts beside the heap: metadata, stacks, and slots that are free in spans in use.
The runtime keeps these counts in one variable, ``runtime.gcController``. It begins with GOGC, GOMEMLIMIT and the heap
minimum that follows from GOGC: 24 bytes that are known beforehand, by which it is found in the process's data, symbols
or not. From then on one read of some 300 bytes through ``/proc/PID/mem`` shows the counts; the process is not stopped
and notices nothing, as with sampling profilers that work from outside.
"""

import os
import struct
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, Self

from gcsim.capture.memory_map import MAPPING
from gcsim.errors import InputError
from gcsim.units import MAX_INT64

MOST_SAMPLES = 300  # kept of a run, evenly in time
PAGE_BYTES = 8192  # the runtime's: spans are whole pages
_TRIES = 40  # looks for the variable, which the runtime fills while it starts
_MOST_DATA_BYTES = 256 << 20  # to be searched
_MOST_VALUE = 1 << 48  # of bytes or seconds in a side file
_UINT64 = (1 << 64) - 1
_DEFAULT_HEAP_MINIMUM = 4 << 20

# Where the fields of gcControllerState lie, by the first Go 1.x minor with this layout (mgcpacer.go; as the DWARF of
# binaries of Go 1.19.8, 1.21.13, 1.22.10, 1.23.9, 1.24.11, 1.25.5, 1.26.6 and 1.27.3 has it). Go 1.20's is not known.
_LAYOUTS: dict[int, Mapping[str, int]] = {
    19: {"heapLive": 136, "heapMarked": 184, "heapInUse": 304, "heapFree": 320, "totalAlloc": 328,
         "totalFree": 336, "mappedReady": 344},
    21: {"heapLive": 104, "heapMarked": 152, "heapInUse": 272, "heapFree": 288, "totalAlloc": 296,
         "totalFree": 304, "mappedReady": 312},
}  # fmt: skip
_LAYOUT_OF = {19: 19, **dict.fromkeys(range(21, 28), 21)}


class HeapAccount(NamedTuple):
    """One look at the counts, in bytes; ``seconds`` since the process was started."""

    seconds: float
    heap_marked_bytes: int  # by the last cycle
    heap_live_bytes: int  # marked, and allocated since
    heap_in_use_bytes: int  # spans: objects and free slots
    free_slot_bytes: int  # in spans in use; dead objects not yet swept are no free slots
    outside_spans_bytes: int  # what GOMEMLIMIT counts beside spans and free pages: metadata and stacks


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapAccounts:
    """The looks at one run, in order of time: equally long columns, fields as in ``HeapAccount``."""

    seconds: tuple[float, ...]
    heap_marked_bytes: tuple[int, ...]
    heap_live_bytes: tuple[int, ...]
    heap_in_use_bytes: tuple[int, ...]
    free_slot_bytes: tuple[int, ...]
    outside_spans_bytes: tuple[int, ...]

    @classmethod
    def of(cls, looks: list[HeapAccount]) -> Self | None:
        """Columns from rows; None from none."""
        if not looks:
            return None
        return cls(**dict(zip(HeapAccount._fields, zip(*looks, strict=True), strict=True)))

    @classmethod
    def from_json(cls, record: object) -> Self:
        """From a side file's object. Raises InputError, saying what is wrong with it."""
        names = [field.name for field in fields(cls)]
        if not isinstance(record, dict) or set(record) != set(names):
            raise InputError("heap_accounts has other columns than " + ", ".join(names))
        columns: list[list[Any]] = [record[name] for name in names]
        if not all(isinstance(column, list) and len(column) == len(columns[0]) for column in columns):
            raise InputError("heap_accounts has columns of different lengths")
        if not all(
            type(value) in (int, float) and 0 <= value < _MOST_VALUE for column in columns for value in column
        ):
            raise InputError("heap_accounts holds something that is not a number of 0 or more")
        return cls(**{name: tuple(record[name]) for name in names})


class AccountReader:
    """Looks at a running process; its ``looks`` are thinned out evenly as they become many."""

    def __init__(self, *, gogc: int | None, gomemlimit_bytes: int | None, minor: int) -> None:
        """Settings as the process got them; ``minor`` of Go 1.x. An unknown version is not looked at."""
        self._head = _head(gogc, gomemlimit_bytes)
        self._fields = _LAYOUTS.get(_LAYOUT_OF.get(minor, 0))
        self._tries = _TRIES if self._fields and sys.byteorder == "little" else 0
        self._address = 0
        self._every, self._seen = 1, 0
        self._looks: list[HeapAccount] = []

    @property
    def wanted(self) -> bool:
        """Whether another look can show anything."""
        return bool(self._address or self._tries)

    @property
    def accounts(self) -> HeapAccounts | None:
        """What was seen, at most ``MOST_SAMPLES`` of it; None where that is nothing."""
        return HeapAccounts.of(self._looks)

    def look(self, pid: int, seconds: float) -> None:
        """Take a sample of process ``pid``, ``seconds`` after its start; nothing where it cannot be read."""
        if not self.wanted:
            return
        try:
            with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
                self._address = self._address or self._found(pid, memory.fileno())
                if self._address:
                    self._keep(self._account(memory.fileno(), seconds))
        except OSError:  # ended, or not ours to read
            self._tries = max(self._tries - 1, 0)

    def _found(self, pid: int, memory: int) -> int:
        """The variable's address; 0 where it is not there yet, or not the only one."""
        self._tries -= 1
        places = [
            place for start, end in _data_ranges(pid) for place in _places(memory, start, end, self._head)
        ]
        return places[0] if len(places) == 1 else 0

    def _account(self, memory: int, seconds: float) -> HeapAccount | None:
        assert self._fields is not None
        size = max(self._fields.values()) + 8
        data = os.pread(memory, size, self._address)
        if len(data) < size:
            return None
        at = {name: struct.unpack_from("<Q", data, offset)[0] for name, offset in self._fields.items()}
        account = HeapAccount(
            seconds=round(seconds, 4),
            heap_marked_bytes=at["heapMarked"],
            heap_live_bytes=at["heapLive"],
            heap_in_use_bytes=at["heapInUse"],
            free_slot_bytes=at["heapInUse"] - (at["totalAlloc"] - at["totalFree"]),
            outside_spans_bytes=at["mappedReady"] - at["heapFree"] - at["heapInUse"],
        )
        return account if _is_plausible(account) else None

    def _keep(self, account: HeapAccount | None) -> None:
        """Every so many-th; when there are too many, every other one goes and the stride doubles."""
        if account is None:
            return
        if self._seen % self._every == 0:
            self._looks.append(account)
        self._seen += 1
        if len(self._looks) > MOST_SAMPLES:
            del self._looks[1::2]
            self._every *= 2


def _head(gogc: int | None, gomemlimit_bytes: int | None) -> bytes:
    """How gcControllerState begins: gcPercent, memoryLimit, heapMinimum (Go 1.19+ ``setGCPercent``)."""
    percent = -1 if gogc is None else gogc
    heap_minimum = (_DEFAULT_HEAP_MINIMUM * (percent & _UINT64) & _UINT64) // 100
    return struct.pack(
        "<i4xqQ", percent, MAX_INT64 if gomemlimit_bytes is None else gomemlimit_bytes, heap_minimum
    )


def _data_ranges(pid: int) -> Iterator[tuple[int, int]]:
    """Where the program's variables lie: writable mappings of its file, and the zeroed ones right behind them."""
    program, end_of_file = str(Path(f"/proc/{pid}/exe").readlink()), 0
    left = _MOST_DATA_BYTES
    for start_hex, end_hex, rights, name in MAPPING.findall(Path(f"/proc/{pid}/maps").read_text()):
        start, end = int(start_hex, 16), int(end_hex, 16)
        behind = not name.startswith("/") and start == end_of_file
        if name == program or behind:
            end_of_file = end
            if rights.startswith("rw") and end - start <= left:
                left -= end - start
                yield start, end


def _places(memory: int, start: int, end: int, head: bytes) -> Iterator[int]:
    data = os.pread(memory, end - start, start)
    place = data.find(head)
    while place >= 0:
        if place % 8 == 0:
            yield start + place
        place = data.find(head, place + 1)


def _is_plausible(account: HeapAccount) -> bool:
    """Whether these can be the counts: read in the midst of an update, or elsewhere, they do not fit together."""
    return (
        0 < account.heap_in_use_bytes < 1 << 48
        and account.heap_in_use_bytes % PAGE_BYTES == 0
        and 0 <= account.free_slot_bytes <= account.heap_in_use_bytes
        and 0 < account.outside_spans_bytes < 1 << 48
        and account.heap_marked_bytes <= account.heap_live_bytes < 1 << 48
    )
