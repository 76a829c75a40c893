"""The two older pacers against the public model of them.

Six scenarios without random inputs are rebuilt from their description and compared with published summary
figures. Where the model's full output lies beside the project (../shared/golden), every cycle of all 34 sane
runs is compared too.
"""

import csv
import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from gcsim.goruntime.study.pacer_reference import ReferenceCycle, ReferenceInput, run_go116, run_go117
from gcsim.units import KIB, MIB

PACERS = {"go116": run_go116, "go117": run_go117}
OUTPUT_BESIDE_THE_PROJECT = Path(__file__).parents[2].parent / "shared" / "golden" / "pacers-before-1.19.csv"


def scenario(
    length: int,
    alloc_rate: Callable[[int], float],
    stack_bytes: Callable[[int], int] = lambda _: 8 * KIB,
    globals_bytes: int = 32 * KIB,
) -> list[ReferenceInput]:
    """GOGC=100, 2 MiB live at first, growing from 2 to 1 in eight cycles, scanned at 31, no target."""
    return [
        ReferenceInput(
            gamma=2.0,
            globals_bytes=globals_bytes,
            initial_live_bytes=2 * MIB,
            alloc_rate=alloc_rate(k),
            scan_rate=31.0,
            growth_rate=2.0 - min(k, 8) / 8,
            scannable_fraction=1.0,
            stack_bytes=stack_bytes(k),
            heap_target_bytes=-1,
        )
        for k in range(length)
    ]


SCENARIOS = {
    "steady": scenario(50, lambda _: 1.0),
    "step-alloc": scenario(100, lambda k: 1.0 if k <= 50 else 2.0),
    "heavy-step-alloc": scenario(100, lambda k: 1.0 if k <= 50 else 11.0),
    "big-stacks": scenario(50, lambda _: 4.0, lambda k: 2 * KIB + 128 * MIB * min(k, 8) // 8),
    "big-globals": scenario(50, lambda _: 4.0, globals_bytes=128 * MIB),
    "osc-alloc": scenario(50, lambda k: 2.0 + 0.4 * math.sin(2 * math.pi * (k % 8) / 8)),
}

# mean utilisation of the last ten cycles, its maximum from the second cycle, mean overshoot of the last ten
# and its maximum (%), and the last cycle's goal, trigger, peak, live (MiB) and r
FIGURES = {
    ("big-globals", "go116"): (0.2574, 0.2607, 17.65, 93.53, 250.54, 200.43, 294.77, 125.27, 0.5000),
    ("big-globals", "go117"): (0.2500, 0.3201, -0.00, 3.65, 518.64, 418.25, 518.63, 131.31, 0.3871),
    ("big-stacks", "go116"): (0.2574, 0.3501, 17.66, 93.72, 250.57, 200.46, 294.81, 125.28, 0.5000),
    ("big-stacks", "go117"): (0.2500, 0.3201, -0.00, 3.21, 518.72, 418.32, 518.71, 131.33, 0.3871),
    ("heavy-step-alloc", "go116"): (0.4495, 0.8086, 2.51, 3.86, 112.51, 90.01, 115.33, 56.25, 0.5000),
    ("heavy-step-alloc", "go117"): (0.4699, 0.7857, 0.00, 3.74, 103.28, 82.61, 103.28, 51.60, 1.0646),
    ("osc-alloc", "go116"): (0.2843, 0.3157, 0.63, 9.31, 72.95, 67.67, 73.53, 36.79, 0.1561),
    ("osc-alloc", "go117"): (0.3014, 0.5090, -1.18, 7.50, 69.23, 63.03, 69.23, 37.13, 0.1792),
    ("steady", "go116"): (0.2858, 0.2858, 0.19, 3.86, 67.30, 64.71, 67.43, 33.65, 0.0800),
    ("steady", "go117"): (0.2500, 0.3201, -0.00, 3.74, 68.57, 65.26, 68.57, 34.25, 0.0968),
    ("step-alloc", "go116"): (0.2732, 0.4385, 0.77, 3.86, 74.71, 68.86, 75.28, 37.35, 0.1699),
    ("step-alloc", "go117"): (0.2500, 0.4000, -0.00, 3.74, 76.80, 69.37, 76.80, 38.36, 0.1936),
}


@pytest.mark.parametrize(("name", "pacer"), FIGURES)
def test_rebuilt_scenarios_give_the_published_figures(name: str, pacer: str) -> None:
    """Utilisation to four digits, overshoot and sizes to two, as the public model printed them."""
    cycles = PACERS[pacer](SCENARIOS[name])
    utilization = np.array([cycle.gc_utilization for cycle in cycles])
    overshoot = np.array([100 * (cycle.peak_bytes / cycle.goal_bytes - 1) for cycle in cycles])
    last = cycles[-1]
    sizes = (last.goal_bytes, last.trigger_bytes, last.peak_bytes, last.live_bytes)
    ours = [
        *(utilization[-10:].mean(), utilization[1:].max()),
        *(overshoot[-10:].mean(), overshoot[1:].max()),
        *(size / MIB for size in sizes),
        last.r,
    ]
    digits = [4, 4, 2, 2, 2, 2, 2, 2, 4]
    for figure, published, places in zip(ours, FIGURES[name, pacer], digits, strict=True):
        assert abs(figure - published) <= 0.51 * 10**-places


@pytest.fixture(scope="module")
def published_runs() -> dict[tuple[str, str], list[dict[str, str]]]:
    """The public model's rows by (pacer, scenario), where its output lies beside the project."""
    if not OUTPUT_BESIDE_THE_PROJECT.exists():
        pytest.skip("the public model's full output (pacers-before-1.19.csv) is not beside the project")
    runs: dict[tuple[str, str], list[dict[str, str]]] = {}
    with OUTPUT_BESIDE_THE_PROJECT.open(newline="") as lines:
        for row in csv.DictReader(lines):
            runs.setdefault((row["pacer"], row["scenario"]), []).append(row)
    return runs


def first_difference(pacer: str, rows: list[dict[str, str]]) -> tuple[int, str] | None:
    """The first cycle and column where our run is not the published one: integers equal, floats to 1e-12."""
    types = {field.name: field.type for field in (*fields(ReferenceInput), *fields(ReferenceCycle))}

    def read(row: dict[str, str], name: str) -> float:
        return int(row[name]) if types[name] is int else float(row[name])

    inputs = [
        ReferenceInput(**{field.name: read(row, field.name) for field in fields(ReferenceInput)})  # type: ignore[arg-type]  # read by name
        for row in rows
    ]
    for number, (ours, row) in enumerate(zip(PACERS[pacer](inputs), rows, strict=True), start=1):
        for field in fields(ReferenceCycle):
            figure, published = getattr(ours, field.name), read(row, field.name)
            if not math.isclose(figure, published, rel_tol=1e-12 if field.type is float else 0, abs_tol=0):
                return number, field.name
    return None


OVERFLOWS = {  # the first cycle whose distance from trigger to goal wraps in the public model
    ("go116", "high-noise-high-heap-target"): 4,
    ("go116", "low-noise-high-heap-target"): 49,
}


def test_every_cycle_equals_the_public_models(
    published_runs: dict[tuple[str, str], list[dict[str, str]]],
) -> None:
    """All 34 sane runs are equal in every cycle, and the other two up to the overflow that spoils them."""
    assert len(published_runs) == 36
    differences = {key: first_difference(key[0], rows) for key, rows in published_runs.items()}
    assert {key: found[0] for key, found in differences.items() if found} == OVERFLOWS


def test_rebuilt_inputs_are_the_published_ones(
    published_runs: dict[tuple[str, str], list[dict[str, str]]],
) -> None:
    """The six scenarios rebuilt here have, to the last bit, the inputs that the public model was given."""
    for name, cycles in SCENARIOS.items():
        rows = published_runs["go117", name]
        assert len(rows) == len(cycles)
        for field in fields(ReferenceInput):
            published = [float(row[field.name]) for row in rows]
            assert [float(getattr(cycle, field.name)) for cycle in cycles] == published, (name, field.name)
