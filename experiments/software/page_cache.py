"""How resident file pages depend on the page cache: real programs, started with their binary in several states of it.

python -m experiments.software.page_cache [LABEL ...] [--read-ahead KIB] [--repeats N] [--lock FILE] --out CSV
python -m experiments.software.page_cache table CSV

A page fault on a file maps the pages around it that are in the page cache already (fault-around), and reads those of a
window that are not (read-ahead). So a process has more file pages resident if more of its binary was cached.

- ``whole``: the binary was read from start to end before.
- ``dropped``: none of it is cached, as in a new pod.
- ``used``: dropped, then run once. Only the pages that a run reads are cached.
- ``half``: every second MiB is cached.

``--read-ahead`` sets the read-ahead of the binary's disk during the runs (Linux, as root). With 0 the kernel reads only
the pages that the program touches: the state of a page cache from which the kernel has reclaimed all other pages.

    file pages = touched + (share of the other pages that is cached) x (most - touched)

``table`` prints the touched share of each program, and the spread of file pages between runs that follows from it.
"""

import argparse
import contextlib
import csv
import ctypes
import math
import mmap
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, get_args, get_type_hints

from experiments.capture import held
from experiments.cgroup import drop_page_cache
from experiments.software.cases import CASE, Places
from experiments.software.contained import ContainedPlan, run_contained
from experiments.software.run import data_folder
from gcsim.atomic import write_text_atomically
from gcsim.capture.disk import read_ahead_file
from gcsim.units import MIB

State = Literal["whole", "dropped", "used", "half"]
DEVELOPMENT = ("caddy-templates", "caddy-gateway", "tsgo-check", "go-compile")
_SECONDS, _JOB_SECONDS = 6.0, 60.0
_LEVELS = 10_000  # of the cached share


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One run."""

    label: str
    state: str  # of the page cache at the start
    read_ahead_kib: int
    repeat: int
    binary_bytes: int
    cached_before: float  # share of the binary in the page cache at the start
    cached_after: float
    file_resident_bytes: int  # peak of RssFile + RssShmem
    anonymous_bytes: int


def cached_share(file: Path) -> float:
    """The share of a file's pages that are in the page cache (mincore)."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype, libc.mmap.argtypes = (
        ctypes.c_void_p,
        [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long],
    )
    libc.mincore.argtypes, libc.munmap.argtypes = (
        [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p],
        [ctypes.c_void_p, ctypes.c_size_t],
    )
    with file.open("rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, opened.fileno(), 0)
        pages = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
        failed = libc.mincore(address, size, pages)
        libc.munmap(address, size)
    return math.nan if failed else sum(byte & 1 for byte in pages.raw[:-1] or b"\0") / max(len(pages) - 1, 1)


def prepare(binary: Path, state: State) -> None:
    """Puts a binary into a state of the page cache; ``used`` needs a run after it."""
    drop_page_cache([binary])
    with binary.open("rb", buffering=0) as opened:
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_RANDOM)  # without read-ahead
        size = os.fstat(opened.fileno()).st_size
        step = {"whole": 1, "half": 2}.get(state)
        for place in range(0, size, step * MIB) if step else ():
            os.pread(opened.fileno(), MIB, place)


@contextlib.contextmanager
def read_ahead(binary: Path, kib: int | None) -> Iterator[int]:
    """The read-ahead of the binary's disk, set to ``kib`` for a while."""
    file = read_ahead_file(binary)
    before = file.read_text()
    try:
        if kib is not None:
            file.write_text(str(kib))
        yield int(file.read_text())
    finally:
        file.write_text(before)


def rows_of(label: str, repeats: int, kib: int | None) -> Iterator[Row]:
    """All runs of one program."""
    case = CASE[label]
    with tempfile.TemporaryDirectory() as scratch:
        binary = Path(case.command(Places(data=data_folder(case), scratch=Path(scratch)))[0]).resolve()
    plan = ContainedPlan(
        case=case, environment={"GOGC": "100", "GOMEMLIMIT": "off", "GOMAXPROCS": "2"}, limit_bytes=None,
        seconds=_JOB_SECONDS if case.is_job else _SECONDS, drops_cache=False,
    )  # fmt: skip
    with read_ahead(binary, kib) as in_force:
        for repeat in range(1, repeats + 1):
            for state in get_args(State):
                prepare(binary, state)
                if state == "used":
                    run_contained(plan)
                before = cached_share(binary)
                peaks = run_contained(plan).peaks
                yield Row(
                    label=label,
                    state=state,
                    read_ahead_kib=in_force,
                    repeat=repeat,
                    binary_bytes=binary.stat().st_size,
                    cached_before=round(before, 4),
                    cached_after=round(cached_share(binary), 4),
                    file_resident_bytes=peaks.file_resident_bytes,
                    anonymous_bytes=peaks.anonymous_bytes,
                )


def read_rows(file: Path) -> list[Row]:
    """The rows of a CSV file."""
    kinds = get_type_hints(Row)
    with file.open(encoding="utf-8", newline="") as opened:
        return [
            Row(**{name: kinds[name](text) for name, text in line.items()}) for line in csv.DictReader(opened)
        ]


def write_rows(rows: list[Row], file: Path) -> None:
    """A CSV file of the rows."""
    lines = [",".join(each.name for each in fields(Row))]
    lines += [",".join(str(value) for value in asdict(row).values()) for row in rows]
    write_text_atomically(file, "\n".join(lines) + "\n")


def table(rows: list[Row]) -> str:
    """File pages by program and state of the page cache, and their logarithmic standard deviation over all runs."""
    groups: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.label, row.read_ahead_kib].append(row)
    states = get_args(State)
    lines = [f"| program | read-ahead | {' | '.join(states)} | spread |", "|---" * (3 + len(states)) + "|"]
    for (label, kib), found in groups.items():
        cells = []
        for state in states:
            sizes = [row.file_resident_bytes / MIB for row in found if row.state == state]
            cells.append(f"{min(sizes):.1f} to {max(sizes):.1f}" if sizes else "–")
        spread = statistics.stdev(math.log(row.file_resident_bytes) for row in found)
        lines.append(f"| {label} | {kib} KiB | {' | '.join(cells)} | {spread:.3f} |")
    return "\n".join(lines)


def touched_shares(rows: list[Row]) -> dict[str, float]:
    """By program: file pages with only the touched pages cached, over file pages with the whole binary cached.

    From the runs without read-ahead.
    """
    sizes: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        if row.read_ahead_kib == 0:
            sizes[row.label, row.state].append(row.file_resident_bytes)
    return {
        label: statistics.fmean(found) / statistics.fmean(sizes[label, "whole"])
        for (label, state), found in sizes.items()
        if state == "dropped" and sizes.get((label, "whole"))
    }


def spread_between_runs(touched_share: float) -> float:
    """The logarithmic standard deviation of file pages of a run whose page cache is not known.

    The cached share c of the pages that are not touched has the density 2 c: all of them cached is the most usual
    state, none of them the rarest.
    """
    levels = [math.sqrt((level + 0.5) / _LEVELS) for level in range(_LEVELS)]
    return statistics.pstdev(math.log(touched_share + (1.0 - touched_share) * level) for level in levels)


def spread_table(rows: list[Row]) -> str:
    """The touched share and the spread of each program, and the median of the spreads."""
    shares = touched_shares(rows)
    spreads = {label: spread_between_runs(share) for label, share in shares.items()}
    lines = ["| program | touched share | spread between runs |", "|---|---|---|"]
    lines += [f"| {label} | {shares[label]:.2f} | {spread:.3f} |" for label, spread in spreads.items()]
    return "\n".join([*lines, f"| median | | {statistics.median(spreads.values()):.3f} |"])


def main() -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.software.page_cache")
    parser.add_argument("labels", nargs="*", help=f"cases; {', '.join(DEVELOPMENT)} without")
    parser.add_argument("--read-ahead", type=int, default=None, help="of the binary's disk, KiB")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--lock", type=Path, default=None, help="hold this file's lock while programs run")
    parser.add_argument("--out", type=Path, default=None, help="CSV file; rows are added to it")
    options = parser.parse_args()
    if options.labels[:1] == ["table"]:
        kept = read_rows(Path(options.labels[1]))
        print(table(kept) + "\n\n" + spread_table(kept))
        return 0
    rows = read_rows(options.out) if options.out is not None and options.out.exists() else []
    for label in options.labels or DEVELOPMENT:
        with held(options.lock):
            for row in rows_of(label, options.repeats, options.read_ahead):
                rows.append(row)
                print(row, file=sys.stderr, flush=True)
        if options.out is not None:
            write_rows(rows, options.out)
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
