"""The sections on trust: the fit of the model, the errors to expect, and how the page was made."""

from dataclasses import replace

from gcsim.calibration.validation import Validation
from gcsim.report.fit_figures import check_figure
from gcsim.report.page.accuracy import Accuracy
from gcsim.report.page.charts.intervals import fit_chart
from gcsim.report.page.content import Content
from gcsim.report.page.elements import Table, bullets, details, escaped, paragraphs
from gcsim.report.page.vendored import libraries
from gcsim.service.parameter_interval import interval
from gcsim.service.parameters import PARAMETER_NAMES
from gcsim.units import format_mib, format_number, format_seconds

_VERDICT_CLASS = {"trust": "good", "trust with care": "warn", "do not trust": "bad"}


def verdict_badge(content: Content) -> str:
    """The verdict on the model, in a badge under the title; empty without one."""
    found = content.model.assessment
    if found is None:
        return '<p class="badge warn">Verdict on the model: none in the model file</p>'
    kind = _VERDICT_CLASS[found.verdict]
    return f'<p class="badge {kind}">Model: {escaped(found.verdict)} ({escaped(found.parts)})</p>'


def fit(content: Content) -> str:
    """Verdict and findings, predicted and observed values of the logs, and the parameters."""
    model, found = content.model, content.model.assessment
    parts = [paragraphs([
        f"The model is calibrated on {model.cycles} cycles in {format_seconds(model.duration_seconds)} at"
        f" {model.settings}; {model.loop} loop."])]  # fmt: skip
    if found is not None:
        parts.append(paragraphs([f"Verdict: {found.verdict} ({found.parts})."]))
        if found.findings:
            parts.append(bullets(f"{one.severity}: {one.text}" for one in found.findings))
    for place, (log, check) in enumerate(content.checks.items()):
        parts.append(_check(check, log, f"fit-{place}"))
    if not content.checks:
        parts.append(paragraphs(["Pass the log with --log to see predicted and observed values here."]))
    parts.append(details("Parameters of the model, with intervals", _parameters(content).html()))
    return "\n".join(parts)


def _check(check: Validation, log: str, stem: str) -> str:
    chart = fit_chart(check, log, stem)
    if chart is None:
        return paragraphs([f"{log}: nothing to compare, because the log shows no metric above zero."])
    inside = sum(one.inside for one in check.comparisons)
    text = f"{log}: {inside} of {len(check.comparisons)} metrics of the log are inside their 90 % intervals."
    return f"{paragraphs([text])}\n{replace(chart, still=check_figure(check, log)).html()}"


def _parameters(content: Content) -> Table:
    values = content.model.parameters
    rows = []
    for name in PARAMETER_NAMES:
        parameter = getattr(values, name)
        low, high = interval(name, parameter)
        shown = (_quantity(name, one) for one in (parameter.value, low, high))
        value, least, most = shown
        rows.append((name, (value, f"({least} to {most})"), parameter.source))
    return Table(caption="Parameters", columns=("parameter", "value", "source"), rows=tuple(rows), texts=(2,))


def _quantity(name: str, value: float) -> str:
    if name.endswith("_bytes"):
        return format_mib(value)
    if name.endswith("_bytes_per_second"):
        return f"{format_mib(value)}/s"
    return format_seconds(value) if name.endswith("_seconds") else format_number(value)


def accuracy(_: Content) -> str:
    """The measured errors of gcsim on real programs; empty if the measured table is not installed."""
    found = Accuracy.shipped()
    if found is None:
        return ""
    parts = [paragraphs([found.about])]
    for table in found.tables:
        parts.append(f"<h3>{escaped(table.caption)}</h3>")
        parts.append(Table(caption=table.caption, columns=table.columns, rows=table.rows).html())
        parts.append(paragraphs([table.note] if table.note else []))
    parts.append(f"<h3>Where not to trust it</h3>\n{bullets(found.doubts)}")
    return "\n".join(parts)


def made_by(content: Content) -> str:
    """Versions, plan and libraries: what it takes to make the page again."""
    plan = content.sweep.plan
    written = plan.to_json(content.model.name)
    rows = [
        ("gcsim", str(written["gcsim_version"])),
        ("simulation", f"{plan.replicas} runs of {format_seconds(plan.duration_seconds)} per setting"),
        ("engine, seed", f"{plan.engine}, {plan.seed}"),
        ("settings in the grid", str(len(content.sweep.finished))),
        *((name.replace("_", " "), value) for name, value in content.model.provenance.items()),
        ("figures", ", ".join(f"{one.name} {one.version} (BSD-3-Clause)" for one in libraries())),
    ]
    table = Table(caption="Versions and plan", columns=("", ""), rows=tuple(rows), texts=(1,))
    text = (
        "Intervals are 90 % prediction intervals: nine of ten new real runs at the setting should fall inside. The same"
        " model, options and version give the same page, byte for byte. The page loads nothing from a network."
    )
    return f"{paragraphs([text])}\n{table.html()}"
