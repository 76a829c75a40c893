"""How fast the Go runtime's own pacer takes a cycle: its code, compiled by the toolchain, in a loop on one core."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from experiments.toolchains import Toolchain

_DRIVER = Path(__file__).parent / "pacer_driver" / "steps_test.go"


def steps_per_second(toolchain: Toolchain, steps: int) -> float:
    """Cycles a second of the runtime's pacer.

    The runtime's test package is compiled with the driver in the place of its tests, as ``tests/golang`` does.
    """
    runtime = toolchain.source_dir / "runtime"
    overlay = {str(path): "" for path in runtime.glob("*_test.go") if not path.name.startswith("export_")}
    overlay[str(runtime / "gcsim_steps_test.go")] = str(_DRIVER)
    with tempfile.TemporaryDirectory() as folder:
        replaced, binary = Path(folder) / "overlay.json", Path(folder) / "runtime.test"
        replaced.write_text(json.dumps({"Replace": overlay}))
        build = [
            str(toolchain.go),
            "test",
            "-c",
            "-vet=off",
            "-overlay",
            str(replaced),
            "-o",
            str(binary),
            "runtime",
        ]
        subprocess.run(build, env=toolchain.environment, cwd=runtime, capture_output=True, check=True)
        run = subprocess.run(
            [binary, "-test.run", "^TestPacerSteps$"],
            env={**os.environ, "GCSIM_PACER_STEPS": str(steps)},
            capture_output=True,
            text=True,
            check=True,
        )
    line = next(line for line in run.stdout.splitlines() if line.startswith("STEPS "))
    return float(line.split()[1])
