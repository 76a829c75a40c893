"""GOGC=50 with GOMEMLIMIT=8G against the defaults: pauses, swings of memory, and out-of-memory kills."""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from experiments.article.arms import Observed, capture, load, mean, of_arm, orders, run_arms, save
from experiments.article.claims import Claim
from experiments.article.compared import SWING, model_of, observed, pairs, predict, summary, table
from experiments.priority import high_priority
from experiments.rules.study import CASES, SECONDS, Predicted, build, run_rule
from gcsim.api import calibrate
from gcsim.engine.simulate import simulate
from gcsim.tuning.chances import Chances, chances
from gcsim.tuning.memory_budget import memory_budget
from gcsim.units import MIB, format_percent, format_seconds, parse_gogc, parse_gomemlimit

NAME = "limit"
LOAD = ("-rate", "5000")
# The article's service peaks at 3.2 GB with the defaults, ours at 115 MiB: 8 GB x 115 / 3200, to 10 MiB
LIMIT_MIB = 290
BASE = orders("defaults", *LOAD)
ARMS = (
    BASE,
    orders("GOGC=50", *LOAD, gogc=50),
    orders("limit", *LOAD, limit_mib=LIMIT_MIB),
    orders("GOGC=50 and limit", *LOAD, gogc=50, limit_mib=LIMIT_MIB),
)
CONTAINER_MIB = 160  # below the peak of the defaults, above that of GOGC=50
CONTAINED = {
    "defaults": ("100", "off"),
    "GOGC=50": ("50", "off"),
    "limit": ("100", f"{LIMIT_MIB}MiB"),
    "GOGC=50 and limit": ("50", f"{LIMIT_MIB}MiB"),
    "limit of 0.9 of the container": ("100", f"{CONTAINER_MIB * 9 // 10}MiB"),
}
ENDS = ("kept", "killed", "stalls")
_TIMES = 2


def run(out: Path) -> None:
    """The calibrated run, every setting, then every setting in a container (root, Linux); 165 s."""
    capture(NAME, BASE, out)
    save(NAME, [*run_arms(ARMS), *run_contained()], out)


def run_contained() -> list[Observed]:
    """The ends of closed-loop runs in a container; ``end`` is the place in ENDS."""
    case = next(one for one in CASES if one.program == "orders")
    binary = build(case.program)
    found = []
    for repeat in range(1, _TIMES + 1):
        for name, (gogc, limit) in CONTAINED.items():
            rule = Predicted(
                program=case.program, memory_mib=CONTAINER_MIB, rule=name,
                environment={"GOGC": gogc, "GOMEMLIMIT": limit}, fits=0.0, killed=0.0, gc_cpu=(0.0, 0.0, 0.0),
            )  # fmt: skip
            with high_priority():
                one = run_rule(case, binary, rule)
            values = {
                "end": float(ENDS.index(one.end)),
                "anonymous_peak_bytes": round(one.anonymous_mib) * 2.0**20,
            }
            found.append(Observed(arm=f"container, {name}", repeat=repeat, values=values))
            sys.stderr.write(f"container, {name}, run {repeat}: {one.end}\n")
    return found


def claims() -> list[Claim]:
    """The verdicts by the committed runs."""
    runs = load(NAME)
    arms = ("defaults", "GOGC=50 and limit")
    tails = [of_arm(runs, arm, "stw_p99_seconds") for arm in arms]
    means = [format_seconds(statistics.fmean(one)) for one in tails]
    every = sorted(value for one in tails for value in one)
    medians = [format_seconds(mean(runs, arm, "stw_p50_seconds")) for arm in arms]
    swings = [statistics.fmean(observed(runs, arm, SWING)) for arm in arms]
    killed = {name: sum(end == "killed" for end in ends_of(runs, name)) for name in CONTAINED}
    return [
        Claim(
            claim="GOGC=50 and GOMEMLIMIT=8G: p99 pause 12.4 → 7.1 ms",
            verdict="refuted",
            why=f"p99 of pauses {' → '.join(means)}, where single runs of both have {format_seconds(every[0])} to"
            f" {format_seconds(every[-1])}; median {' → '.join(medians)}. A pause does not depend on"
            " the size of the heap",
        ),
        Claim(
            claim="… memory swings by ±12 % instead of ±35 %",
            verdict="reproduced in part",
            why=f"the heap swings by ±{100 * swings[0]:.0f} % → ±{100 * swings[1]:.0f} %; all of it comes from GOGC,"
            " and ±12 % would need GOGC=27",
        ),
        Claim(
            claim="… OOM kills 1.2 % a day → 0",
            verdict="not testable",
            why="a rate per day depends on the container and on bursts that the article does not give. In a container"
            f" of {CONTAINER_MIB} MiB {killed['defaults']} of {_TIMES} runs with the defaults were killed,"
            f" {killed['limit']} with the limit alone, {killed['GOGC=50 and limit']} with GOGC=50 and the limit,"
            f" {killed['limit of 0.9 of the container']} with a limit of 0.9 of the container",
        ),
    ]


def ends_of(runs: Sequence[Observed], name: str) -> list[str]:
    """The ends of the runs in the container."""
    return [ENDS[int(place)] for place in of_arm(runs, f"container, {name}", "end")]


def section() -> str:
    """Pauses, swings and peaks; then the ends in the container."""
    runs = load(NAME)
    metrics = ("stw_p50_seconds", "stw_p99_seconds", SWING, "rss_peak_bytes")
    found = pairs(metrics, runs, predict(model_of(NAME), ARMS), BASE.name)
    latency = ", ".join(
        f"{arm.name} {format_seconds(mean(runs, arm.name, 'request_p99_seconds'))}" for arm in ARMS
    )
    lines = [
        table(found), "", summary(found), "", f"p99 of request latency, mean of the runs: {latency}.", "",
        f"| in a container of {CONTAINER_MIB} MiB | GOGC | GOMEMLIMIT | predicted: fits | killed | runs |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, (gogc, limit) in CONTAINED.items():
        odds = _chances(gogc, limit)
        ends = ", ".join(ends_of(runs, name))
        cells = [name, gogc, limit, format_percent(odds.fits, 2), format_percent(odds.killed, 2), ends]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _chances(gogc: str, limit: str) -> Chances:
    """Of the closed-loop order service in the container, by the model of the rules of thumb."""
    case = next(one for one in CASES if one.program == "orders")
    model = calibrate(case.log, name=case.program, fit_check=False).model
    settings = replace(model.settings, gogc=parse_gogc(gogc), gomemlimit_bytes=parse_gomemlimit(limit))
    (run,) = simulate(model, [settings], duration_seconds=SECONDS, replicas=16)
    kernel = memory_budget(model, seed=1).kernel_bytes
    return chances(run, CONTAINER_MIB * MIB, kernel_bytes=kernel)
