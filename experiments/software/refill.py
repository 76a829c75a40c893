"""What real servers allocate again after each collection, from the runtime's own count of allocated bytes.

python -m experiments.software.refill capture --out DIR    run the servers (six seconds of load each)
python -m experiments.software.refill rows --out DIR       write measured/refill.csv of these runs
python -m experiments.software.refill table                write the table of misses.md

A collection drops the objects of ``sync.Pool`` that nobody took since the collection before, and each P has its own
part of a pool. If that costs allocation, bytes per request rise with collections per request.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from experiments.capture import CapturedRun, RunPlan, is_captured, load_run
from experiments.software.cases import CASE
from experiments.software.matrix import plan_of
from experiments.software.run import SoftwarePlan, capture_software
from experiments.tables import write_table
from experiments.validation.results import rows_from_csv, rows_to_csv
from experiments.validation.tables import table
from gcsim.atomic import write_text_atomically
from gcsim.calibration.evidence import evidence_from
from gcsim.calibration.window import working_window
from gcsim.gctrace import read_gctrace
from gcsim.units import MIB

LABELS = ("caddy-templates", "caddy-gateway", "caddy-files", "rclone-webdav", "nats-small")
SETTINGS = ((100, 1), (100, 2), (25, 2), (400, 2))  # (GOGC, GOMAXPROCS)
FOUR_PS = ("caddy-templates",)
MISSES = Path(__file__).parent / "misses.md"
MEASURED = Path(__file__).parent / "measured" / "refill.csv"
REPEAT = 5  # names the files; no other study has it
_SECONDS = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One run after its start-up."""

    label: str
    gogc: int
    procs: int
    live_mib: float
    cycles_per_second: float
    requests_per_cycle: float
    kib_per_request: float  # allocated, by the runtime's count
    not_allocated_mib: float  # growth of heapLive per cycle that is not allocation


def plans() -> Iterator[RunPlan]:
    """The runs to make."""
    for label in LABELS:
        four = ((100, 4),) if label in FOUR_PS else ()
        for gogc, procs in (*SETTINGS, *four):
            yield replace(plan_of(CASE[label], (gogc, None), procs, REPEAT), duration_seconds=_SECONDS)


def row_of(plan: RunPlan, run: CapturedRun) -> Row:
    """The figures of one run, between the first and the last sample of the counts in its working window."""
    evidence = evidence_from(read_gctrace(run.log)).with_gogc(plan.gogc)
    window = evidence.select(working_window(evidence))
    accounts = run.info.heap_accounts
    assert accounts is not None
    assert plan.gogc is not None
    seconds, allocated, live, marked = (
        np.array(column, dtype=np.float64)
        for column in (
            accounts.seconds,
            accounts.allocated_bytes,
            accounts.heap_live_bytes,
            accounts.heap_marked_bytes,
        )
    )
    chosen = np.flatnonzero((seconds > window.end_seconds[0]) & (seconds < window.end_seconds[-1]))
    ends = chosen[[0, -1]]
    length = float(np.diff(seconds[ends])[0])
    ended = np.flatnonzero((window.end_seconds > seconds[ends[0]]) & (window.end_seconds <= seconds[ends[1]]))
    grown = float((window.heap_end_bytes[ended] - window.heap_marked_bytes[ended - 1]).sum())
    grown += float(np.diff((live - marked)[ends])[0])  # since the last collection before each sample
    allocated_bytes = float(np.diff(allocated[ends])[0])
    requests = float(run.result["rate"]) * length
    return Row(
        label=plan.label,
        gogc=plan.gogc,
        procs=plan.gomaxprocs,
        live_mib=float(window.live_bytes.mean()) / MIB,
        cycles_per_second=ended.size / length,
        requests_per_cycle=requests / ended.size,
        kib_per_request=allocated_bytes / 1024 / requests,
        not_allocated_mib=(grown - allocated_bytes) / ended.size / MIB,
    )


def measured_rows() -> tuple[Row, ...]:
    """The rows of the file."""
    return rows_from_csv(MEASURED.read_text(encoding="utf-8"), Row)


def refill_table(rows: Iterable[Row]) -> str:
    """Markdown: one line per run."""
    head = ["case", "GOGC", "Ps", "live heap", "cycles/s", "requests per cycle", "allocated per request",
            "growth that is not allocation"]  # fmt: skip
    body = [
        [f"`{r.label}`", str(r.gogc), str(r.procs), f"{r.live_mib:.1f} MiB", f"{r.cycles_per_second:.1f}",
         f"{r.requests_per_cycle:.3g}", f"{r.kib_per_request:.4g} KiB", f"{r.not_allocated_mib:.1f} MiB"]
        for r in rows
    ]  # fmt: skip
    return "\n".join(table(head, body)) + "\n"


def main() -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.software.refill")
    parser.add_argument("command", choices=["capture", "rows", "table"])
    parser.add_argument("--out", type=Path, help="folder of the runs")
    options = parser.parse_args()
    if options.command == "table":
        write_table(MISSES, "refill", refill_table(measured_rows()))
        return 0
    if options.out is None:
        parser.error(f"{options.command} needs --out DIR")
    if options.command == "capture":
        options.out.mkdir(exist_ok=True)
        for plan in plans():
            if not is_captured(plan, options.out):
                capture_software(SoftwarePlan(case=CASE[plan.label], plan=plan), options.out)
                print(plan.name, flush=True)
        return 0
    found = [
        row_of(plan, load_run(options.out / f"{plan.name}.result.json"))
        for plan in plans()
        if is_captured(plan, options.out)
    ]
    write_text_atomically(MEASURED, rows_to_csv(found, Row))
    return 0


if __name__ == "__main__":
    sys.exit(main())
