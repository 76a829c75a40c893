"""The summary of a log for ``gcsim inspect``: findings, then metrics."""

from pathlib import PurePath

import numpy as np

from gcsim.calibration.settings.log_settings import LogSettings
from gcsim.gctrace.source import source_name
from gcsim.gctrace.trace import Trace
from gcsim.metrics import METRIC_LABELS, format_metric
from gcsim.report.fit_summary import bullets, wrapped
from gcsim.service.assessment import Assessment
from gcsim.units import format_mib, format_seconds

_LONG_PAUSE_NS = 5_000_000
_HIGH_GC_CPU, _HIGH_ASSISTS = (
    0.25,
    0.05,
)  # of all CPU: above the share of background workers; above a share that delays requests
_SHOWN_PAUSES = 1


def log_heading(log: str, trace: Trace, settings: LogSettings, assessment: Assessment) -> str:
    """The heading: the log, its settings and all findings, in lines of 80 columns."""
    cycles = trace.cycles
    seconds = float(cycles.start_ns[-1] - cycles.start_ns[0]) / 1e9
    forced = int(cycles.forced.sum())
    lines = wrapped(f"{source_name(log)}: {len(cycles)} cycles in {format_seconds(seconds)}, {forced} forced")
    lines += wrapped(str(settings))
    findings = [*assessment.reasons, *_long_pauses(trace)]
    if findings:
        lines += ["", *bullets(findings, "!")]
    return "\n".join([*lines, ""])


def _long_pauses(trace: Trace) -> list[str]:
    """A sentence with the number of long pauses and the longest one; empty without long pauses."""
    cycles = trace.cycles
    kinds = {"sweep termination": cycles.stw_sweep_term_ns, "mark termination": cycles.stw_mark_term_ns}
    count = sum(int((pauses > _LONG_PAUSE_NS).sum()) for pauses in kinds.values())
    if count == 0:
        return []
    kind = max(kinds, key=lambda name: int(kinds[name].max()))
    row = int(kinds[kind].argmax())
    worst = format_seconds(float(kinds[kind][row]) / 1e9)
    return [
        f"{count} {'pause' if count == 1 else 'pauses'} above {_LONG_PAUSE_NS // 1_000_000} ms; the longest, {worst},"
        f" is the {kind} of gc {cycles.cycle_number[row]} at {cycles.start_ns[row] / 1e9:.3g} s"
    ]


def metric_rows(observed: dict[str, float]) -> list[list[str]]:
    """The rows of metrics: label, value, and "high" for high values."""
    return [
        [METRIC_LABELS[name], format_metric(name, value), _remark(name, value)]
        for name, value in observed.items()
    ]


def _remark(name: str, value: float) -> str:
    if name == "gc_cpu_fraction" and value > _HIGH_GC_CPU:
        return "high"
    if name == "gc_assist_cpu_fraction" and value > _HIGH_ASSISTS:
        return "high"
    return ""


def root_rows(trace: Trace) -> list[list[str]]:
    """The rows of scanned stacks and globals; empty if the log does not print them."""
    rows = []
    for label, column in (
        ("stacks scanned", trace.cycles.stack_bytes),
        ("globals", trace.cycles.globals_bytes),
    ):
        printed = column[column >= 0]
        if printed.size:
            first, last, most = (format_mib(float(x)) for x in (printed[0], printed[-1], np.max(printed)))
            rows.append([f"{label}, first / last / max", f"{first} / {last} / {most}", ""])
    return rows


def roots_json(trace: Trace) -> dict[str, dict[str, int] | None]:
    """Scanned stacks and globals in bytes, for JSON documents; None if the log does not print them."""
    found: dict[str, dict[str, int] | None] = {}
    for name, column in (("stacks", trace.cycles.stack_bytes), ("globals", trace.cycles.globals_bytes)):
        printed = column[column >= 0]
        found[name] = (
            None
            if printed.size == 0
            else {
                "first_bytes": int(printed[0]),
                "last_bytes": int(printed[-1]),
                "max_bytes": int(printed.max()),
            }
        )
    return found


def next_step(log: str, assessment: Assessment) -> str:
    """The next command to run, or the profile to look at."""
    if any(part.what == "stacks" and part.continues for part in assessment.growth):
        return "next: look at /debug/pprof/goroutine?debug=1"
    if any(part.continues for part in assessment.growth):
        return "next: compare two heap profiles of different minutes (go tool pprof -base)"
    name = PurePath(source_name(log)).name.removesuffix(".gz").removesuffix(".log")
    return (
        f"next: gcsim calibrate {log} -o {name}.toml" if log != "-" else "next: gcsim calibrate LOG -o MODEL"
    )
