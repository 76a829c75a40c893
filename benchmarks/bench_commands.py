"""CPU time of whole commands, start-up included, each over that of starting Python with NumPy in the same minute.

``python -m benchmarks.bench_commands [NAME ...]`` runs every command of ``COMMANDS``, or the named ones, three times in
turn with the start of Python. It prints the least CPU seconds (user and system, with worker processes), wall seconds,
and the ratios of both to those of the start.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

CAPTURE = str(Path(__file__).parents[1] / "experiments" / "captures" / "order-service.log.gz")
README_SWEEP = ("--gogc", "25:800:12", "--gomemlimit", "off,128MiB:480MiB:6", "--memory", "512MiB")
THOUSAND = ("--gogc", "25:800:40", "--gomemlimit", "off,90MiB:960MiB:24", "--replicas", "16")
COMMANDS: dict[str, tuple[str, ...]] = {
    "help": ("--help",),
    "inspect": ("inspect", CAPTURE),
    "recommend": ("recommend", "order-service", "--memory", "512MiB"),
    "simulate-events": ("simulate", "order-service", "--engine", "des"),
    "simulate-open-events": ("simulate", "order-service-open", "--engine", "des"),
    "readme-sweep": ("sweep", "order-service", *README_SWEEP, "-o", "{folder}/readme"),
    "thousand": ("sweep", "order-service", *THOUSAND, "--json"),
    "thousand-figures": ("sweep", "order-service", *THOUSAND, "--json", "-o", "{folder}/thousand"),
}
ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of one command: the least of its runs."""

    cpu_seconds: float
    wall_seconds: float
    start_cpu_seconds: float  # of Python with NumPy, in the same rounds
    start_wall_seconds: float

    @property
    def ratio(self) -> float:
        """CPU time over that of the start."""
        return self.cpu_seconds / self.start_cpu_seconds

    @property
    def wall_ratio(self) -> float:
        """Wall time over that of the start."""
        return self.wall_seconds / self.start_wall_seconds


def measure(arguments: tuple[str, ...], folder: str, rounds: int = ROUNDS) -> Cost:
    """The cost of a command of gcsim; ``{folder}`` in an argument is the folder for its files."""
    command = [sys.executable, "-m", "gcsim", *(one.format(folder=folder) for one in arguments)]
    runs, starts = [], []
    for _ in range(rounds):
        runs.append(_run(command))
        starts.append(_run([sys.executable, "-c", "import numpy"]))
    return Cost(
        cpu_seconds=min(cpu for cpu, _ in runs),
        wall_seconds=min(wall for _, wall in runs),
        start_cpu_seconds=min(cpu for cpu, _ in starts),
        start_wall_seconds=min(wall for _, wall in starts),
    )


def _run(command: list[str]) -> tuple[float, float]:
    """(CPU seconds, wall seconds) of a process and its own processes."""
    before, began = os.times(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall_s, after = time.perf_counter() - began, os.times()
    cpu_s = after.children_user - before.children_user + after.children_system - before.children_system
    return cpu_s, wall_s


def main() -> None:
    """Prints a line for each command."""
    names = sys.argv[1:] or list(COMMANDS)
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            cost = measure(COMMANDS[name], folder)
            print(
                f"{name:20} {cost.cpu_seconds:6.2f} s of CPU, {cost.wall_seconds:6.2f} s wall:"
                f" {cost.ratio:5.1f} and {cost.wall_ratio:5.1f} times the start of Python with NumPy"
                f" ({cost.start_cpu_seconds:.2f} s of CPU)",
                flush=True,
            )


if __name__ == "__main__":
    main()
