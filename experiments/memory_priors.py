"""Measure memory outside the heap and resident memory on real Go, by version and heap shape.

    python experiments/memory_priors.py measure --go 1.27=PATH/TO/go --go 1.19=… --out measured.jsonl
    python experiments/memory_priors.py fit measured.jsonl > gcsim/priors/process_memory.py
    python experiments/memory_priors.py stacks --go 1.27=PATH/TO/go

``measure`` builds ``programs/memory_priors`` with each toolchain and runs it over shapes, live sizes and
settings (about 3 s a run, 28 runs a version). ``fit`` reduces the runs to the table that ships with gcsim. ``stacks``
sets what 2,000 goroutines have allocated for their stacks beside what marking scans of them, for goroutines that wait
at several depths and go deeper for each request or not: the prior of ``gcsim/calibration/memory/parts.py``.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.memory.parts import OWN_STACK_BYTES
from gcsim.units import MIB

PROGRAM = Path(__file__).parent / "programs" / "memory_priors" / "main.go"
SHAPES = {"small": 0, "blobs": 0, "mixed": 0, "goroutines": 2000}  # shape: parked goroutines
LIVE_MIB = (20, 80, 200)
SECONDS = 2.5
HANDLERS = 2000
STACK_SECONDS = 1.2
DEPTHS = (
    (0, 0),
    (0, 8),
    (0, 40),
    (4, 4),
    (4, 16),
    (4, 60),
    (16, 16),
    (16, 40),
    (16, 160),
    (50, 50),
    (50, 100),
    (50, 400),
)


def settings_for(live_mib: int) -> list[dict[str, str]]:
    """GOGC alone, a limit alone that leaves about as much room, and at 80 MiB two more values of GOGC."""
    limited = {"GOGC": "off", "GOMEMLIMIT": f"{2 * live_mib + 30}MiB"}
    settings = [{"GOGC": "100"}, limited]
    return [*settings, {"GOGC": "50"}, {"GOGC": "200"}] if live_mib == 80 else settings


def build(go: str, directory: Path) -> Path:
    """The measuring program, built by one toolchain."""
    binary = directory / "memory_priors"
    env = {**os.environ, "GOTOOLCHAIN": "local", "GO111MODULE": "off"}
    subprocess.run([go, "build", "-o", binary, str(PROGRAM)], check=True, env=env)
    return binary


def per_cycle(rows: FloatArray, reduce: Any) -> FloatArray:
    """Reduce each cycle's samples (cycle count, bytes) to one figure; the first cycle is left out."""
    cycles = np.unique(rows[:, 0])[1:]
    return np.array([reduce(rows[rows[:, 0] == cycle, 1]) for cycle in cycles])


def summarize(samples: str, trace: str, limit_bytes: int | None, minor: int) -> dict[str, float]:
    """One run's figures in bytes: the heap's peak, memory outside it, what is mapped and what is resident."""
    table = np.genfromtxt(samples.splitlines(), delimiter=",", names=True)
    table = table[table["ms"] > 0.3 * table["ms"][-1]]
    mapped_ready = table["total"] - table["released"]
    non_heap = mapped_ready - table["free"] - table["objects"]
    in_use = table["objects"] + table["unused"]
    rows = np.column_stack([table["cycles"], non_heap])
    slots = np.column_stack([table["cycles"], table["unused"]])
    ends = re.findall(r"in (\d+) B -> (\d+) B \(∆goal (-?\d+)", trace)[2:]
    peaks = np.array([int(end) for _, end, _ in ends], dtype=float)
    goals = peaks - np.array([int(over) for _, _, over in ends], dtype=float)
    marked = [int(marked) for marked in re.findall(r"->(\d+) MB, \d+ MB goal", trace)][3:]
    summary = {
        "cycles": float(len(peaks)),
        "heap_peak": float(peaks.max()),
        "heap_peak_mean": float(peaks.mean()),
        "heap_marked_mean": float(np.mean(marked)) * MIB + MIB / 2,
        "objects_max": float(table["objects"].max()),
        "non_heap_min": float(np.median(per_cycle(rows, np.min))),
        "non_heap_max": float(np.median(per_cycle(rows, np.max))),
        "non_heap_mean": float(non_heap.mean()),
        "metadata_mean": float((non_heap - table["unused"] - table["stacks"]).mean()),
        "heap_in_use_mean": float(in_use.mean()),
        "unused_mean": float(table["unused"].mean()),
        "unused_min": float(np.median(per_cycle(slots, np.min))),
        "unused_max": float(np.median(per_cycle(slots, np.max))),
        "stacks": float(np.median(table["stacks"])),
        "heap_free_mean": float(table["free"].mean()),
        "heap_in_use_max": float(in_use.max()),
        "mapped_ready_max": float(mapped_ready.max()),
        "rss_max": float(table["rss_kib"].max() * 1024),
    }
    hwm = re.search(r"VmHWM:\s+(\d+)", trace)
    summary["rss_hwm"] = float(hwm[1]) * 1024 if hwm else float("nan")
    if limit_bytes is not None:
        room = goals / 0.97 if minor >= 21 else goals + MIB
        summary["limit"] = float(limit_bytes)
        summary["non_heap_at_mark_end"] = float(np.median(limit_bytes - room))
        summary["non_heap_at_mark_end_p10"] = float(np.quantile(limit_bytes - room, 0.1))
        summary["non_heap_at_mark_end_p90"] = float(np.quantile(limit_bytes - room, 0.9))
    return summary


def run_one(
    command: list[str], shape: str, live_mib: int, settings: dict[str, str], minor: int
) -> dict[str, Any]:
    """Run the program once and summarize it; ``command`` is the binary, after a prefix such as ``nice``."""
    env = {**os.environ, **settings, "GOMAXPROCS": "2", "GODEBUG": "gctrace=1,gcpacertrace=1"}
    arguments = [shape, str(live_mib), str(SHAPES[shape]), str(SECONDS)]
    run = subprocess.run([*command, *arguments], env=env, capture_output=True, text=True, check=True)
    limit = settings.get("GOMEMLIMIT")
    limit_bytes = int(limit.removesuffix("MiB")) * MIB if limit else None
    return summarize(run.stdout, run.stderr, limit_bytes, minor)


def measure(toolchains: dict[str, str], prefix: list[str], out: Path) -> None:
    """All runs of all versions, one JSON line each."""
    with tempfile.TemporaryDirectory() as scratch, out.open("w") as sink:
        for version, go in toolchains.items():
            minor = int(version.split(".")[1])
            binary = build(go, Path(scratch))
            for live_mib in LIVE_MIB:
                for shape in SHAPES:
                    for settings in settings_for(live_mib):
                        key = {"go": version, "shape": shape, "live_mib": live_mib, **settings}
                        try:
                            figures = run_one([*prefix, str(binary)], shape, live_mib, settings, minor)
                        except (subprocess.CalledProcessError, ValueError) as error:
                            print(f"{key}: {error}", file=sys.stderr)
                            continue
                        sink.write(json.dumps(key | figures) + "\n")
                        sink.flush()


def stacks_of(command: list[str], waiting: int, working: int) -> str:
    """One row: frames where goroutines wait and work, bytes scanned of each, allocated over scanned, resident share."""
    env = {**os.environ, "GOGC": "100", "GOMAXPROCS": "2", "GODEBUG": "gctrace=1,gcpacertrace=1"}
    arguments = ["small", "20", str(HANDLERS), str(STACK_SECONDS), str(waiting), str(working)]
    run = subprocess.run([*command, *arguments], env=env, capture_output=True, text=True, check=True)
    table = np.genfromtxt(run.stdout.splitlines(), delimiter=",", names=True)
    late = table[table["ms"] > 0.5 * table["ms"][-1]]
    scanned = float(re.findall(r"\+(\d+)\+\d+ B work", run.stderr)[-1])
    allocated = float(np.median(late["stacks"]))
    untouched = np.median(late["total"] - late["released"] - 1024 * late["rss_kib"])
    ratio = (allocated - OWN_STACK_BYTES) / scanned
    return f"{waiting:5} {working:5} {scanned / HANDLERS:8.0f} {ratio:6.2f} {1 - untouched / allocated:6.2f}"


def measure_stacks(toolchains: dict[str, str], prefix: list[str]) -> None:
    """The table of ``stacks_of``, for each version."""
    with tempfile.TemporaryDirectory() as scratch:
        for version, go in toolchains.items():
            binary = build(go, Path(scratch))
            print(f"Go {version}: frames waiting, working; scanned B; allocated/scanned; resident/allocated")
            for waiting, working in DEPTHS:
                print(stacks_of([*prefix, str(binary)], waiting, working), flush=True)


def metadata_line(runs: list[dict[str, Any]]) -> tuple[float, float, float]:
    """Base, share of heap in use, and scatter of metadata over one shape's runs, by least squares."""
    in_use = np.array([run["heap_in_use_mean"] for run in runs])
    metadata = np.array([run["metadata_mean"] for run in runs])
    share, base = np.polyfit(in_use, metadata, 1)
    return float(base), float(share), float(np.std(metadata - base - share * in_use))


def resident_errors(runs: list[dict[str, Any]], base: float, share: float) -> FloatArray:
    """Peak RSS over its prediction, less one, in every run without a memory limit."""
    errors = [
        run["rss_hwm"] / (base + (1 + share) * run["heap_peak"] + run["stacks"]) - 1
        for run in runs
        if run["GOGC"] != "off"
    ]
    return np.array(errors)


def fit_version(runs: list[dict[str, Any]]) -> dict[str, float]:
    """The prior of one version: medians over shapes with their range."""
    lines = np.array([metadata_line([r for r in runs if r["shape"] == shape]) for shape in SHAPES])
    base, share = np.median(lines[:, 0]), np.median(lines[:, 1])
    low, middle, high = np.quantile(resident_errors(runs, float(base), float(share)), [0.05, 0.5, 0.95])
    return {
        "metadata_base_bytes": round(base),
        "metadata_base_low_bytes": round(lines[:, 0].min()),
        "metadata_base_high_bytes": round(lines[:, 0].max()),
        "metadata_share": round(share, 4),
        "metadata_share_low": round(lines[:, 1].min(), 4),
        "metadata_share_high": round(lines[:, 1].max(), 4),
        "metadata_error_bytes": round(np.median(lines[:, 2])),
        "resident_error_low": round(low, 3),
        "resident_error": round(middle, 3),
        "resident_error_high": round(high, 3),
    }


HEADER = '''"""Priors of memory outside the heap by Go version, from ``experiments/memory_priors.py fit``.

Measured on linux/amd64 with GOMAXPROCS=2: live heaps of 20, 80 and 200 MiB in four shapes (small objects with
pointers, 4-256 KiB blobs, sizes from 16 B to 8 KiB, small objects with 2,000 parked goroutines), GOGC 50, 100 and 200
and a memory limit; ``runtime/metrics`` every 2 ms and VmHWM. Values are medians over the shapes; low and high are the
extremes. Resident errors are over the 19 or 20 runs without a limit. The same runs gave the metadata line, so these
errors are in-sample. The binary was small (2 MB); resident text and data of a larger binary come on top.
``gcsim.priors.records.MemoryPrior`` defines the fields.
"""

from gcsim.priors.records import MemoryPrior

'''
FOOTER = '''

def memory_prior(minor: int) -> MemoryPrior:
    """The prior of Go 1.``minor``, else of the next measured version (1.20: 1.21), else of the newest."""
    measured = [prior for prior in MEMORY_PRIORS if int(prior.go.split(".")[1]) >= minor]
    return measured[0] if measured else MEMORY_PRIORS[-1]
'''


def fit(paths: list[Path]) -> None:
    """Print the table as a Python module."""
    runs = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    versions = sorted({run["go"] for run in runs}, key=lambda go: int(go.split(".")[1]))
    print(HEADER + "MEMORY_PRIORS: tuple[MemoryPrior, ...] = (")
    for go in versions:
        prior = fit_version([run for run in runs if run["go"] == go])
        print(f"    MemoryPrior(\n        go={go!r},".replace("'", '"'))
        for name, value in prior.items():
            print(f"        {name}={value:_}," if isinstance(value, int) else f"        {name}={value},")
        print("    ),")
    print(")\n" + FOOTER, end="")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("--go", action="append", required=True, help="VERSION=PATH, repeated")
    measuring.add_argument("--prefix", default="", help="a command to run each measurement under")
    measuring.add_argument("--out", type=Path, required=True)
    stacks = commands.add_parser("stacks")
    stacks.add_argument("--go", action="append", required=True, help="VERSION=PATH, repeated")
    stacks.add_argument("--prefix", default="", help="a command to run each measurement under")
    fitting = commands.add_parser("fit")
    fitting.add_argument("measured", nargs="+", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "fit":
        fit(arguments.measured)
        return
    toolchains = dict(pair.split("=", 1) for pair in arguments.go)
    if arguments.command == "stacks":
        measure_stacks(toolchains, arguments.prefix.split())
        return
    measure(toolchains, arguments.prefix.split(), arguments.out)


if __name__ == "__main__":
    main()
