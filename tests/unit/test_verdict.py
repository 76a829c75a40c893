"""Logs that should not be trusted are refused or marked, from the log alone; healthy ones are trusted."""

import gzip
import io
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from example_service import example_service

from gcsim.calibration.calibrate import Calibration, calibrate
from gcsim.calibration.checks.diagnosis import _groups
from gcsim.calibration.checks.verdict import Diagnosis, diagnose, with_verdict
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.calibration.validation import Comparison, Validation
from gcsim.capture.info import CaptureInfo
from gcsim.cycles import CycleTable
from gcsim.engine.simulate import simulate
from gcsim.errors import InputError
from gcsim.gctrace import Trace, read_gctrace
from gcsim.gctrace.writer import format_gctrace
from gcsim.metrics import Estimate
from gcsim.service.model import Model
from gcsim.service.parameters import PARAMETER_NAMES
from gcsim.settings import Settings
from gcsim.units import MIB

DATA = Path(__file__).parent.parent / "data"
ANY_LIMIT = 150 << 20


@cache
def simulated(gogc: int = 100, limit: int | None = None, seconds: float = 60.0) -> CycleTable:
    """Cycles of the made-up service at a setting."""
    settings = Settings(gogc=gogc, gomemlimit_bytes=limit, gomaxprocs=2)
    run = simulate(example_service(), [settings], duration_seconds=seconds, replicas=1, record=True)[0]
    assert run.cycles is not None
    return run.cycles


def read(text: str) -> Trace:
    return read_gctrace(io.BytesIO(text.encode()))


def printed(cycles: CycleTable) -> Trace:
    """The cycles as a log gives them back."""
    return read(format_gctrace(cycles))


def changed(cycles: CycleTable, **columns: Any) -> CycleTable:
    return replace(cycles, **columns)


def follow(first: CycleTable, second: CycleTable) -> CycleTable:
    """One process: the second run's cycles numbered and timed after the first's."""
    later = changed(
        second,
        cycle_number=second.cycle_number + int(first.cycle_number[-1]),
        start_ns=second.start_ns - second.start_ns[0] + int(first.start_ns[-1]) + 10**9,
    )
    names = CycleTable.__dataclass_fields__
    return CycleTable(**{n: np.concatenate([getattr(first, n), getattr(later, n)]) for n in names})


def judged(trace: Trace, stated: Overrides | None = None) -> tuple[Calibration, Diagnosis]:
    found = calibrate(trace, name="service", overrides=stated)
    return found, diagnose(found)


def kinds(diagnosis: Diagnosis) -> set[str]:
    return {finding.kind for finding in diagnosis.findings}


def capture(name: str) -> Trace:
    return read(gzip.decompress((DATA / name).read_bytes()).decode())


def with_resident_memory(trace: Trace) -> Trace:
    """The trace as gcsim capture would have made it, with a peak of resident memory."""
    info = CaptureInfo(gogc=100, gomaxprocs=2, rss_peak_bytes=200 * MIB)
    return replace(trace, info=info)


def test_a_healthy_log_with_its_memory_measured_is_trusted() -> None:
    """No finding speaks against a simulated log."""
    assert judged(with_resident_memory(printed(simulated())))[1].verdict == "trust"


def test_a_bare_log_is_never_trusted_with_memory() -> None:
    """It does not show memory outside the heap; the finding says how to measure it."""
    for trace in (printed(simulated()), capture("quiet-blobcache.log.gz")):
        found = judged(trace)[1]
        assert found.verdict == "trust with care"
        (memory,) = [one for one in found.findings if one.kind == "memory not measured"]
        assert "gcsim capture" in memory.text


def test_only_forced_cycles_are_refused() -> None:
    """A log of runtime.GC calls says nothing of the pacer."""
    cycles = simulated()
    with pytest.raises(InputError, match="forced"):
        calibrate(printed(changed(cycles, forced=np.ones(len(cycles), np.bool_))), name="service")


def test_many_forced_cycles_are_marked() -> None:
    """Three cycles of four forced: the model is of the rest only."""
    cycles = simulated()
    forced = np.arange(len(cycles)) % 4 != 0
    trace = printed(changed(cycles, forced=forced))
    trace = replace(trace, cycles=changed(trace.cycles, forced=forced))
    forced[-1] = forced[-2] = False
    assert "forced cycles" in kinds(judged(trace)[1])


def test_gogc_changed_in_mid_run_is_refused_with_the_place() -> None:
    """Both values and where the second begins, with a mend."""
    first, second = simulated(100), simulated(200)
    with pytest.raises(InputError, match="GOGC changed during the run") as refusal:
        calibrate(printed(follow(first, second)), name="service")
    sentence = str(refusal.value)
    assert "GOGC=100" in sentence
    assert "GOGC=200" in sentence
    place = int(sentence.split("GOGC=200 from gc ")[1].split(" ")[0])
    assert abs(place - int(first.cycle_number[-1])) <= 3
    assert "keep only gc" in sentence


@pytest.mark.parametrize("gogc", [25, 50, 200, 400, 800])
def test_another_gogc_than_stated_is_refused_with_the_right_one(gogc: int) -> None:
    """The goals contradict what is stated; with nothing stated, GOGC is inferred from them."""
    trace = printed(simulated(gogc, seconds=120.0))
    with pytest.raises(InputError, match=f"--gogc {gogc}"):
        calibrate(trace, name="service", overrides=Overrides(gogc=100))
    found = calibrate(trace, name="service")
    assert (found.model.settings.gogc, found.log.origins.gogc) == (gogc, "inferred")


def test_an_unstated_memory_limit_is_suggested() -> None:
    """Goals below GOGC's may come of a limit: the refusal says so, and the limit stated is taken."""
    trace = printed(simulated(100, ANY_LIMIT))
    with pytest.raises(InputError, match="--gomemlimit"):
        calibrate(trace, name="service")
    _, diagnosis = judged(trace, Overrides(gomemlimit_bytes=ANY_LIMIT))
    assert diagnosis.regimes[0].name == "limit-bound"


def test_a_throttled_machine_is_not_trusted() -> None:
    """A real program under a quota of 40 %: in step with the quota's period, and stretched."""
    found, diagnosis = judged(capture("throttled-blobcache.log.gz"))
    assert diagnosis.verdict == "do not trust"
    assert diagnosis.findings[0].kind == "throttled"
    assert (
        with_verdict(found.model, diagnosis)
        .provenance["verdict"]
        .startswith("do not trust: cycles start and end")
    )


def test_work_on_a_tenth_of_a_second_beat_is_not_called_throttled() -> None:
    """A ticker keeps cycles in step with 100 ms too, but does not stretch marking."""
    cycles = changed(simulated(), mark_ns=simulated().mark_ns // 5)
    beat = 100_000_000
    starts = (cycles.start_ns + beat - 1) // beat * beat
    starts = starts + np.arange(len(cycles)) * beat  # never two in one beat
    _, diagnosis = judged(printed(changed(cycles, start_ns=starts)))
    assert "in step" in kinds(diagnosis)
    assert "throttled" not in kinds(diagnosis)
    assert diagnosis.verdict == "trust with care"


def test_long_pauses_are_marked() -> None:
    """One pause in thirty of 40 ms: the process was kept off the CPU."""
    cycles = simulated()
    pauses = cycles.stw_mark_term_ns.copy()
    pauses[::15] = 40_000_000
    assert "stalled" in kinds(judged(printed(changed(cycles, stw_mark_term_ns=pauses)))[1])


def test_a_restarted_service_is_told() -> None:
    """Two runs in one log: which lines were used, and that there was another."""
    text = format_gctrace(simulated(seconds=30.0)) + format_gctrace(simulated())
    _, diagnosis = judged(read(text))
    finding = next(f for f in diagnosis.findings if f.kind == "several processes")
    first_line = len(simulated(seconds=30.0)) + 1
    assert f"line {first_line} to" in finding.text
    assert "restart" in finding.text
    assert diagnosis.verdict == "trust with care"


def test_a_windows_clock_is_told() -> None:
    """Durations below the clock's tick are printed as 0."""
    cycles = simulated()
    mark = np.where(np.arange(len(cycles)) % 3 == 0, 0, cycles.mark_ns)
    assert "coarse clock" in kinds(judged(printed(changed(cycles, mark_ns=mark)))[1])


@pytest.mark.parametrize(("every", "verdict"), [(50, "trust with care"), (5, "do not trust")])
def test_lost_lines_are_told(every: int, verdict: str) -> None:
    """Some missing cycles ask for care, many for distrust."""
    cycles = simulated()
    _, diagnosis = judged(printed(cycles.select(np.arange(len(cycles)) % every != every // 2)))
    assert "lost lines" in kinds(diagnosis)
    assert diagnosis.verdict == verdict


def test_a_change_of_gomaxprocs_is_not_trusted() -> None:
    """One model cannot stand for two machines; the cycle of the change is named."""
    cycles = simulated()
    half = len(cycles) // 2
    procs = np.where(np.arange(len(cycles)) < half, 2, 4)
    _, diagnosis = judged(printed(changed(cycles, gomaxprocs=procs)))
    finding = next(f for f in diagnosis.findings if f.kind == "P changed")
    assert f"from 2 to 4 at gc {cycles.cycle_number[half]}" in finding.text
    assert diagnosis.verdict == "do not trust"


def test_a_long_warm_up_is_told() -> None:
    """A heap that fills for half of the log may not have settled."""
    cycles = simulated()
    growing = np.minimum(0.3 + 1.4 * np.arange(len(cycles)) / len(cycles), 1.0)
    columns = ("heap_start_bytes", "heap_end_bytes", "heap_marked_bytes", "heap_goal_bytes")
    scaled = {name: (getattr(cycles, name) * growing).astype(np.int64) for name in columns}
    assert "warm-up" in kinds(judged(printed(changed(cycles, **scaled)))[1])


def test_growth_and_movement_are_told() -> None:
    """A leak is not a step, and neither is steady."""
    cycles = simulated()
    columns = ("heap_start_bytes", "heap_end_bytes", "heap_marked_bytes", "heap_goal_bytes")
    place = np.arange(len(cycles)) / len(cycles)
    for factor, kind in ((1.0 + 0.9 * place, "growth"), (np.where(place < 0.6, 1.4, 1.0), "not steady")):
        scaled = {name: (getattr(cycles, name) * factor).astype(np.int64) for name in columns}
        trace = printed(changed(cycles, **scaled))
        assert kind in kinds(judged(trace)[1]), kind


@pytest.mark.parametrize(("count", "verdict"), [(9, "do not trust"), (20, "trust with care")])
def test_few_cycles_are_told(count: int, verdict: str) -> None:
    """Nine cycles less warm-up are too few, twenty are few."""
    _, diagnosis = judged(printed(simulated().select(slice(0, count))))
    assert "few cycles" in kinds(diagnosis)
    assert diagnosis.verdict in (verdict, "trust with care")


def test_a_model_that_misses_its_own_log_is_not_trusted() -> None:
    """Far beyond what two runs of one program differ by, and outside the interval."""
    trace = printed(simulated())
    found, _ = judged(trace)
    off = Comparison(name="heap_peak_mean_bytes", predicted=Estimate(150.0, 140.0, 160.0), observed=100.0)
    check = Validation(settings=found.model.settings, comparisons=(off,))
    diagnosis = diagnose(found, check)
    assert diagnosis.verdict == "do not trust"
    assert "mean heap peak" in diagnosis.reasons[0]


@pytest.mark.parametrize("low", [90.0, 150.0])
def test_a_highest_peak_missed_by_a_factor_is_not_trusted(low: float) -> None:
    """Thrice the log's highest peak, even where the interval is wide enough to hold what was observed."""
    trace = printed(simulated())
    found, _ = judged(trace)
    off = Comparison(name="heap_peak_bytes", predicted=Estimate(300.0, low, 700.0), observed=100.0)
    diagnosis = diagnose(found, Validation(settings=found.model.settings, comparisons=(off,)))
    assert diagnosis.verdict == "do not trust"
    assert "the highest heap peak is +200 % off" in diagnosis.reasons[0]


def test_the_verdict_survives_the_model_file(tmp_path: Path) -> None:
    """Whoever is handed the file reads the verdict in it."""
    trace = printed(simulated())
    found, diagnosis = judged(trace)
    with_verdict(found.model, diagnosis).save(tmp_path / "model.toml")
    assert (
        Model.load(tmp_path / "model.toml")
        .provenance["verdict"]
        .startswith("trust with care: the log does not show the memory")
    )


def test_every_parameter_has_something_that_would_narrow_it() -> None:
    """A new parameter must be given its place in the list of what is weakly determined."""
    named = [name for _, names, _ in _groups(printed(simulated())) for name in names]
    assert sorted(named) == sorted(PARAMETER_NAMES)
