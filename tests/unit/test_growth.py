"""Growth of live heap and stacks is found by its slope, in short logs too, and nowhere else."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.archive import unpacked
from gcsim.arrays import FloatArray
from gcsim.calibration.calibrate import calibrate
from gcsim.calibration.checks.growth import growing_parts
from gcsim.calibration.checks.verdict import diagnose
from gcsim.calibration.evidence import evidence_from
from gcsim.calibration.window import working_window
from gcsim.gctrace import Trace, read_gctrace
from gcsim.service.assessment import Growth

CAPTURES = unpacked(Path(__file__).parents[2] / "experiments" / "validation" / "captures")
SECONDS_APART = 0.5


def log_of(live: FloatArray, stacks: FloatArray | None = None) -> Trace:
    """A log at GOGC=100 whose live heap and stacks, in MiB, are given cycle by cycle."""
    roots = np.zeros(live.size) if stacks is None else stacks
    marked = live + 2.0
    lines = []
    for n, (size, stack) in enumerate(zip(marked, roots, strict=True)):
        goal = marked[max(n - 1, 0)] * 2 + roots[max(n - 1, 0)]
        lines.append(
            f"gc {n + 1} @{SECONDS_APART * n + 0.013 * (n % 7) + 0.1:.3f}s 1%: 0.020+5.0+0.020 ms clock,"
            f" 0.040+0/4.0/2.0+0.040 ms cpu, {int(goal - 4)}->{int(goal - 2)}->{int(size)} MB,"
            f" {int(goal)} MB goal, {int(stack)} MB stacks, 0 MB globals, 2 P\n"
        )
    return read_gctrace(io.BytesIO("".join(lines).encode()))


def growth_of(trace: Trace) -> tuple[Growth, ...]:
    evidence = evidence_from(trace)
    return growing_parts(evidence.select(working_window(evidence)))


@pytest.mark.parametrize(
    ("cycles", "slope"), [(12, 3.6), (12, 40.0), (18, 3.6), (40, 0.5), (40, 40.0), (200, 0.5), (200, 3.6)]
)
def test_a_slope_is_found_in_logs_of_any_length(cycles: int, slope: float) -> None:
    """A heap that doubles or more, with noise: the slope within a tenth, and no trust."""
    seconds = SECONDS_APART * np.arange(cycles)
    start = max(slope * seconds[-1] / 2.0, 10.0)
    noise = np.random.default_rng(1).normal(1.0, 0.02, cycles)
    (found,) = growth_of(log_of((start + slope * seconds) * noise))
    assert found.what == "live heap"
    assert found.continues
    assert found.bytes_per_second / 2**20 == pytest.approx(slope, rel=0.2)


def test_the_finding_says_rate_and_time_left_and_forbids_trust() -> None:
    """The sentence has the slope, and when the heap peak reaches a size; the verdict is not to trust."""
    trace = log_of(30.0 + 3.6 * SECONDS_APART * np.arange(40))
    found = calibrate(trace, name="leak")
    diagnosis = diagnose(found)
    assert diagnosis.verdict == "do not trust"
    assert diagnosis.findings[0].kind == "growth"
    assert "live heap grows 3.6 MiB/s" in diagnosis.findings[0].text
    assert "no GC setting fixes a leak" in diagnosis.findings[0].text
    (growth,) = diagnosis.growth
    assert growth.seconds_until(growth.last_bytes + 36 * 2**20) == pytest.approx(10.0, rel=0.1)


def test_stacks_that_grow_point_to_goroutines() -> None:
    """The live heap stays, stacks climb from nothing to 104 MiB: that is the first finding."""
    steady = np.full(40, 12.0)
    trace = log_of(steady, np.linspace(0.0, 104.0, 40))
    (found,) = growth_of(trace)
    assert found.what == "stacks"
    diagnosis = diagnose(calibrate(trace, name="goroutines"))
    assert "/debug/pprof/goroutine" in diagnosis.findings[0].text
    assert diagnosis.verdict == "do not trust"


def test_a_warm_up_that_levels_off_asks_for_care() -> None:
    """Nearly settled at the log's end: not a leak."""
    place = np.arange(60) / 60.0
    found = growth_of(log_of(60.0 + 60.0 * (1.0 - np.exp(-3.5 * place))))
    assert all(not part.continues for part in found)


@pytest.mark.parametrize("shape", ["steady", "step", "saw", "wave"])
@pytest.mark.parametrize("cycles", [15, 60])
@pytest.mark.parametrize("seed", range(5))
def test_nothing_else_is_growth(shape: str, cycles: int, seed: int) -> None:
    """Noise, a step down, a sawtooth and a wave are no growth."""
    place = np.arange(cycles) / cycles
    level = {
        "steady": np.ones(cycles),
        "step": np.where(place < 0.5, 1.5, 1.0),
        "saw": 1.0 + (5.0 * place) % 1.0,
        "wave": 1.0 + 0.4 * np.sin(6.0 * np.pi * place),
    }[shape]
    noise = np.random.default_rng(seed).normal(1.0, 0.03, cycles)
    assert growth_of(log_of(80.0 * level * noise)) == ()


def test_of_real_programs_only_the_leak_grows() -> None:
    """Both runs of every program at GOGC=100, 80 logs and more."""
    growing = set()
    logs = sorted(CAPTURES.glob("*-go1.27.3-gogc100-limitoff-p2-r*.log.gz"))
    assert len(logs) > 70
    for log in logs:
        trace = replace(read_gctrace(log), info=None)
        if len(trace.cycles) > 6 and growth_of(trace):
            growing.add(log.name.split("-go1")[0])
    assert growing == {"leak"}


def test_the_last_cycle_of_a_log_scatters_about_the_end_of_the_profile() -> None:
    """No cycle of a heap that doubles over the log is compared with the live heap of the log's start."""
    trace = log_of(30.0 + 3.6 * SECONDS_APART * np.arange(40))
    scatter = calibrate(trace, name="leak").model.scatter.live_factor
    assert float(scatter.max() / scatter.mean()) < 1.2


@pytest.mark.parametrize(
    ("cycles", "time_constants", "severities"),
    [(16, 2.2, ["distrust"]), (40, 2.5, ["care"]), (100, 6.0, [])],
)
def test_a_log_of_the_fill_up_alone_is_not_trusted(
    cycles: int, time_constants: float, severities: list[str]
) -> None:
    """Few collections after the live heap has filled up show little of the load that predictions are about."""
    live = 20.0 + 200.0 * (1.0 - np.exp(-time_constants * np.arange(cycles) / cycles))
    trace = log_of(live)
    findings = diagnose(calibrate(trace, name="fills")).assessment.findings
    found = [one for one in findings if one.kind == "warm-up" and "filled up" in one.text]
    assert [one.severity for one in found] == severities
