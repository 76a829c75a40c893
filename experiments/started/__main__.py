"""Measures the live heap of a program with more started tasks than Ps.

python -m experiments.started    prints the table of docs/explanation/growing-data.md, in half a minute
"""

import io
import os
import subprocess
import tempfile
from pathlib import Path

from experiments import toolchains
from gcsim.calibration.evidence import evidence_from
from gcsim.gctrace import read_gctrace
from gcsim.units import MIB

GO = "1.27.3"
PROGRAM = Path(__file__).parent / "program"
TASKS = (2, 4, 200)
GOGC = (25, 50, 100, 200, 400)


def live_mib(binary: Path, *, tasks: int, gogc: int) -> float:
    """Mean live heap at the start of a collection, MiB."""
    settings = {"GODEBUG": "gctrace=1,gcpacertrace=1", "GOGC": str(gogc), "GOMAXPROCS": "2"}
    run = subprocess.run(
        [binary, "-tasks", str(tasks)],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    evidence = evidence_from(read_gctrace(io.StringIO(run.stderr)))
    return float(evidence.with_gogc(gogc).live_bytes.mean()) / MIB


def main() -> None:
    """Builds the program and prints a row for each number of tasks."""
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "started"
        toolchain = toolchains.find(GO)
        subprocess.run(
            [toolchain.go, "build", "-o", binary, "."], cwd=PROGRAM, env=toolchain.environment, check=True
        )
        print("| started tasks | " + " | ".join(f"GOGC={gogc}" for gogc in GOGC) + " |")
        print("|---" * (len(GOGC) + 1) + "|")
        for tasks in TASKS:
            live = (live_mib(binary, tasks=tasks, gogc=gogc) for gogc in GOGC)
            print(f"| {tasks} | " + " | ".join(f"{size:.1f} MiB" for size in live) + " |")


if __name__ == "__main__":
    main()
