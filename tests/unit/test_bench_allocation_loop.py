"""The allocation benchmark at smoke size: what it did, not how fast."""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.bench_allocation_loop import STEP_OBJECTS, simulate

ROOT = Path(__file__).parents[2]


def test_allocation_benchmark_does_its_work_and_the_same_work_anywhere() -> None:
    """Twenty steps, a collection for every doubling, one digest in this and another process; another by seed."""
    ours = simulate(20 * STEP_OBJECTS)
    assert ours.objects == 20 * STEP_OBJECTS
    assert ours.steps == 20
    assert 10 <= ours.collections <= 20  # 5.5 MB a step, on a heap that grows from nothing to 15 MB
    assert simulate(20 * STEP_OBJECTS, seed=2).digest != ours.digest
    program = f"from benchmarks.bench_allocation_loop import simulate; print(simulate({ours.objects}).digest)"
    env = {**os.environ, "PYTHONHASHSEED": "123"}
    other = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == ours.digest
