"""The first section: the recommended setting, today's for comparison, reasons and alternatives."""

from gcsim.engine.run import Run
from gcsim.metrics import METRIC_LABELS, Estimate
from gcsim.report.page.accuracy import Accuracy
from gcsim.report.page.charts.trade_off import parted
from gcsim.report.page.content import Content
from gcsim.report.page.elements import Cell, Table, details, escaped, paragraphs, snippet
from gcsim.report.snippets import SNIPPETS, Deployed, container_name
from gcsim.tuning.chances import chances
from gcsim.tuning.constraints import Constraint
from gcsim.tuning.feasible import container_peak
from gcsim.tuning.predictive import format_share
from gcsim.tuning.reason import short
from gcsim.tuning.recommendation import Recommendation
from gcsim.tuning.savings import gc_cores
from gcsim.tuning.stress_text import broken_sentences
from gcsim.units import format_go_bytes, format_gogc, format_mib, format_number, format_percent

_FIRST = (
    "container_peak_bytes",
    "anonymous_peak_bytes",
    "rss_peak_bytes",
    "gc_cpu_fraction",
    "gc_idle_cpu_fraction",
    "gc_rate_hz",
    "stw_p99_seconds",
    "throughput_ratio",
    "request_p99_seconds",
)
_TITLES = {
    "env": "Shell",
    "yaml": "Kubernetes: env and resources of a container",
    "patch": "Kubernetes: patch of a Deployment",
    "dockerfile": "Dockerfile",
    "systemd": "systemd unit",
    "ecs": "Amazon ECS: task definition",
}
_ERRORS = ("GC CPU", "peak anonymous memory")  # rows of the accuracy table that matter most
_LEAST_CORES = 0.005  # smaller differences are not worth a sentence


def summary(content: Content) -> str:
    """The answer in a box: what to set, what it changes, and how far predictions were off."""
    found = content.recommendation
    if found is None:
        text = (
            "The command had no size of the container. Run gcsim report with --memory, such as --memory 512Mi, for a"
            " recommended setting."
        )
        return _box("plain", "No recommendation", paragraphs([text]))
    if not found.feasible:
        return _box("bad", "No setting is feasible", paragraphs(found.reasons))
    kept = found.run.settings == found.today.settings
    title = "Keep today's setting" if kept else f"Recommended for {format_mib(found.memory_bytes)}"
    setting = f'<p class="setting">{escaped(short(found.settings))}</p>'
    paste = "" if kept else snippet(_TITLES["env"], SNIPPETS["env"](_deployed(content, found)))
    reached = [one.sentence for one in content.reached]
    broken = [] if found.test is None else broken_sentences(found.test)
    doubts = [*reached, *broken, *_care(content), *_errors()]
    inner = [setting, paragraphs([_gain(found)]), paste, paragraphs(doubts)]
    assessment = content.model.assessment
    if assessment is not None and assessment.verdict == "do not trust":
        return _box(
            "bad",
            "Do not use this setting: the model is not to be trusted",
            "\n".join(part for part in inner if part),
        )
    return _box("good", title, "\n".join(part for part in inner if part))


def recommended(content: Content) -> str:
    """Comparison, reasons and snippets; without a recommendation, today's predicted metrics."""
    found = content.recommendation
    if found is None:
        run = content.today_run
        return "" if run is None else _today_only(run)
    parts = [_comparison(content, found).html()]
    parts += [paragraphs(found.reasons[1:])] if found.feasible else []
    if found.feasible:
        parts.append(_snippets(content, found))
    if found.alternatives:
        parts.append(f"<h3>Alternatives</h3>\n{_alternatives(found).html()}")
    parts.append(details("All metrics, with intervals", _metrics(content, found).html()))
    return "\n".join(parts)


def _box(kind: str, title: str, inner: str) -> str:
    head = f'<section class="answer {kind}" aria-labelledby="answer">\n<h2 id="answer">{escaped(title)}</h2>'
    return f"{head}\n{inner}\n</section>"


def _care(content: Content) -> list[str]:
    """The gravest finding about the model, if there is one."""
    found = content.model.assessment
    if found is None or found.verdict == "trust":
        return []
    return [f"The model has the verdict {found.line}."]


def _errors() -> list[str]:
    """The measured errors that matter for the answer, in one sentence."""
    shipped = Accuracy.shipped()
    found = {} if shipped is None else {name: shipped.error_of(name) for name in _ERRORS}
    known = [f"{name} {error}" for name, error in found.items() if error]
    if not known:
        return []
    return [
        f"On real programs that gcsim was not tuned on, the median error (90th percentile) was: {', '.join(known)}."
        " All metrics are below, under How wrong predictions are."
    ]


def _gain(found: Recommendation) -> str:
    """The change from today's setting, in one sentence."""
    run, today = found.run, found.today
    cpu = " to ".join(_percent(one) for one in (today, run))
    memory = " to ".join(format_mib(container_peak(one).value) for one in (today, run))
    if run.settings == today.settings:
        other = found.otherwise
        change = "" if other is None else f" {short(other.settings)} would take {_percent(other)}."
        return f"GC takes {_percent(run)} of CPU and the container {format_mib(container_peak(run).value)}.{change}"
    saved = gc_cores(today) - gc_cores(run, like=today)
    cores = f", {format_number(saved, 2)} cores less for the same work" if saved > _LEAST_CORES else ""
    return (
        f"GC CPU goes from {cpu}{cores}. Container memory at its peak goes from {memory} of"
        f" {format_mib(found.memory_bytes)}."
    )


def _percent(run: Run) -> str:
    return format_percent(run.metrics["gc_cpu_fraction"].value, 2)


def _comparison(content: Content, found: Recommendation) -> Table:
    """Today's setting and the recommended one: the figures on which the choice depends."""
    other = found.run if found.otherwise is None else found.otherwise
    name = "recommended" if found.feasible else "nearest miss"
    name = name if found.otherwise is None else "the change that is not worth it"
    runs = (found.today, other)
    limits = {one.constraint.metric: _bound(one.constraint) for one in found.margins}
    rows: list[tuple[Cell, ...]] = [
        ("GOGC", *(format_gogc(run.settings.gogc) for run in runs), ""),
        ("GOMEMLIMIT", *(format_go_bytes(run.settings.gomemlimit_bytes) for run in runs), ""),
    ]
    for metric in dict.fromkeys([*_FIRST, *limits]):
        if all(metric in run.metrics for run in runs):
            cells = (parted(metric, run.metrics[metric]) for run in runs)
            rows.append((METRIC_LABELS[metric], *cells, limits.get(metric, "")))
        if metric == "gc_cpu_fraction":
            rows.append(("GC, cores", *(_cores(run) for run in runs), f"of {other.settings.gomaxprocs}"))
    odds = (_fits(run, found) for run in runs)
    rows.append(("fits the memory", *odds, ""))
    return Table(
        caption="Today's setting and the other one",
        columns=("", "today", name, "limit"),
        rows=tuple(rows),
        marked=2 if content.is_change else None,
    )


def _bound(constraint: Constraint) -> str:
    """The bound and the share of runs that must keep it."""
    kind = "at least" if constraint.is_lower else "at most"
    share = format_share(constraint.confidence)
    return f"{kind} {constraint.format(constraint.bound)} in {share} of runs"


def _cores(run: Run) -> tuple[str, str]:
    share, procs = run.metrics["gc_cpu_fraction"], run.settings.gomaxprocs
    low, value, high = (format_number(procs * one, 2) for one in (share.low, share.value, share.high))
    return value, f"({low} to {high})"


def _fits(run: Run, found: Recommendation) -> str:
    odds = chances(run, found.available_bytes, kernel_bytes=found.budget.kernel_bytes)
    return f"{format_percent(odds.fits, 3)} of runs"


def _snippets(content: Content, found: Recommendation) -> str:
    what = _deployed(content, found)
    others = [
        snippet(_TITLES.get(form, form), make(what)) for form, make in SNIPPETS.items() if form != "env"
    ]
    return details("To paste: Kubernetes, Dockerfile, systemd, ECS", "\n".join(others))


def _deployed(content: Content, found: Recommendation) -> Deployed:
    changed = content.base.gomaxprocs != content.model.settings.gomaxprocs
    env = dict(found.env) | ({"GOMAXPROCS": str(content.base.gomaxprocs)} if changed else {})
    return Deployed(env=env, memory_bytes=found.memory_bytes, container=container_name(content.model.name))


def _alternatives(found: Recommendation) -> Table:
    return Table(
        caption="Alternatives",
        columns=("", "GOGC", "GOMEMLIMIT", "container memory, peak", "GC CPU"),
        rows=tuple((one.name, *_setting_cells(one.run)) for one in found.alternatives),
    )


def _setting_cells(run: Run) -> tuple[Cell, ...]:
    """Setting, container memory and GC CPU of a run."""
    return (
        format_gogc(run.settings.gogc),
        format_go_bytes(run.settings.gomemlimit_bytes),
        parted("container_peak_bytes", container_peak(run)),
        parted("gc_cpu_fraction", run.metrics["gc_cpu_fraction"]),
    )


def _metrics(content: Content, found: Recommendation) -> Table:
    other = found.run if found.otherwise is None else found.otherwise
    rows = tuple(
        (METRIC_LABELS.get(name, name), _found(found.today, name), parted(name, estimate))
        for name, estimate in other.metrics.items()
    )
    names = (f"today ({short(found.today.settings)})", short(other.settings))
    return Table(
        caption="All metrics", columns=("", *names), rows=rows, marked=2 if content.is_change else None
    )


def _found(run: Run, name: str) -> Cell:
    estimate: Estimate | None = run.metrics.get(name)
    return "—" if estimate is None else parted(name, estimate)


def _today_only(run: Run) -> str:
    rows = tuple((METRIC_LABELS.get(name, name), parted(name, one)) for name, one in run.metrics.items())
    return Table(caption="Today's setting", columns=("", f"today ({short(run.settings)})"), rows=rows).html()
