"""Ask the real runtime's pacer: random scenarios cycle by cycle, and every rule on random states.

The runtime's test package is compiled with our drivers (``real_pacer/``) laid over its own tests.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments import toolchains
from experiments.toolchains import Toolchain
from gcsim.goruntime.cons_mark import (
    ConsMarkMemory,
    idle_utilization,
    mark_utilization,
    measured_cons_mark,
    next_cons_mark,
)
from gcsim.goruntime.memory_limit import memory_limit_heap_goal_bytes, non_heap_bytes, overage_bytes
from gcsim.goruntime.pacer import (
    assist_ratio,
    gc_percent_heap_goal_bytes,
    heap_goal_bytes,
    heap_minimum_bytes,
    min_trigger_bytes,
    runway_bytes,
    sweep_min_trigger_bytes,
    trigger_bytes,
)
from gcsim.goruntime.study.pacer_scenario import OUTPUTS, run_pacer_scenario
from gcsim.goruntime.versions import rules_for
from gcsim.units import GIB, MAX_INT64, MIB, TIB

DRIVERS = Path(__file__).parent / "real_pacer"


def answers_states(go: str) -> bool:
    """Whether the state driver knows the fields of this Go's pacer: 1.21 and later."""
    return rules_for(go).cons_mark_smoothing == "max_of_five"


class RuntimeTests:
    """The runtime's test binary with our drivers in the place of its tests."""

    def __init__(self, toolchain: Toolchain, directory: Path) -> None:
        self.directory = directory
        self.go = toolchain.version
        runtime = toolchain.source_dir / "runtime"
        overlay = {str(path): "" for path in runtime.glob("*_test.go") if not path.name.startswith("export_")}
        for driver in DRIVERS.glob("*.go"):
            if answers_states(self.go) or "state" not in driver.name:
                overlay[str(runtime / f"gcsim_{driver.name}")] = str(driver)
        overlay_file = directory / "overlay.json"
        overlay_file.write_text(json.dumps({"Replace": overlay}))
        self.binary = directory / "runtime.test"
        command = [
            str(toolchain.go),
            "test",
            "-c",
            "-vet=off",
            "-overlay",
            str(overlay_file),
            "-o",
            str(self.binary),
            "runtime",
        ]
        built = subprocess.run(
            command, env=toolchain.environment, cwd=runtime, capture_output=True, text=True, check=False
        )
        assert built.returncode == 0, built.stderr

    def lines(self, test: str, variable: str, text: str) -> list[list[str]]:
        """What a driver prints for the given input, split into words, its tag left off."""
        given = self.directory / "input"
        given.write_text(text)
        run = subprocess.run(
            [self.binary, "-test.run", f"^{test}$"],
            env={**os.environ, variable: str(given)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return [line.split()[1:] for line in run.stdout.splitlines() if line.startswith(("CYCLE ", "STATE "))]


@pytest.fixture(scope="module")
def runtime_tests(tmp_path_factory: pytest.TempPathFactory) -> RuntimeTests:
    """Built once for the first Go toolchain there is."""
    return RuntimeTests(toolchains.default(), tmp_path_factory.mktemp("runtime"))


def stepped(rng: np.random.Generator, values: list[int], length: int, step_at: int) -> list[int]:
    """One of the values up to a cycle, and one of them from it on."""
    before, after = (int(values[index]) for index in rng.integers(len(values), size=2))
    return [before] * step_at + [after] * (length - step_at)


def random_scenario(rng: np.random.Generator, length: int) -> dict[str, list[Any]]:
    """A scenario whose inputs range over what the runtime accepts, spikes and changed settings included."""
    limits = [MAX_INT64, MAX_INT64, 0, 1, MIB, 5 * MIB, 64 * MIB, 512 * MIB, 8 * GIB, int(rng.integers(GIB))]
    percents = [100, 100, -1, 0, 1, 25, 50, 400, 1500, 100_000, 2**31 - 1, int(rng.integers(1000))]
    step_at = int(rng.integers(1, length)) if rng.random() < 0.3 else 0
    gomaxprocs = stepped(rng, [1, 2, 3, 5, 8, 17, 64, 512], length, step_at)
    globals_bytes = stepped(rng, [0, 0, 32 << 10, 10 * MIB, 128 * MIB], length, step_at)
    stacks = rng.integers(0, int(rng.choice([1, 5, 70_000])), length) * 2048
    growth = np.exp(rng.normal(0.0, 0.1, length)) * np.where(np.arange(length) < 10, rng.uniform(1, 2.5), 1.0)
    growth = np.where(rng.random(length) < 0.05, rng.choice([0.0001, 0.2, 6.0]), growth)
    live = (256 << 10) * np.cumprod(np.append(growth[1:], 1.0))
    growth = np.where(live > 2**34, np.minimum(growth, 1.0), growth)
    most_work = np.maximum.accumulate(live) + np.array(globals_bytes) + stacks
    scan = np.maximum(rng.uniform(1, 2048), most_work / (512 * np.array(gomaxprocs) * 0.25 * 300))
    alloc = scan * np.exp(rng.normal(np.log(rng.choice([1e-4, 0.03, 0.3, 1.0, 3.0])), 0.2, length))
    fraction = np.clip(rng.choice([0.0, 0.01, 0.5, 1.0]) + rng.normal(0, 0.05, length), 0.0, 1.0)
    return {
        "gc_percent": stepped(rng, percents, length, step_at),
        "memory_limit_bytes": stepped(rng, limits, length, step_at),
        "globals_bytes": globals_bytes,
        "gomaxprocs": gomaxprocs,
        "alloc_rate_kib_per_cpu_ms": np.where(rng.random(length) < 0.05, 0.0001, alloc).tolist(),
        "scan_rate_kib_per_cpu_ms": scan.tolist(),
        "growth_rate": np.maximum(growth, 0.0001).tolist(),
        "scannable_fraction": fraction.tolist(),
        "stack_bytes": stacks.tolist(),
    }


def test_random_scenarios_equal_the_runtimes(runtime_tests: RuntimeTests) -> None:
    """Sixty random scenarios of forty cycles give, cycle by cycle, exactly what the real pacer does."""
    rng = np.random.Generator(np.random.PCG64(1))
    scenarios = [random_scenario(rng, 40) for _ in range(60)]
    rows = [(number, *row) for s in scenarios for number, row in enumerate(zip(*s.values(), strict=True))]
    text = "\n".join(" ".join(repr(value) for value in row) for row in rows)
    printed = runtime_tests.lines("TestScenarios", "GCSIM_SCENARIOS", text)
    assert len(printed) == len(rows)

    for index, scenario in enumerate(scenarios):
        real = printed[index * 40 : (index + 1) * 40]
        ours = run_pacer_scenario(scenario, go=runtime_tests.go)
        for name, column in zip(OUTPUTS, zip(*real, strict=True), strict=True):
            read = float.fromhex if name == "gc_utilization" else int
            expected = np.array([read(value) for value in column])
            np.testing.assert_array_equal(
                ours[name], expected, err_msg=f"scenario {index}, {name}: {scenario}"
            )


def random_state(rng: np.random.Generator) -> dict[str, Any]:
    """One state of the pacer, its sizes spread over all magnitudes up to 1 TiB and often equal or zero."""

    def size(largest: int = TIB) -> int:
        return 0 if rng.random() < 0.08 else int(largest ** rng.random())

    marked, mapped = size(), size()
    free = int(mapped * rng.random())
    live = marked + size(GIB)
    return {
        "GCPercent": int(
            rng.choice([-1, 0, 1, 25, 100, 100, 400, 100_000, 2**31 - 1, int(rng.integers(2000))])
        ),
        "MemoryLimit": MAX_INT64 if rng.random() < 0.3 else size(),
        "HeapMarked": marked,
        "HeapScan": size(),
        "StackScan": size(GIB),
        "GlobalsScan": size(GIB),
        "SweepDone": bool(rng.random() < 0.3),
        "ConsMark": float(rng.choice([-1.0, 1.0, 1.0, 1.0]) * 10 ** rng.uniform(-8, 10)),
        "MappedReady": mapped,
        "HeapFree": free,
        "HeapAlloc": int((mapped - free) * rng.random()),
        "HeapLive": live,
        "Triggered": min(marked + size(GIB), live + 5),
        "MaxHeapScan": size(),
        "MaxStackScan": size(GIB),
        "HeapScanWork": size(),
        "StackScanWork": size(GIB),
        "GlobalsScanWork": size(GIB),
        "AssistTime": size(10**9),
        "IdleMarkTime": size(10**9),
        "Duration": size(10**10),
        "Procs": int(rng.integers(1, 513)),
        "LastConsMark": [float(10 ** rng.uniform(-6, 2)) for _ in range(4)],
    }


def our_answer(s: dict[str, Any], go: str) -> list[float]:
    """What our rules say about a state, in the order in which the driver prints."""
    rules = rules_for(go)
    marked, percent = s["HeapMarked"], s["GCPercent"]
    expected_work = s["HeapScan"] + s["StackScan"] + s["GlobalsScan"]
    sweep_min = 0 if s["SweepDone"] else sweep_min_trigger_bytes(marked)
    percent_goal = gc_percent_heap_goal_bytes(
        marked, s["StackScan"], s["GlobalsScan"], percent, heap_minimum_bytes(percent)
    )
    limit_goal = memory_limit_heap_goal_bytes(
        marked,
        s["MemoryLimit"],
        non_heap_bytes(s["MappedReady"], s["HeapFree"], s["HeapAlloc"]),
        overage_bytes(s["MappedReady"], s["MemoryLimit"]),
        rules=rules,
    )
    runway = runway_bytes(s["ConsMark"], expected_work)
    goal = heap_goal_bytes(percent_goal, limit_goal, sweep_min)
    min_trigger = min_trigger_bytes(percent_goal, limit_goal, sweep_min)
    trigger = trigger_bytes(marked, goal, runway, min_trigger, rules=rules)
    mark_goal = heap_goal_bytes(percent_goal, limit_goal, sweep_min, s["Triggered"])
    done = s["HeapScanWork"] + s["StackScanWork"] + s["GlobalsScanWork"]
    max_work = s["MaxHeapScan"] + s["MaxStackScan"] + s["GlobalsScan"]
    ratios = assist_ratio(s["HeapLive"], mark_goal, s["Triggered"], done, expected_work, max_work, percent)
    allocated = s["HeapLive"] - s["Triggered"]
    measured = measured_cons_mark(
        allocated,
        done,
        mark_utilization(s["AssistTime"], s["Duration"], s["Procs"]),
        idle_utilization(s["IdleMarkTime"], s["Duration"], s["Procs"]),
    )
    memory = ConsMarkMemory(s["ConsMark"], tuple(s["LastConsMark"]))
    memory = next_cons_mark(memory, measured, allocated > 0, rules=rules)
    return [percent_goal, limit_goal, runway, goal, trigger, mark_goal, *ratios, memory.cons_mark]


def test_every_rule_equals_the_runtimes(runtime_tests: RuntimeTests) -> None:
    """On 5,000 random states, memory outside the heap included, each rule answers as the real pacer does."""
    if not answers_states(runtime_tests.go):
        pytest.skip("the state driver reads the fields of Go 1.21 and later")
    rng = np.random.Generator(np.random.PCG64(2))
    states = [random_state(rng) for _ in range(5000)]
    text = "\n".join(json.dumps(state) for state in states)
    printed = runtime_tests.lines("TestStates", "GCSIM_STATES", text)
    assert len(printed) == len(states)
    for state, words in zip(states, printed, strict=True):
        real = [min(int(word), MAX_INT64) for word in words[:6]] + [float.fromhex(word) for word in words[6:]]
        assert our_answer(state, runtime_tests.go) == real, state
