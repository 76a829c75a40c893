"""The runtime's own counts of memory, read from outside: how they are kept, filed and refused."""

import dataclasses
import json
import os
import struct
from pathlib import Path

import pytest

from gcsim.capture.info import CaptureInfo
from gcsim.capture.runtime_counters import MOST_SAMPLES, AccountReader, HeapAccount, HeapAccounts, _head
from gcsim.errors import InputError


def _account(seconds: float) -> HeapAccount:
    return HeapAccount(seconds, 4 << 20, 5 << 20, 6 << 20, 1 << 19, 3 << 20, 9 << 20)


def test_the_head_of_the_variable_is_what_the_runtime_writes() -> None:
    """GOGC=off wraps round 64 bits before the division (``setGCPercent``)."""
    assert _head(100, None) == struct.pack("<i4xqQ", 100, (1 << 63) - 1, 4 << 20)
    assert _head(0, 1 << 30) == struct.pack("<i4xqQ", 0, 1 << 30, 0)
    assert _head(None, None)[16:] == struct.pack("<Q", ((1 << 64) - (4 << 20)) // 100)


def test_a_long_run_keeps_few_samples_evenly_in_time() -> None:
    """Ten thousand looks leave at most the bound, from start to end, equally far apart."""
    reader = AccountReader(gogc=100, gomemlimit_bytes=None, minor=27)
    for number in range(10_000):
        reader._keep(_account(number / 50))
    accounts = reader.accounts
    assert accounts is not None
    assert MOST_SAMPLES // 2 <= len(accounts.seconds) <= MOST_SAMPLES
    gaps = {round(b - a, 6) for a, b in zip(accounts.seconds, accounts.seconds[1:], strict=False)}
    assert len(gaps) == 1
    assert accounts.seconds[-1] > 0.98 * 10_000 / 50


@pytest.mark.parametrize("minor", [18, 20, 99])
def test_a_version_whose_layout_is_unknown_is_not_looked_at(minor: int) -> None:
    """Better nothing than numbers from the wrong place."""
    reader = AccountReader(gogc=100, gomemlimit_bytes=None, minor=minor)
    reader.look(os.getpid(), 0.1)
    assert not reader.wanted
    assert reader.accounts is None


def test_a_process_without_the_variable_is_given_up() -> None:
    """This very process is Python: after some looks there are no more."""
    reader = AccountReader(gogc=100, gomemlimit_bytes=123456789, minor=27)
    for _ in range(100):
        reader.look(os.getpid(), 0.1)
    assert not reader.wanted
    assert reader.accounts is None


def test_a_process_that_has_ended_is_no_error() -> None:
    """The look comes too late now and then."""
    reader = AccountReader(gogc=100, gomemlimit_bytes=None, minor=27)
    reader.look(2**22 + 1, 0.1)
    assert reader.accounts is None


def _info(accounts: HeapAccounts | None) -> CaptureInfo:
    return CaptureInfo(
        gogc=100, gomemlimit_bytes=None, gomaxprocs=2, go_version="go1.27.3", go="1.27", rss_peak_bytes=1,
        start_time="2026-11-23T00:00:00+00:00", wall_seconds=1.0, cpu_seconds=1.0, exit_status=0,
        command=["app"], foreign_cpu_fraction=None, heap_accounts=accounts,
    )  # fmt: skip


def test_a_side_file_brings_the_accounts_back_and_lists_each_on_a_line(tmp_path: Path) -> None:
    """Written and read again they are equal; a file without them has none."""
    path = tmp_path / "a.log.meta.json"
    info = _info(HeapAccounts.of([_account(0.02), _account(0.04)]))
    info.save(path)
    assert CaptureInfo.load(path) == info
    assert '"seconds": [ 0.02, 0.04 ]' in path.read_text()
    _info(None).save(path)
    assert CaptureInfo.load(path).heap_accounts is None


@pytest.mark.parametrize(
    "damage",
    [
        {"seconds": [1.0]},
        {"seconds": ["x", "y"]},
        {"seconds": [-1.0, 2.0]},
        {"seconds": [1.0, 1e400]},
    ],
)
def test_damaged_accounts_are_named_and_left_out(tmp_path: Path, damage: dict[str, object]) -> None:
    """Columns of different lengths, words, negative and infinite numbers."""
    path = tmp_path / "a.log.meta.json"
    accounts = HeapAccounts.of([_account(0.02), _account(0.04)])
    record = dataclasses.asdict(_info(accounts))
    record["heap_accounts"] |= damage
    path.write_text(json.dumps(record))
    info, note = CaptureInfo.load_with_note(path)
    assert info.heap_accounts is None
    assert info.rss_peak_bytes == 1
    assert note.startswith("a.log.meta.json has a malformed heap_accounts (")


def test_a_column_of_a_later_version_is_ignored_and_a_missing_one_is_named() -> None:
    """A later version may count more; without one of the first columns nothing can be computed."""
    accounts = HeapAccounts.of([_account(0.02), _account(0.04)])
    assert accounts is not None
    record = dataclasses.asdict(accounts)
    assert (
        HeapAccounts.from_json({name: list(column) for name, column in record.items()} | {"more": [1]})
        == accounts
    )
    older = record | {"allocated_bytes": ()}  # as a side file of an older gcsim, read and written again
    assert (
        HeapAccounts.from_json({name: list(column) for name, column in older.items()}).allocated_bytes == ()
    )
    del record["heap_live_bytes"]
    with pytest.raises(InputError, match="needs the columns"):
        HeapAccounts.from_json(record)
