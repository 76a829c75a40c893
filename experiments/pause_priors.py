"""Measure the two pauses of a GC cycle on real Go and split each into its body and its late tail.

    python experiments/pause_priors.py --go 1.27=PATH/TO/go [--prefix CMD] [--seconds 4]

Prints, for each version, GOMAXPROCS and load (all Ps busy, or most idle), quantiles of w1 and w2 (gctrace's
first and last clock figure) and the parts that ``gcsim/goruntime/study/stw.py`` ships. Run it on
a quiet machine: anything else on the CPUs adds to the time to stop.
"""

import argparse
import os
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from gcsim.arrays import FloatArray

LATE_NS = 300e3  # beyond this a P was not running: the operating system had taken its thread off the CPU
PROGRAM = Path(__file__).parent / "programs" / "pauses" / "main.go"
CLOCK = re.compile(r"^gc \d+ @.*?: ([\d.]+)\+[\d.]+\+([\d.]+) ms clock", re.MULTILINE)


def pauses_ns(command: list[str], load: str, gomaxprocs: int, seconds: float) -> FloatArray:
    """w1 and w2 in ns, one row a cycle; the first ten cycles are left out."""
    env = {**os.environ, "GOMAXPROCS": str(gomaxprocs), "GODEBUG": "gctrace=1"}
    run = subprocess.run([*command, load, str(seconds)], env=env, capture_output=True, text=True, check=True)
    rows = [(float(w1), float(w2)) for w1, w2 in CLOCK.findall(run.stderr)][10:]
    return np.array(rows) * 1e6


def split(sample_ns: FloatArray) -> dict[str, float]:
    """Median and log-spread below LATE_NS, and the share, median and log-spread of what is above."""
    late = sample_ns >= LATE_NS
    body, tail = np.log(np.maximum(sample_ns[~late], 500.0)), np.log(sample_ns[late])
    return {
        "median_ns": float(np.exp(np.median(body))),
        "sigma": float(np.std(body)),
        "late_share": float(late.mean()),
        "late_median_ns": float(np.exp(np.median(tail))) if late.any() else float("nan"),
        "late_sigma": float(np.std(tail)) if late.any() else float("nan"),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--go", action="append", required=True, help="VERSION=PATH, repeated")
    parser.add_argument("--prefix", default="", help="a command to run each measurement under")
    parser.add_argument("--seconds", type=float, default=4.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for version, go in (pair.split("=", 1) for pair in arguments.go):
            binary = str(Path(scratch) / "pauses")
            env = {**os.environ, "GOTOOLCHAIN": "local", "GO111MODULE": "off"}
            subprocess.run([go, "build", "-o", binary, str(PROGRAM)], check=True, env=env)
            for load in ("busy", "idle"):
                for gomaxprocs in (1, 2, 4):
                    command = [*arguments.prefix.split(), binary]
                    rows = pauses_ns(command, load, gomaxprocs, arguments.seconds)
                    for name, sample in zip(("w1", "w2"), rows.T, strict=True):
                        quantiles = np.quantile(sample, [0.1, 0.5, 0.9, 0.99, 1.0]) / 1e3
                        parts = {key: float(f"{value:.3g}") for key, value in split(sample).items()}
                        print(version, load, gomaxprocs, name, len(sample), quantiles.round(1), parts)


if __name__ == "__main__":
    main()
