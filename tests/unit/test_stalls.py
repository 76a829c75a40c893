"""Looking for stalls in long logs."""

import tracemalloc
from pathlib import Path

from experiments.archive import unpacked
from gcsim.calibration.checks.stalls import find_stalls
from gcsim.calibration.evidence import evidence_from
from gcsim.gctrace import read_gctrace

CAPTURES = unpacked(Path(__file__).parents[2] / "experiments" / "validation" / "captures")
MOST_BYTES_PER_CYCLE = (
    1000  # 100,000 cycles are to be calibrated in 500 MB, and the log itself takes most of that
)


def test_memory_stays_in_proportion_to_the_log() -> None:
    """4,000 real cycles: a kernel held for each event and each instant of the period once took 6,000 bytes a cycle."""
    cycles = evidence_from(read_gctrace(CAPTURES / "smallapi-go1.27.3-gogc100-limit13MiB-p2-r1.log.gz"))
    tracemalloc.start()
    try:
        find_stalls(cycles)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < MOST_BYTES_PER_CYCLE * len(cycles)
