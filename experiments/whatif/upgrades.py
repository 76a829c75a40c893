"""Real upgrades of Go: GC CPU on the new version over the prediction from a log of the old one.

python -m experiments.whatif.upgrades     print the rows and the width that the development programs ask for

The programs are those that the validation ran on all versions, open and closed loops. The width of the interval of
``--go`` is chosen on the development programs.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from experiments.capture import MAX_FOREIGN_CPU, RunPlan
from experiments.validation.matrix import CAPTURES, LOADS, plans
from experiments.validation.observations import Observation, captured_plans, observe
from gcsim.api import calibrate
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.engine.simulate import simulate
from gcsim.engine.summary.intervals import GREEN_TEA_LEAST_COST, OTHER_GO_ERROR, Z90
from gcsim.goruntime.versions import rules_for
from gcsim.metrics import Estimate
from gcsim.service.model import Model

PAIRS = (
    ("1.21.13", "1.26.6"),
    ("1.21.13", "1.27.3"),
    ("1.25.5", "1.26.6"),
    ("1.25.5", "1.27.3"),
    ("1.21.13", "1.25.5"),
    ("1.26.6", "1.27.3"),
    ("1.27.3", "1.21.13"),
)
METRIC = "gc_cpu_fraction"
_REPLICAS = 16
_COVERAGE = 0.90
_WIDTHS = tuple(0.005 * i for i in range(400))
_FACTORS = tuple(1.0 + 0.02 * i for i in range(51))
REACH = -math.log(GREEN_TEA_LEAST_COST) / Z90


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """GC CPU of one program on another version than the calibrated one."""

    program: str
    design: bool  # whether widths may be chosen on it
    loop: str
    old: str
    new: str
    gogc: int
    observed: float
    predicted: Estimate
    before: float  # observed on the old version at GOGC=100

    @property
    def green_tea(self) -> int:
        """1 if only the new version has Green Tea marking, -1 if only the old one has."""
        return int(rules_for(_short(self.new)).green_tea) - int(rules_for(_short(self.old)).green_tea)

    @property
    def ratio(self) -> float:
        """Observed / predicted."""
        return self.observed / self.predicted.value

    @property
    def free(self) -> tuple[float, float]:
        """Widths of the interval below and above without those of another version; standard deviations."""
        value, green_tea = self.predicted.value, self.green_tea
        below = math.log(value / self.predicted.low) / Z90
        above = math.log(self.predicted.high / value) / Z90
        return (
            _less(below, OTHER_GO_ERROR, REACH if green_tea > 0 else 0.0),
            _less(above, OTHER_GO_ERROR, REACH if green_tea < 0 else 0.0),
        )

    def would_hold(self, error: float, reach: float) -> bool:
        """Whether the interval would hold the outcome with other widths, both standard deviations."""
        below, above = self.free
        if self.ratio < 1.0:
            return -math.log(self.ratio) <= Z90 * math.hypot(
                below, error, reach if self.green_tea > 0 else 0.0
            )
        return math.log(self.ratio) <= Z90 * math.hypot(above, error, reach if self.green_tea < 0 else 0.0)


def _less(width: float, *parts: float) -> float:
    return math.sqrt(max(width**2 - math.fsum(one**2 for one in parts), 0.0))


def needed_widths(found: Sequence[Upgrade]) -> tuple[float, float]:
    """(error of another version, least cost with Green Tea) that the development programs ask for.

    Each is the smallest width at which nine of ten runs are inside, every program with the same weight, times the
    factor at which that holds for programs left out one by one.
    """
    chosen = [one for one in found if one.design]
    programs = sorted({one.program for one in chosen})
    without = {name: _smallest([one for one in chosen if one.program != name]) for name in programs}

    def left_out(crosses: bool, error_factor: float, reach_factor: float) -> float:
        shares = []
        for name, (error, reach) in without.items():
            own = [one for one in chosen if one.program == name and bool(one.green_tea) == crosses]
            held = [one.would_hold(error_factor * error, reach_factor * reach) for one in own]
            shares.append(sum(held) / len(held))
        return sum(shares) / len(shares)

    first = next(one for one in _FACTORS if left_out(False, one, 1.0) >= _COVERAGE)
    second = next(one for one in _FACTORS if left_out(True, first, one) >= _COVERAGE)
    error, reach = _smallest(chosen)
    return first * error, math.exp(-Z90 * second * reach)


def _smallest(chosen: Sequence[Upgrade]) -> tuple[float, float]:
    """(error of another version, reach of Green Tea), standard deviations, without a factor."""
    same = [one for one in chosen if not one.green_tea]
    across = [one for one in chosen if one.green_tea]
    error = next(one for one in _WIDTHS if _held(same, one, 0.0) >= _COVERAGE)
    return error, next(one for one in _WIDTHS if _held(across, error, one) >= _COVERAGE)


def _held(chosen: Sequence[Upgrade], error: float, reach: float) -> float:
    """The share of runs inside, every program with the same weight."""
    runs = Counter(one.program for one in chosen)
    return sum(one.would_hold(error, reach) / runs[one.program] for one in chosen) / len(runs)


def upgrades(pairs: Iterable[tuple[str, str]] = PAIRS) -> list[Upgrade]:
    """Every pair of versions of every program with runs on all versions."""
    found = []
    for load in LOADS:
        if not load.everywhere:
            continue
        for old, new in pairs:
            home = _run(load.label, old, 100)
            if isinstance(home, str):
                continue
            model = _model(load.label, old)
            for gogc in (100, 50, 400):
                one = _run(load.label, new, gogc)
                if isinstance(one, str) or not one.metrics.get(METRIC, 0.0) > 0:
                    continue
                (run,) = simulate(
                    model,
                    [one.settings],
                    duration_seconds=max(one.window_seconds, 5.0),
                    replicas=_REPLICAS,
                )
                found.append(
                    Upgrade(
                        program=load.label,
                        design=load.design,
                        loop=model.loop,
                        old=old,
                        new=new,
                        gogc=gogc,
                        observed=one.metrics[METRIC],
                        predicted=run.metrics[METRIC],
                        before=home.metrics[METRIC],
                    )
                )
    return found


@cache
def _runs() -> dict[tuple[str, str, int], RunPlan]:
    chosen = [
        plan
        for plan in captured_plans(plans(), CAPTURES)
        if plan.gomaxprocs == 2 and plan.gomemlimit_bytes is None and plan.gogc and plan.repeat == 1
    ]
    return {(plan.label, plan.go_version, plan.gogc): plan for plan in chosen if plan.gogc}


@cache
def _run(label: str, go: str, gogc: int) -> Observation | str:
    plan = _runs().get((label, go, gogc))
    return "no run" if plan is None else observe(plan, CAPTURES, max_foreign_cpu=MAX_FOREIGN_CPU)


@cache
def _model(label: str, go: str) -> Model:
    home = _run(label, go, 100)
    assert isinstance(home, Observation)
    stated = Overrides(loop="closed" if home.closed_loop else "open")
    return calibrate(home.trace, name=label, overrides=stated, fit_check=False).model


def _short(go: str) -> str:
    return ".".join(go.split(".")[:2])


def main() -> None:
    """Print the rows."""
    found = upgrades()
    for one in found:
        print(
            f"{one.program:11} {'dev ' if one.design else 'held'} {one.loop:6} {one.old:8} -> {one.new:7}"
            f" GOGC={one.gogc:3} before {100 * one.before:6.2f} % predicted {100 * one.predicted.value:6.2f} %"
            f" ({100 * one.predicted.low:.2f} to {100 * one.predicted.high:.2f}) observed {100 * one.observed:6.2f} %"
            f" ratio {one.ratio:.2f}{'' if one.predicted.contains(one.observed) else ' OUT'}"
        )
    print(upgrade_table(found))
    error, cost = needed_widths(found)
    print(f"development programs ask for an error of {error:.3f} and a least cost of {cost:.2f}")


def upgrade_table(found: Sequence[Upgrade]) -> str:
    """Observed / predicted by versions and split, as a table."""
    lines = [
        "| from | to | programs | runs | observed / predicted, median | 5 to 95 % of runs | inside the 90 % interval |",
        "|---|---|---|---|---|---|---|",
    ]
    for old, new in PAIRS:
        for design in (True, False):
            part = [one for one in found if (one.old, one.new, one.design) == (old, new, design)]
            if part:
                low, middle, high = np.quantile([one.ratio for one in part], (0.05, 0.5, 0.95))
                inside = sum(one.predicted.contains(one.observed) for one in part)
                split = "development" if design else "held out"
                lines.append(
                    f"| {old} | {new} | {split} | {len(part)} | {middle:.2f} | {low:.2f} to {high:.2f} |"
                    f" {inside} of {len(part)} |"
                )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
