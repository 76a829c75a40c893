"""Reads the Go runtime's memory counts from a running program, from outside (Linux).

A GC trace does not contain the memory that GOMEMLIMIT counts in addition to objects: metadata, stacks, and free slots
in spans in use. The runtime has these counts in one variable, ``runtime.gcController``. It begins with GOGC,
GOMEMLIMIT and the heap minimum that follows from GOGC. These 24 bytes are known, and the reader finds the variable in
the process's data by them, without symbols. Each sample is then one read of some 300 bytes through ``/proc/PID/mem``.
The read does not stop or disturb the process.

A new counter needs its offsets in ``_LAYOUTS``, a field with its meaning in ``HeapAccount`` and ``HeapAccounts``, and
its formula in ``AccountReader``, all in this file. Side files then hold it.
"""

import os
import struct
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, Self

from gcsim.capture.memory_map import MAPPING
from gcsim.errors import InputError
from gcsim.units import MAX_INT64

MOST_SAMPLES = 300  # of a run, evenly spaced in time
PAGE_BYTES = 8192  # the runtime's: spans are whole pages
_TRIES = 40  # searches for the variable, which the runtime sets while it starts
_MOST_DATA_BYTES = 256 << 20  # the reader searches no more
_MOST_VALUE = 1 << 48  # bytes or seconds in a side file
_UINT64 = (1 << 64) - 1
_DEFAULT_HEAP_MINIMUM = 4 << 20

# Offsets of the fields of gcControllerState, by the first Go 1.x minor with this layout (mgcpacer.go; from the DWARF of
# binaries of Go 1.19.8, 1.21.13, 1.22.10, 1.23.9, 1.24.11, 1.25.5, 1.26.6 and 1.27.3). Go 1.20's layout is unknown.
_LAYOUTS: dict[int, Mapping[str, int]] = {
    19: {"heapLive": 136, "heapMarked": 184, "heapInUse": 304, "heapFree": 320, "totalAlloc": 328,
         "totalFree": 336, "mappedReady": 344},
    21: {"heapLive": 104, "heapMarked": 152, "heapInUse": 272, "heapFree": 288, "totalAlloc": 296,
         "totalFree": 304, "mappedReady": 312},
}  # fmt: skip
_LAYOUT_OF = {19: 19, **dict.fromkeys(range(21, 28), 21)}


class HeapAccount(NamedTuple):
    """One sample of the counts, in bytes; ``seconds`` since the start of the process."""

    seconds: float
    heap_marked_bytes: int  # by the last cycle
    heap_live_bytes: int  # marked, plus allocation since then
    heap_in_use_bytes: int  # spans: objects and free slots
    free_slot_bytes: int  # in spans in use; unswept dead objects are not free slots
    outside_spans_bytes: int  # memory under GOMEMLIMIT that is not spans or free pages: metadata and stacks
    allocated_bytes: int = 0  # since the start; objects in a span count when the P leaves it


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapAccounts:
    """The samples of one run in order of time, as columns of one length; fields as in ``HeapAccount``.

    A later counter has the default ``()``, so that older side files, which lack it, stay valid.
    """

    seconds: tuple[float, ...]
    heap_marked_bytes: tuple[int, ...]
    heap_live_bytes: tuple[int, ...]
    heap_in_use_bytes: tuple[int, ...]
    free_slot_bytes: tuple[int, ...]
    outside_spans_bytes: tuple[int, ...]
    allocated_bytes: tuple[int, ...] = ()

    @classmethod
    def of(cls, looks: list[HeapAccount]) -> Self | None:
        """The columns of a list of samples; None for an empty list."""
        if not looks:
            return None
        return cls(**dict(zip(HeapAccount._fields, zip(*looks, strict=True), strict=True)))

    @classmethod
    def from_json(cls, record: object) -> Self:
        """The samples in a side file; unknown columns are ignored. Raises InputError that says what is wrong."""
        missing = [f.name for f in fields(cls) if f.default is MISSING]
        if not isinstance(record, dict) or any(name not in record for name in missing):
            raise InputError("heap_accounts needs the columns " + ", ".join(missing))
        names = [f.name for f in fields(cls) if f.default is MISSING or record.get(f.name)]
        columns: list[list[Any]] = [record[name] for name in names]
        if not all(isinstance(column, list) and len(column) == len(columns[0]) for column in columns):
            raise InputError("heap_accounts has columns of different lengths")
        if not all(
            type(value) in (int, float) and 0 <= value < _MOST_VALUE for column in columns for value in column
        ):
            raise InputError("heap_accounts holds something that is not a number of 0 or more")
        return cls(**{name: tuple(record[name]) for name in names})


class AccountReader:
    """Samples a running process; keeps at most ``MOST_SAMPLES``, evenly spaced."""

    def __init__(self, *, gogc: int | None, gomemlimit_bytes: int | None, minor: int) -> None:
        """The arguments are the settings of the process, ``minor`` is of Go 1.x. An unknown version is not sampled."""
        self._head = _head(gogc, gomemlimit_bytes)
        self._fields = _LAYOUTS.get(_LAYOUT_OF.get(minor, 0))
        self._tries = _TRIES if self._fields and sys.byteorder == "little" else 0
        self._address = 0
        self._stride, self._count = 1, 0
        self._looks: list[HeapAccount] = []

    @property
    def wanted(self) -> bool:
        """Whether another sample may succeed."""
        return bool(self._address or self._tries)

    @property
    def accounts(self) -> HeapAccounts | None:
        """The samples, at most ``MOST_SAMPLES``; None without any."""
        return HeapAccounts.of(self._looks)

    def look(self, pid: int, seconds: float) -> None:
        """Takes a sample of process ``pid``, ``seconds`` after its start, if it can be read."""
        if not self.wanted:
            return
        try:
            with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
                self._address = self._address or self._find(pid, memory.fileno())
                if self._address:
                    self._keep(self._account(memory.fileno(), seconds))
        except OSError:  # the process has ended, or may not be read
            self._tries = max(self._tries - 1, 0)

    def _find(self, pid: int, memory: int) -> int:
        """The variable's address; 0 without a match or with several."""
        self._tries -= 1
        places = [
            place for start, end in _data_ranges(pid) for place in _places(memory, start, end, self._head)
        ]
        return places[0] if len(places) == 1 else 0

    def _account(self, memory: int, seconds: float) -> HeapAccount | None:
        """One sample; None if it is not plausible."""
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
            allocated_bytes=at["totalAlloc"],
        )
        return account if _is_plausible(account) else None

    def _keep(self, account: HeapAccount | None) -> None:
        """Adds every n-th sample; with too many samples, drops every other one and doubles n."""
        if account is None:
            return
        if self._count % self._stride == 0:
            self._looks.append(account)
        self._count += 1
        if len(self._looks) > MOST_SAMPLES:
            del self._looks[1::2]
            self._stride *= 2


def _head(gogc: int | None, gomemlimit_bytes: int | None) -> bytes:
    """The first 24 bytes of gcControllerState: gcPercent, memoryLimit, heapMinimum (Go 1.19+ ``setGCPercent``)."""
    percent = -1 if gogc is None else gogc
    heap_minimum = (_DEFAULT_HEAP_MINIMUM * (percent & _UINT64) & _UINT64) // 100
    return struct.pack(
        "<i4xqQ", percent, MAX_INT64 if gomemlimit_bytes is None else gomemlimit_bytes, heap_minimum
    )


def _data_ranges(pid: int) -> Iterator[tuple[int, int]]:
    """The address ranges of the program's variables: writable mappings of its file and of its zeroed data."""
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
    """The aligned addresses of ``head`` in a range."""
    data = os.pread(memory, end - start, start)
    place = data.find(head)
    while place >= 0:
        if place % 8 == 0:
            yield start + place
        place = data.find(head, place + 1)


def _is_plausible(account: HeapAccount) -> bool:
    """Whether the values can be the counts; a read during an update, or of another variable, is inconsistent."""
    return (
        0 < account.heap_in_use_bytes < 1 << 48
        and account.heap_in_use_bytes % PAGE_BYTES == 0
        and 0 <= account.free_slot_bytes <= account.heap_in_use_bytes
        and 0 < account.outside_spans_bytes < 1 << 48
        and account.heap_marked_bytes <= account.heap_live_bytes < 1 << 48
    )
