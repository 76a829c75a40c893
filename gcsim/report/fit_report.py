"""The full fit report: verdict, settings, parameters, weak parameters and self-checks."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gcsim.calibration.calibrate import Calibration
from gcsim.calibration.checks.diagnosis import is_weak
from gcsim.calibration.checks.verdict import Diagnosis
from gcsim.calibration.validation import Validation
from gcsim.gctrace.trace import Trace
from gcsim.metrics import METRIC_LABELS, format_metric
from gcsim.report.text import format_estimate
from gcsim.service.assessment import Finding
from gcsim.service.parameter_interval import interval
from gcsim.service.parameters import PARAMETER_NAMES, Parameter
from gcsim.units import format_error, format_mib, format_number, format_seconds

_STYLES = {"trust": "bold green", "trust with care": "bold yellow", "do not trust": "bold red"}
_INDENT = (0, 0, 0, 2)


def fit_report(
    trace: Trace,
    calibration: Calibration,
    diagnosis: Diagnosis,
    check: Validation | None,
    others: Sequence[Validation] = (),
) -> RenderableType:
    """The full report as a rich renderable.

    ``check`` is the model's comparison with its own log, or None. ``others`` are its comparisons with the other logs of
    a pooled model.
    """
    sections: list[RenderableType] = [
        *_verdict(calibration, diagnosis),
        *_basis(trace, calibration, diagnosis),
        *_parameters(calibration),
        *_weak(diagnosis),
    ]
    if check is not None:
        sections += _check(check)
    for other in others:
        sections += _check(other)
    return Group(*sections)


def _verdict(calibration: Calibration, diagnosis: Diagnosis) -> list[RenderableType]:
    line = Text(f"{calibration.model.name}: ", style="bold")
    line.append(diagnosis.verdict, style=_STYLES[diagnosis.verdict])
    if diagnosis.verdict == "trust with care":
        line.append(f" ({diagnosis.assessment.parts})", style="default")
    reasons = diagnosis.reasons or ("no check of the log found a problem",)
    return [line, *_bullets(reasons)]


def _basis(trace: Trace, calibration: Calibration, diagnosis: Diagnosis) -> list[RenderableType]:
    model, window = calibration.model, calibration.window
    numbers = trace.cycles.cycle_number
    first, last = window.start or 0, window.stop
    loop = (
        "closed: GC slows the program" if model.loop == "closed" else "open: arrivals set the allocation rate"
    )
    rows = [
        ("settings", str(calibration.log)),
        (
            "cycles used",
            f"gc {numbers[first]} to {numbers[last - 1]}, {last - first} of the log's {len(numbers)},"
            f" in {format_seconds(model.duration_seconds)}",
        ),
        *((("logs", model.provenance["logs"]),) if "logs" in model.provenance else ()),
        ("loop", f"{loop} ({calibration.pace.source})"),
        *(("regime" if not i else "", f"{r.name}: {r.text}") for i, r in enumerate(diagnosis.regimes)),
        *(("note", note.text) for note in _notes(diagnosis.findings)),
    ]
    return [Text(), _labelled(rows)]


def _notes(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == "note"]


def _parameters(calibration: Calibration) -> list[RenderableType]:
    table = _table("parameters", ("", "value", "90 % interval", "", "from"), left=(0, 4))
    for name in PARAMETER_NAMES:
        parameter: Parameter = getattr(calibration.model.parameters, name)
        low, high = interval(name, parameter)
        shown = (
            f"{_value(name, low)} to {_value(name, high)}"
            if parameter.rel_sd > 0 and parameter.value
            else "—"
        )
        weak = "weak" if is_weak(parameter) else ""
        table.add_row(*_cells(name, _value(name, parameter.value), shown, weak, parameter.source))
    return [Text(), table]


def _weak(diagnosis: Diagnosis) -> list[RenderableType]:
    if not diagnosis.weak:
        return []
    table = _table("weakly determined", ("", "to narrow it"), left=(0, 1), wrap=(0, 1))
    for weak in diagnosis.weak:
        table.add_row(*_cells(weak.what, weak.remedy))
    return [Text(), table]


def _check(check: Validation) -> list[RenderableType]:
    title = f"the model against its own log: {check.settings}"
    table = _table(title, ("", "log", "model, 90 % interval", "error", ""), left=(0,))
    for item in check.comparisons:
        table.add_row(
            *_cells(
                METRIC_LABELS[item.name],
                format_metric(item.name, item.observed),
                format_estimate(item.name, item.predicted),
                format_error(item.error),
                "" if item.inside else "outside",
            )
        )
    inside = sum(item.inside for item in check.comparisons)
    counted = f"{inside} of {len(check.comparisons)} inside; the error on a new run is larger than on the fitted log"
    return [Text(), table, Padding(Text(counted), _INDENT)]


def _bullets(sentences: Sequence[str]) -> list[RenderableType]:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for sentence in sentences:
        table.add_row(*_cells(" -", sentence))
    return [table]


def _labelled(rows: Sequence[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column()
    for label, text in rows:
        table.add_row(*_cells(label, text))
    return table


def _table(title: str, columns: Sequence[str], *, left: Sequence[int], wrap: Sequence[int] = (4,)) -> Table:
    table = Table(box=None, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(
            column,
            justify="left" if place in left else "right",
            no_wrap=place not in wrap,
            header_style="dim",
        )
    return table


def _cells(*texts: str) -> tuple[Text, ...]:
    return tuple(Text(text) for text in texts)


def _value(name: str, value: float) -> str:
    if name.endswith("_bytes"):
        return format_mib(value)
    if name.endswith(("_bytes_per_second", "_bytes_per_cpu_second")):
        return f"{format_mib(value)}/s"
    if name.endswith("_seconds"):
        return format_seconds(value)
    return format_number(value)
