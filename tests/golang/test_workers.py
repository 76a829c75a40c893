"""Ask the real runtime how many mark workers it wants for each GOMAXPROCS."""

import re

import numpy as np
from go_toolchain import GoToolchain

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


def test_worker_counts_equal_the_runtimes(go_toolchain: GoToolchain) -> None:
    """Dedicated counts and fractional shares equal what Go prints for every GOMAXPROCS from 1 to 128."""
    done = go_toolchain.run(PROGRAM, env={"GODEBUG": "gcpacertrace=1", "GOGC": "off"})
    printed = re.findall(r"assist ratio=.* workers=(\d+)\+(\S+)", done.stderr)
    gomaxprocs = np.arange(1, 129)
    assert dedicated_workers(gomaxprocs).tolist() == [int(dedicated) for dedicated, _ in printed]
    shares = [float(share) for _, share in printed]
    np.testing.assert_allclose(fractional_utilization_goal(gomaxprocs), shares, rtol=1e-6, atol=0)
