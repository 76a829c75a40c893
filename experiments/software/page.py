"""``docs/explanation/accuracy-software.md``: predictions of real programs against their runs."""

from collections.abc import Sequence
from pathlib import Path

from experiments.software.cases import CASES, Case
from experiments.software.constrained_page import constrained_section, times_section
from experiments.software.constrained_rows import Row as ConstrainedRow
from experiments.software.packages import PACKAGES
from experiments.software.regret import Row as RegretRow
from experiments.software.regret_page import regret_section
from experiments.software.study import METRICS, Row, Study
from experiments.software.summary import DISTRUST, SPLITS, chosen, errors_table, figures, of_metric, percent
from experiments.validation.tables import (
    NAMES,
    SHORT_NAMES,
    Lines,
    amount_cell,
    pair_cell,
    setting_cell,
    table,
)

PAGE = Path(__file__).parent.parent.parent / "docs" / "explanation" / "accuracy-software.md"
_FIRST_LOOK, _MISSES = (Path(__file__).parent / name for name in ("first_look.md", "misses.md"))
_WORST = 12
_SHORT_NAMES = SHORT_NAMES | {"anonymous_peak_bytes": "anonymous"}


def software_page(
    study: Study, regret: Sequence[RegretRow], constrained: Sequence[ConstrainedRow], times: Sequence[Row]
) -> str:
    """The page."""
    first_look, misses = (
        [*file.read_text(encoding="utf-8").splitlines(), ""] for file in (_FIRST_LOOK, _MISSES)
    )
    parts = [
        *_head(study),
        *_errors(study),
        *first_look,
        *_programs(study),
        *times_section(times),
        *regret_section(regret),
    ]
    parts += [*constrained_section(constrained), *_worst(study), *misses, *_left_out(study)]
    return "\n".join(parts).rstrip() + "\n"


def _head(study: Study) -> Lines:
    runs = {(r.label, r.procs, r.gogc, r.limit_mib, r.repeat) for r in study.rows if not r.is_reference}
    return [
        "# Accuracy on real software",
        "",
        "`python -m experiments.software report` generates this page.",
        "",
        "Real Go programs ran under load at eight settings, with GOMAXPROCS 2 and 1, some of them two times. One run "
        f"at GOGC=100 calibrates a model. The model predicts the other settings: {len(runs)} runs.",
        "",
        *table(["case", "program", "Go", "what it does", "kind", "split"], [_case(case) for case in CASES]),
        "",
        "- **Held out**: no form, prior or interval width of gcsim was chosen on these programs.",
        "- **Development**: priors, and the widths for real software, may be chosen on these.",
        "- **Short**: held out, too. In their 10 s of load these servers collect two to four times at many settings. "
        "The same servers with longer loads are among the held-out programs. A log should hold ten collections.",
        "- **capture**: from the log and the side file of `gcsim capture`. **bare log**: from the log and the Go "
        "version. **log and --rss**: the same with one reading of resident memory. The kind of loop is stated, and "
        "`--job` where the program is a job.",
        "- Rates and shares of a **server** are over the window after its start-up, those of a **job** over the whole "
        "job ([metrics](../reference/metrics.md)).",
        "- `rclone-sync` writes to a memory file system. With the machine's disk, equal runs took 9 and 17 s, and "
        "the kernel's CPU time differed as much.",
        "- **repeated run**: the distance between two real runs at the same setting. No prediction can be expected to "
        "come closer.",
        "- **inside**: share of the runs inside the 90 % interval.",
        "",
    ]


def _case(case: Case) -> Lines:
    kind = "job" if case.is_job else "server"
    return [f"`{case.label}`", _program(case), case.go_version, case.about, kind, case.split]


def _program(case: Case) -> str:
    package = PACKAGES.get(case.program)
    return case.program if package is None else f"{case.program} {package.version}"


def _errors(study: Study) -> Lines:
    lines = []
    for split in SPLITS:
        rows = chosen(study.rows, split=split)
        distrusted = {(r.label, r.procs) for r in rows if r.verdict == DISTRUST}
        lines += [f"## {split.capitalize()} programs", "", "Median error (90th percentile), all runs:", ""]
        lines += [*errors_table(study.rows, split), ""]
        if distrusted and any(r.verdict != DISTRUST for r in rows):
            names = ", ".join(f"`{label}` (GOMAXPROCS={procs})" for label, procs in sorted(distrusted))
            lines += [
                f'Without the models whose verdict is "do not trust" (from a capture: {names}):',
                "",
                *errors_table(study.rows, split, trusted=True),
                "",
            ]
        elif distrusted:
            lines += ['All these models have the verdict "do not trust".', ""]
    return lines


def _programs(study: Study) -> Lines:
    body = []
    for case in CASES:
        mine = [row for row in chosen(study.rows, split=case.split) if row.label == case.label]
        cells = []
        for metric in _SHORT_NAMES:
            found = figures(of_metric(mine, metric))
            cells.append(f"{pair_cell(found.median, found.p90)}, {percent(found.coverage)}")
        body.append([f"`{case.label}`", *cells])
    return [
        "## By program",
        "",
        "From a capture: median error (90th percentile), and the share inside the interval.",
        "",
        *table(["case", *_SHORT_NAMES.values()], body),
        "",
    ]


def _worst(study: Study) -> Lines:
    rows = [row for split in SPLITS for row in chosen(study.rows, split=split) if row.metric in METRICS]
    worst = sorted(rows, key=_badness, reverse=True)[:_WORST]
    body = [
        [f"`{r.label}`", setting_cell(r.gogc, r.limit_mib), str(r.procs), NAMES[r.metric],
         amount_cell(r.metric, r.observed), amount_cell(r.metric, r.predicted),
         f"{amount_cell(r.metric, r.low)} to {amount_cell(r.metric, r.high)}"]
        for r in worst
    ]  # fmt: skip
    head = ["case", "setting", "Ps", "metric", "observed", "predicted", "90 % interval"]
    return ["## The largest errors", "", "From a capture, as ratios:", "", *table(head, body), ""]


def _badness(row: Row) -> float:
    ratio = row.predicted / row.observed
    return max(ratio, 1.0 / max(ratio, 1e-9))


def _left_out(study: Study) -> Lines:
    if not study.left_out:
        return []
    reasons: dict[str, list[str]] = {}
    for name, reason in study.left_out:
        reasons.setdefault(reason, []).append(name)
    return [
        "## Runs left out",
        "",
        *(f"- {reason}: {_names(names)}" for reason, names in reasons.items()),
        "",
    ]


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
