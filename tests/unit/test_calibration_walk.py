"""A reader who follows a log through calibration leaves each file once, with few exceptions."""

import io
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from example_service import example_log

import gcsim
from experiments.archive import unpacked
from gcsim.calibration.calibrate import calibrate
from gcsim.calibration.evidence import Evidence
from gcsim.gctrace import read_gctrace
from gcsim.gctrace.trace import Trace

PACKAGE = Path(gcsim.__file__).parent
CAPTURES = unpacked(Path(__file__).parents[2] / "experiments" / "validation" / "captures")
CAPTURED = CAPTURES / "arena-go1.27.3-gogc100-limit72MiB-p2-r1.log.gz"
MOST_RETURNS = 9
# Files that every calibration passes through, in this order: the hook sees the calls.
STATIONS = (
    "evidence.py",
    "settings/implied_gogc.py",
    "checks/refusals.py",
    "memory/fit.py",
    "estimate/heap.py",
)


def visited_files(trace: Trace) -> list[str]:
    """The file of each function of gcsim that gets the trace or evidence of it, in the order of the calls.

    Methods of the two records do not count for the record itself: they read a column.
    """
    visits: list[str] = []

    def on_event(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and (name := _file(frame.f_code)) is not None and _takes_log(frame):
            visits.append(name)

    before = sys.getprofile()
    sys.setprofile(on_event)
    try:
        calibrate(trace, name="service")
    finally:
        sys.setprofile(before)
    return visits


def _file(code: CodeType) -> str | None:
    path = Path(code.co_filename)
    return path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else None


def _takes_log(frame: FrameType) -> bool:
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return any(isinstance(frame.f_locals.get(name), Trace | Evidence) for name in names if name != "self")


def returns(visits: list[str]) -> list[str]:
    """The files to which a visit comes back after a visit to another file."""
    found = []
    for row, name in enumerate(visits):
        if row and name != visits[row - 1] and name in visits[:row]:
            found.append(name)
    return found


def assert_few_returns(trace: Trace) -> None:
    visits = visited_files(trace)
    first = [visits.index(f"calibration/{station}") for station in STATIONS]
    assert first == sorted(first)
    back = returns(visits)
    assert len(back) <= MOST_RETURNS, back


def test_a_return_is_a_visit_to_a_file_already_left() -> None:
    """Calls within one file are no returns."""
    assert returns(["a", "a", "b", "b", "a", "c", "b", "b"]) == ["a", "b"]


def test_a_bare_log_passes_through_calibration_file_by_file() -> None:
    """Its settings come from its heap goals, which need the evidence before the settings are known."""
    assert_few_returns(read_gctrace(io.BytesIO(example_log().encode())))


def test_a_captured_log_passes_through_calibration_file_by_file() -> None:
    """Its side file adds the runtime's counters, resident memory and CPU time, and its limit sets goals."""
    trace = read_gctrace(CAPTURED)
    assert trace.info is not None
    assert trace.info.heap_accounts is not None
    assert trace.info.cpu_seconds
    assert_few_returns(trace)
