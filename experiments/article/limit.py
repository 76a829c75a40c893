"""GOGC=50 with GOMEMLIMIT=8G against the defaults: pauses, swings of memory, and out-of-memory kills."""

import sys
from pathlib import Path

from experiments.article.arms import Observed, capture, orders, run_arms, save
from experiments.rules.study import CASES, Predicted, build, run_rule

NAME = "limit"
LOAD = ("-rate", "8000")
# The article's service peaks at 3.2 GB with the defaults, ours at 165 MiB: 8 GB x 165 / 3200, to 10 MiB
LIMIT_MIB = 410
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
_TIMES = 3


def run(out: Path) -> None:
    """The calibrated run, every setting, then every setting in a container (root, Linux); 220 s."""
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
            one = run_rule(case, binary, rule)
            values = {"end": float(ENDS.index(one.end)), "anonymous_peak_bytes": round(one.anonymous_mib) * 2.0**20}
            found.append(Observed(arm=f"container, {name}", repeat=repeat, values=values))
            sys.stderr.write(f"container, {name}, run {repeat}: {one.end}\n")
    return found
