"""A leak of the order service: when GC CPU rises, and when the container is full, predicted and observed."""

import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.priority import high_priority
from experiments.recommended.services import HERE, LEAK, OPEN_ORDERS, Stressed
from experiments.recommended.stress import asked
from experiments.rules.study import Case, Predicted, build, run_rule
from experiments.validation.results import rows_from_csv, rows_to_csv
from gcsim.atomic import write_text_atomically
from gcsim.gctrace import read_gctrace
from gcsim.metrics import cycle_metrics
from gcsim.settings import Settings
from gcsim.tuning.leak import LEAK_BYTES_PER_SECOND, Leak
from gcsim.units import MIB

RESULTS = HERE / "leak.csv"
BYTES_PER_SECOND = 5.0 * MIB
_AFTER_SECONDS = 3.0  # from the start of the process: the leak begins
_SECONDS = 60.0  # of the load: longer than the leak needs
_WINDOW_SECONDS = 2.0  # of GC CPU


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One setting with a leak: seconds from its start at this rate. NaN: not reached, or not run."""

    setting: str  # recommended or today
    gogc: str
    gomemlimit: str
    memory_mib: int
    suffering_gc_cpu: float  # the share of CPU that counts as suffering
    predicted_suffering_seconds: float
    predicted_end_seconds: float
    suffering_seconds: float = float("nan")
    end_seconds: float = float("nan")
    end: str = ""


def write_predictions() -> None:
    """Replaces the rows by those of today, without runs."""
    found = asked(OPEN_ORDERS)
    assert found.test is not None
    settings = {
        "recommended": (found.settings, found.test.leak),
        "today": (found.today.settings, found.test.today_leak),
    }
    _write([_row(name, *one) for name, one in settings.items()])


def _row(name: str, settings: Settings, leak: Leak) -> Row:
    return Row(
        setting=name,
        gogc=settings.environment["GOGC"],
        gomemlimit=settings.environment["GOMEMLIMIT"],
        memory_mib=OPEN_ORDERS.memory_mib,
        suffering_gc_cpu=leak.suffering_gc_cpu,
        predicted_suffering_seconds=_at_rate(leak.seconds_to_suffering),
        predicted_end_seconds=_at_rate(leak.seconds_to_end),
    )


def _at_rate(seconds: float | None) -> float:
    return float("nan") if seconds is None else seconds * LEAK_BYTES_PER_SECOND / BYTES_PER_SECOND


def run_all() -> None:
    """Runs the order service with the leak at each setting."""
    binary = build("orders", added=LEAK)
    found = []
    for row in read_rows():
        with tempfile.TemporaryDirectory() as folder, high_priority():
            log = Path(folder) / "leak.log"
            case = Case(program="orders", args=OPEN_ORDERS.args(Stressed()), memory_mib=())
            began = time.monotonic()
            one = run_rule(case, binary, _rule(row), seconds=_SECONDS, log=log)
            seconds = time.monotonic() - began
            found.append(
                replace(
                    row,
                    suffering_seconds=_suffering_seconds(log, row.suffering_gc_cpu),
                    end_seconds=float("nan") if one.end == "kept" else seconds - _AFTER_SECONDS,
                    end=one.end,
                )
            )
        sys.stderr.write(f"{found[-1]}\n")
    _write(found)


def _rule(row: Row) -> Predicted:
    environment = {
        "GOGC": row.gogc,
        "GOMEMLIMIT": row.gomemlimit,
        "GCSIM_LEAK": f"{BYTES_PER_SECOND:.0f}",
        "GCSIM_LEAK_AFTER": f"{_AFTER_SECONDS:g}s",
    }
    return Predicted(
        program="orders", memory_mib=row.memory_mib, rule="leak", environment=environment,
        fits=0.0, killed=1.0, gc_cpu=(0.0, 0.0, 0.0),
    )  # fmt: skip


def _suffering_seconds(log: Path, threshold: float) -> float:
    """The end of the first window in which GC takes more CPU than the threshold; NaN without one."""
    cycles = read_gctrace(log).cycles
    at = _AFTER_SECONDS
    while at + _WINDOW_SECONDS <= cycles.start_ns[-1] / 1e9:
        inside = (cycles.start_ns >= at * 1e9) & (cycles.start_ns < (at + _WINDOW_SECONDS) * 1e9)
        window = cycles.select(inside)
        if len(window) >= 2 and cycle_metrics(window)["gc_cpu_fraction"] > threshold:
            return at + _WINDOW_SECONDS - _AFTER_SECONDS
        at += 0.25
    return float("nan")


def read_rows() -> tuple[Row, ...]:
    """The committed rows; none without the file."""
    return rows_from_csv(RESULTS.read_text(encoding="utf-8"), Row) if RESULTS.exists() else ()


def _write(rows: list[Row]) -> None:
    write_text_atomically(RESULTS, rows_to_csv(rows, Row))
