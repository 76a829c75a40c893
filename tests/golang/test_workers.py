"""Ask the real runtime how many mark workers it wants for each GOMAXPROCS."""

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from gcsim.goruntime.workers import dedicated_workers, fractional_utilization_goal

PROGRAM = """\
package main

import "runtime"

func main() {
	for procs := 1; procs <= 128; procs++ {
		runtime.GOMAXPROCS(procs)
		runtime.GC()
	}
}
"""


def workers_printed(go: str, directory: Path) -> list[tuple[int, float]]:
    """D and f of each "workers=D+f" that a program prints at GOMAXPROCS 1 to 128."""
    source = directory / "workers.go"
    source.write_text(PROGRAM)
    binary = directory / "workers"
    env = {**os.environ, "GOTOOLCHAIN": "local", "GO111MODULE": "off", "GOCACHE": str(directory / "cache")}
    subprocess.run([go, "build", "-o", binary, source], check=True, env=env, capture_output=True)
    env = {**env, "GODEBUG": "gcpacertrace=1", "GOGC": "off"}
    run = subprocess.run([binary], check=True, env=env, capture_output=True, text=True)
    printed = re.findall(r"assist ratio=.* workers=(\d+)\+(\S+)", run.stderr)
    return [(int(dedicated), float(fractional)) for dedicated, fractional in printed]


@pytest.mark.golang
def test_worker_counts_equal_the_runtimes(go_toolchain: str, tmp_path: Path) -> None:
    """Dedicated counts and fractional shares equal what Go prints for every GOMAXPROCS from 1 to 128."""
    printed = workers_printed(go_toolchain, tmp_path)
    assert len(printed) == 128

    gomaxprocs = np.arange(1, 129)
    assert dedicated_workers(gomaxprocs).tolist() == [dedicated for dedicated, _ in printed]
    np.testing.assert_allclose(
        fractional_utilization_goal(gomaxprocs), [share for _, share in printed], rtol=1e-6, atol=0
    )
