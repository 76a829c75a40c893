"""The runs of the yardstick: eight settings, two repeats, GOMAXPROCS 2 and 1."""

from collections.abc import Iterator
from pathlib import Path

from experiments.archive import unpacked
from experiments.capture import RunPlan
from experiments.software.cases import CASES, Case
from gcsim.units import MIB

CAPTURES = unpacked(Path(__file__).parent / "captures")
PROCS = 2  # of recommended settings and their grid
_ORDER = ((2, 1), (1, 1), (2, 2), (1, 2))  # (GOMAXPROCS, repeat)


def plan_of(case: Case, setting: tuple[int | None, int | None], procs: int, repeat: int) -> RunPlan:
    """One run of a case."""
    gogc, limit_mib = setting
    return RunPlan(
        program=case.program,
        label=case.label,
        go_version=case.go_version,
        gogc=gogc,
        gomemlimit_bytes=None if limit_mib is None else limit_mib * MIB,
        gomaxprocs=procs,
        duration_seconds=case.load_seconds,
        repeat=repeat,
    )


def plans(labels: set[str]) -> Iterator[tuple[Case, RunPlan]]:
    """All runs of the named cases, or of all; repeats outermost, so that drift of the machine spreads."""
    chosen = [case for case in CASES if not labels or case.label in labels]
    for procs, repeat in _ORDER:
        for k in range(8):
            for case in chosen:
                yield case, plan_of(case, case.settings[k], procs, repeat)
