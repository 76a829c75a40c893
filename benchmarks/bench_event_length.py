"""Event runs of the needed length next to full ones: how far the intervals are apart, and the share of the CPU time.

``python -m benchmarks.bench_event_length [MODEL ...]`` takes shipped models, model files and captured programs such as
``gateway`` or ``kvstore-p4`` (GOGC=100 on Go 1.27). It simulates 32 replicas of each twice, in this process, and prints
a row of the table in docs/explanation/model.md. A full run of 32 replicas takes a minute or more. A distance is

    log(needed / full) / half the width of the full interval on the log scale

The CPU time of the needed runs is a ratio to a loop of plain Python before and after.
"""

import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import gcsim
from gcsim.engine.plan import Plan
from gcsim.engine.run import Run
from gcsim.engine.simulate import simulate
from gcsim.metrics import Estimate
from gcsim.service.model import Model

CASES = ("order-service", "order-service-open", "gateway", "kvstore-p4")
CAPTURES = Path(__file__).parents[1] / "experiments" / "validation" / "captures"
LEAST_WIDTH = 0.01  # narrower intervals, such as the throughput of an open loop, are compared with this width
_STEPS = 3_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Needed and full runs of one model."""

    full: Run
    needed: Run
    cpu_share: float  # CPU time of the needed runs over that of the full ones
    loops: float  # CPU time of the needed runs over that of a loop of three million steps of plain Python

    def distances(self) -> dict[str, float]:
        """The largest distance of value, low and high, by metric."""
        pairs = {name: (each, self.needed.metrics[name]) for name, each in self.full.metrics.items()}
        return {name: _distance(*pair) for name, pair in pairs.items() if pair[0].low > 0}


def _distance(full: Estimate, needed: Estimate) -> float:
    half = max(math.log(full.high / full.low) / 2.0, LEAST_WIDTH)
    ends = ((full.low, needed.low), (full.value, needed.value), (full.high, needed.high))
    return max(abs(math.log(new / old)) for old, new in ends if new > 0) / half


def compare(model: Model, replicas: int = 32, **changes: float) -> Comparison:
    """Simulates the model's own setting with both lengths; ``changes`` are of the plan."""
    plan = Plan(engine="des", replicas=replicas).changed(**changes)  # type: ignore[arg-type]  # numbers only
    loop_s = _loop_seconds()
    full, full_s = _timed(model, plan)
    needed, needed_s = _timed(model, plan.changed(length="needed"))
    loop_s = (loop_s + _loop_seconds()) / 2.0
    return Comparison(full=full, needed=needed, cpu_share=needed_s / full_s, loops=needed_s / loop_s)


def _timed(model: Model, plan: Plan) -> tuple[Run, float]:
    began = time.process_time()
    (run,) = simulate(model, [model.settings], plan)
    return run, time.process_time() - began


def _loop_seconds() -> float:
    began = time.process_time()
    total = 0
    for step in range(_STEPS):
        total += step & 3
    return time.process_time() - began


def load(name: str) -> Model:
    """A shipped model, a model file, or the model of a captured program."""
    if name.startswith("order-service") or name.endswith(".toml"):
        return Model.load(name)
    from experiments.archive import unpacked

    program, _, procs = name.partition("-p")
    log = unpacked(CAPTURES) / f"{program}-go1.27.3-gogc100-limitoff-p{procs or 2}-r1.log.gz"
    return gcsim.calibrate(log, name=name, fit_check=False).model


def row(name: str, found: Comparison) -> str:
    """The row of the table."""
    distances = sorted(found.distances().items(), key=lambda item: item[1])
    worst, most = distances[-1]
    middle = distances[len(distances) // 2][1]
    simulated = found.needed.simulated
    assert simulated is not None  # by the event engine
    return (
        f"| `{name}` | {simulated.cycles:.0f} | {middle:.2f} | {most:.2f} ({worst}) |"
        f" {100 * found.cpu_share:.0f} % | {found.loops:.0f} |"
    )


def main() -> None:
    """Prints the table."""
    print(
        "| model | cycles per replica | median distance | largest distance | CPU time over full runs | loops |"
    )
    print("|---|---|---|---|---|---|")
    for name in sys.argv[1:] or CASES:
        print(row(name, compare(load(name))), flush=True)


if __name__ == "__main__":
    main()
