"""The fit summary: a calibration in about a dozen lines of 80 columns."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gcsim.calibration.calibrate import Calibration
from gcsim.calibration.checks.verdict import Diagnosis
from gcsim.calibration.validation import Comparison, Validation
from gcsim.metrics import METRIC_LABELS, format_metric
from gcsim.service.model import Model
from gcsim.service.parameter_interval import interval
from gcsim.units import format_interval, format_mib, format_seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH = 80
_STYLES = {"trust": "bold green", "trust with care": "bold yellow", "do not trust": "bold red"}
_LABEL = 12  # columns
_MOST_MISSED = 3  # metrics that the self-check names
_PERHAPS_CLOSED = 0.2  # of the CPU: a program that uses less is not a closed loop


def fit_summary(
    calibration: Calibration,
    diagnosis: Diagnosis,
    check: Validation | None,
    others: Mapping[str, Validation] | None = None,
    *,
    model_file: str,
) -> "RenderableType":
    """The summary: verdict, the service in five lines, the self-check and the next command.

    ``check`` is the model's comparison with its own log, or None; ``others`` those with the other logs of a pooled
    model, by name.
    """
    from rich.console import Group  # here: the table of a log uses the functions below
    from rich.text import Text

    model = calibration.model
    head = Text(f"{model.name}: ", style="bold")
    head.append(diagnosis.verdict, style=_STYLES[diagnosis.verdict])
    if diagnosis.verdict == "trust with care":
        head.append(f" ({diagnosis.assessment.parts})", style="default")
    lines = [
        *bullets(diagnosis.reasons or ("no check of the log found a problem",), "-"),
        "",
        *wrapped(f"{calibration.log}; {model.cycles} cycles in {format_seconds(model.duration_seconds)}"),
        *(
            line
            for label, text in _service_lines(calibration, diagnosis, check)
            for line in labelled(label, text)
        ),
        "",
        *wrapped(_self_check("Self-check", check)),
        *(
            line
            for log, other in (others or {}).items()
            for line in wrapped(_self_check(f"Self-check of {log}", other))
        ),
        *wrapped(_loop_hint(calibration)),
        *wrapped(f"Next: {_next(model, diagnosis, model_file)}"),
    ]
    return Group(head, *(Text(line) for line in lines))


def wrapped(text: str, *, first: str = "", rest: str = "") -> list[str]:
    """The lines of a paragraph, 80 columns each; options and sizes are not broken."""
    return textwrap.wrap(
        text,
        width=WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def bullets(sentences: Sequence[str], mark: str) -> list[str]:
    """The lines of sentences, each a paragraph after a mark."""
    return [line for one in sentences for line in wrapped(one, first=f"{mark} ", rest="  ")]


def labelled(label: str, text: str) -> list[str]:
    """The lines of a paragraph after its label."""
    return wrapped(text, first=f"  {label:<{_LABEL}}", rest=" " * (_LABEL + 2))


def _service_lines(
    calibration: Calibration, diagnosis: Diagnosis, check: Validation | None
) -> list[tuple[str, str]]:
    model = calibration.model
    values = model.parameters
    observed = {} if check is None else {item.name: item.observed for item in check.comparisons}
    gc_cpu = observed.get("gc_cpu_fraction")
    share = "" if gc_cpu is None else f"; GC takes {format_metric('gc_cpu_fraction', gc_cpu)} of all CPU"
    roots = values.stack_bytes.value + values.globals_bytes.value
    pace = "arrivals set the rate" if model.loop == "open" else "the program runs at full speed"
    return [
        ("live heap", f"{format_mib(values.live_bytes.value)}; stacks and globals {format_mib(roots)}"),
        (
            "allocation",
            f"{format_mib(values.alloc_bytes_per_second.value)}/s; {pace} ({calibration.pace.source})",
        ),
        ("marking", f"{format_seconds(values.mark_cpu_seconds.value)} of CPU per cycle{share}"),
        ("memory", _memory(model, observed.get("rss_peak_bytes"))),
        ("regime", f"{diagnosis.regimes[0].name}: {diagnosis.regimes[0].text}"),
    ]


def _memory(model: Model, peak_bytes: float | None) -> str:
    pages = model.parameters.file_resident_bytes
    ends = interval("file_resident_bytes", pages)
    size = format_interval(*(format_mib(x) for x in (pages.value, *ends)))
    files = f"{size} of file pages (binary, mapped files), which GOMEMLIMIT does not count"
    if peak_bytes is not None:
        return f"{format_mib(peak_bytes)} resident at the peak; {files}"
    if model.parameters.memory_source == "reading":
        return f"{format_mib(model.parameters.rss_base_bytes.value)} resident outside the heap, read once; {files}"
    return f"the resident peak is unknown: log with gcsim capture; gcsim assumes {files}"


def _self_check(name: str, check: Validation | None) -> str:
    if check is None:
        return f"{name}: none, because gcsim does not simulate this Go version."
    missed = sorted((item for item in check.comparisons if not item.inside), key=_size, reverse=True)
    inside = len(check.comparisons) - len(missed)
    found = f"{name}: {inside} of {len(check.comparisons)} metrics of the log are inside their prediction intervals"
    if not missed:
        return f"{found}."
    named = ", ".join(f"{METRIC_LABELS[item.name]} {_error(item)}" for item in missed[:_MOST_MISSED])
    more = f" and {len(missed) - _MOST_MISSED} more" if len(missed) > _MOST_MISSED else ""
    return f"{found}; outside: {named}{more}."


def _size(item: Comparison) -> tuple[bool, float]:
    """The sort key: heap, cycle rate, GC CPU and memory first, then by error."""
    return item.name.endswith(("_bytes", "_hz")) or item.name == "gc_cpu_fraction", abs(item.error)


def _error(item: Comparison) -> str:
    if item.error != item.error:
        return "where the log shows none" if item.observed == 0 else "unknown"
    return f"{100 * item.error:+.0f} %" if abs(item.error) < 2 else f"{item.error + 1:.2g} times too high"


def _loop_hint(calibration: Calibration) -> str:
    if calibration.pace.stated:
        return ""
    if calibration.model.loop == "closed":
        return "If arrivals set the load of your service, pass --open-loop."
    used = calibration.pace.busy_procs / calibration.model.settings.gomaxprocs
    if used < _PERHAPS_CLOSED:
        return ""
    return "If your program runs at full speed, like a batch job, pass --closed-loop."


def _next(model: Model, diagnosis: Diagnosis, model_file: str) -> str:
    if any(part.what == "stacks" and part.continues for part in diagnosis.growth):
        return "look at /debug/pprof/goroutine?debug=1: it shows where the goroutines wait"
    if any(part.continues for part in diagnosis.growth):
        return "take two heap profiles a few minutes after each other and compare them (go tool pprof -base)"
    memory = "2GiB" if model.parameters.live_bytes.value > 2**28 else "512MiB"
    return f"gcsim recommend {model_file} --memory {memory}"
