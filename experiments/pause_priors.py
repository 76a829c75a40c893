"""Measure the two pauses of a GC cycle on real Go and fit the mixture that is their prior.

    python experiments/pause_priors.py --go 1.27=PATH/TO/go [--prefix CMD] [--seconds 4]

Prints, for each version, GOMAXPROCS and load (all Ps busy, or most idle), quantiles of w1 and w2 (gctrace's
first and last clock figure) and the two lognormal components that ``gcsim/goruntime/stw.py`` ships. Run it on
a quiet machine: anything else on the CPUs adds to the time to stop.
"""

import argparse
import os
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PROGRAM = Path(__file__).parent / "programs" / "pauses" / "main.go"
CLOCK = re.compile(r"^gc \d+ @.*?: ([\d.]+)\+[\d.]+\+([\d.]+) ms clock", re.MULTILINE)


def pauses_ns(command: list[str], load: str, gomaxprocs: int, seconds: float) -> NDArray[np.float64]:
    """w1 and w2 in ns, one row a cycle; the first ten cycles are left out."""
    env = {**os.environ, "GOMAXPROCS": str(gomaxprocs), "GODEBUG": "gctrace=1"}
    run = subprocess.run([*command, load, str(seconds)], env=env, capture_output=True, text=True, check=True)
    rows = [(float(w1), float(w2)) for w1, w2 in CLOCK.findall(run.stderr)][10:]
    return np.array(rows) * 1e6


def fit_mixture(sample_ns: NDArray[np.float64]) -> dict[str, float]:
    """Two lognormal components by expectation-maximisation, started at the body and at the upper tail."""
    logs = np.log(np.maximum(sample_ns, 500.0))
    means = np.quantile(logs, [0.45, 0.97])
    sigmas, weights = np.full(2, logs.std() / 2 + 0.05), np.array([0.9, 0.1])
    for _ in range(300):
        density = weights * np.exp(-0.5 * ((logs[:, None] - means) / sigmas) ** 2) / sigmas
        share = density / density.sum(axis=1, keepdims=True)
        total = share.sum(axis=0) + 1e-9
        means = (share * logs[:, None]).sum(axis=0) / total
        sigmas = np.sqrt((share * (logs[:, None] - means) ** 2).sum(axis=0) / total) + 0.05
        weights = total / total.sum()
    order = np.argsort(means)
    return {
        "median_ns": float(np.exp(means[order[0]])),
        "sigma": float(sigmas[order[0]]),
        "tail_median_ns": float(np.exp(means[order[1]])),
        "tail_sigma": float(sigmas[order[1]]),
        "tail_share": float(weights[order[1]]),
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
                        mixture = {key: float(f"{value:.3g}") for key, value in fit_mixture(sample).items()}
                        print(version, load, gomaxprocs, name, len(sample), quantiles.round(1), mixture)


if __name__ == "__main__":
    main()
