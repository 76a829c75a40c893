"""Our pacer against the runtime's own, in every cycle of Go's nineteen pacer scenarios."""

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from gcsim.errors import InputError
from gcsim.goruntime.study.pacer_scenario import INPUTS, INTEGER_INPUTS, OUTPUTS, run_pacer_scenario
from gcsim.units import MAX_INT64

DATA = Path(__file__).parent / "data"
FILES = {
    "1.19": "pacer-go1.19.csv",
    **{f"1.{minor}": "pacer-go1.21-to-1.27.csv" for minor in range(21, 28)},
}


@cache
def scenarios(file: str) -> dict[str, list[dict[str, str]]]:
    """The rows of a golden file, by scenario."""
    with (DATA / file).open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {name: [row for row in rows if row["scenario"] == name] for name in {r["scenario"] for r in rows}}


def inputs(rows: list[dict[str, str]]) -> dict[str, list[float]]:
    """The input columns of a scenario, integers exact."""
    return {
        name: [int(row[name]) if name in INTEGER_INPUTS else float(row[name]) for row in rows]
        for name in INPUTS
    }


@pytest.mark.parametrize("go", FILES)
def test_every_cycle_equals_the_runtimes(go: str) -> None:
    """Marked, trigger, peak and goal to the byte, times to the nanosecond, utilisation to the last bit."""
    cycles = 0
    for name, rows in scenarios(FILES[go]).items():
        ours = run_pacer_scenario(inputs(rows), go=go)
        for output in OUTPUTS:
            real = [float(row[output]) if output == "gc_utilization" else int(row[output]) for row in rows]
            np.testing.assert_array_equal(ours[output], real, err_msg=f"{name}, {output}")
        cycles += len(rows)
    assert cycles == 1100


@pytest.mark.parametrize("go", ["1.19", "1.20", "1.21", "1.27"])
def test_go_own_assertions_hold(go: str) -> None:
    """The settled cycles of Go's test: steady scenarios reach 25 % and the goal, an exceeded limit 100 %."""
    rows = scenarios(FILES.get(go, FILES["1.19"]))
    for name in ("Steady", "SteadyBigStacks", "SteadyBigGlobals", "SteadyMemoryLimit", "MaintainMemoryLimit"):
        ours = run_pacer_scenario(inputs(rows[name]), go=go)
        settled = slice(24, None)
        np.testing.assert_allclose(ours["gc_utilization"][settled], 0.25, rtol=0, atol=0.005)
        np.testing.assert_allclose(ours["peak_bytes"][settled] / ours["goal_bytes"][settled], 1.0, atol=0.05)
    ours = run_pacer_scenario(inputs(rows["ExceedMemoryLimit"]), go=go)
    assert (ours["goal_bytes"][12:] == ours["heap_marked_bytes"][12:]).all()
    np.testing.assert_allclose(ours["gc_utilization"][24:], 1.0, rtol=0, atol=0.005)


def test_versions_differ_where_the_runtime_changed() -> None:
    """1.19, 1.20 and 1.21 smooth cons/mark differently: three different runs of one jittery scenario."""
    columns = inputs(scenarios(FILES["1.21"])["HeavyJitterAlloc"])
    runs = {
        go: run_pacer_scenario(columns, go=go)["trigger_bytes"].tolist() for go in ("1.19", "1.20", "1.21")
    }
    assert len({tuple(run) for run in runs.values()}) == 3
    assert runs["1.21"] == run_pacer_scenario(columns, go="go1.27.3")["trigger_bytes"].tolist()


STEADY = {
    "gc_percent": [100, 100],
    "memory_limit_bytes": [MAX_INT64, MAX_INT64],
    "globals_bytes": [32768, 32768],
    "gomaxprocs": [8, 8],
    "alloc_rate_kib_per_cpu_ms": [33.0, 33.0],
    "scan_rate_kib_per_cpu_ms": [1024.0, 1024.0],
    "growth_rate": [2.0, 2.0],
    "scannable_fraction": [1.0, 1.0],
    "stack_bytes": [8192, 8192],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"growth_rate": [2.0]}, "growth_rate 1"),
        ({"growth_rate": [2.0, float("nan")]}, "'growth_rate', cycle 2"),
        ({"alloc_rate_kib_per_cpu_ms": [-1.0, 33.0]}, "'alloc_rate_kib_per_cpu_ms', cycle 1"),
        ({"globals_bytes": [-1, 0]}, "'globals_bytes', cycle 1"),
        ({"stack_bytes": [float("nan"), 0.0]}, "'stack_bytes'"),
        ({"stack_bytes": [0.5, 0.0]}, "not a whole number"),
        ({"gc_percent": [-2, 100]}, "'gc_percent', cycle 1"),
        ({"gomaxprocs": [0, 8]}, "'gomaxprocs', cycle 1"),
        ({"scan_rate_kib_per_cpu_ms": [0.0, 1.0], "alloc_rate_kib_per_cpu_ms": [0.0, 0.0]}, "never ends"),
        ({"grow_rate": [2.0, 2.0]}, "nearest is 'growth_rate'"),
    ],
)
def test_bad_columns_are_refused(change: dict[str, list[float]], message: str) -> None:
    """One sentence names the column, the cycle and the mend."""
    with pytest.raises(InputError, match=message):
        run_pacer_scenario({**STEADY, **change}, go="1.27")


def test_a_missing_column_is_named() -> None:
    """Leaving out a column is an error that names it."""
    columns = {name: values for name, values in STEADY.items() if name != "stack_bytes"}
    with pytest.raises(InputError, match="missing column stack_bytes"):
        run_pacer_scenario(columns, go="1.27")


def test_versions_without_this_pacer_are_refused() -> None:
    """Scenarios run from Go 1.19 on, and an unknown version names the nearest."""
    with pytest.raises(InputError, match=r"1\.19"):
        run_pacer_scenario(STEADY, go="1.17")
    with pytest.raises(InputError, match=r"nearest"):
        run_pacer_scenario(STEADY, go="1.99")


def test_float_columns_mean_the_same_as_integers() -> None:
    """A table read as float64, where a limit that is off has become 2^63, gives the same run."""
    as_floats = {name: np.array(values, dtype=np.float64) for name, values in STEADY.items()}
    expected = run_pacer_scenario(STEADY, go="1.27")
    for name, values in run_pacer_scenario(as_floats, go="1.27").items():
        np.testing.assert_array_equal(values, expected[name])
