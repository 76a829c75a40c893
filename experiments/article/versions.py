"""Pauses by Go version."""

from pathlib import Path
from statistics import fmean

from experiments.article.arms import DATA, GO, capture, load, of_arm, orders, run_arms, save
from experiments.article.claims import Claim
from experiments.article.compared import model_of, pairs, predict, summary, table
from gcsim.units import format_seconds

NAME = "versions"
_GREEN_TEA = 26  # the first minor version with Green Tea marking
LOAD = ("-rate", "5000")
VERSIONS = ("1.19.8", "1.21.13", "1.22.10", "1.23.9", "1.24.11", "1.25.5", "1.26.6", GO)
BASE = orders(GO, *LOAD, seconds=7.0)
ARMS = tuple(orders(go, *LOAD, go=go, seconds=7.0) for go in VERSIONS)
_OLD = Claim(
    claim="Pauses of Go 1.4, and of Go 1.5 to 1.11",
    verdict="not testable",
    why="no toolchain before 1.19 can be had here from Debian or PyPI",
)
_NOT_RUN = Claim(
    claim="Pauses of Go 1.12 and later are one class",
    verdict="not testable",
    why="this page measures pauses of Go 1.27.3 alone; runs of 1.19 to 1.26 are missing (`versions run`),"
    " and 1.12 to 1.18 cannot be had here",
)
_BARRIER = Claim(
    claim="The hybrid write barrier came in Go 1.12",
    verdict="refuted",
    why="by the source, without a run: it is in the runtime since Go 1.8 (`mbarrier.go`)",
)


def run(out: Path) -> None:
    """The calibrated run, then every version; 135 s."""
    capture(NAME, BASE, out)
    save(NAME, run_arms(ARMS), out)


def claims() -> list[Claim]:
    """The verdicts; what can be had here decides."""
    if not (DATA / f"{NAME}.json").exists():
        return [_OLD, _NOT_RUN, _BARRIER]
    runs = load(NAME)
    older = [one for one in ARMS if int(one.plan.go_version.split(".")[1]) < _GREEN_TEA]
    newer = [one for one in ARMS if one not in older]
    longest = [
        fmean(value for arm in group for value in of_arm(runs, arm.name, "stw_max_seconds"))
        for group in (older, newer)
    ]
    medians = [value for arm in ARMS for value in of_arm(runs, arm.name, "stw_p50_seconds")]
    return [
        _OLD,
        Claim(
            claim="Pauses of Go 1.12 and later are one class",
            verdict="reproduced in part",
            why=f"of eight versions from 1.19 to 1.27: medians {format_seconds(min(medians))} to"
            f" {format_seconds(max(medians))}; the longest pause of a run {format_seconds(longest[0])} on average up to"
            f" 1.25, and {format_seconds(longest[1])} from 1.26 on;"
            " 1.12 to 1.18 were not run",
        ),
        _BARRIER,
    ]


def section() -> str:
    """Pauses of every version, and the predictions of a model that comes from the newest."""
    metrics = ("stw_p50_seconds", "stw_p99_seconds", "stw_max_seconds", "gc_cpu_fraction")
    found = pairs(metrics, load(NAME), predict(model_of(NAME), ARMS), BASE.name)
    return f"{table(found)}\n\n{summary(found)}"
