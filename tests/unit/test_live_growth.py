"""The live heap's growth: its form is recovered from simulated logs, extrapolated by both engines, and stated."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from example_service import example_service

from gcsim.calibration.calibrate import calibrate
from gcsim.calibration.estimate.job_course import _level_at_end
from gcsim.calibration.estimate.live_growth import better_clock, find_growth
from gcsim.calibration.evidence import evidence_from
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.calibration.validation import validate
from gcsim.calibration.window import service_window, working_window
from gcsim.engine.plan import Engine
from gcsim.engine.simulate import record_cycles, replica_metrics, simulate
from gcsim.errors import InputError
from gcsim.gctrace import read_gctrace
from gcsim.gctrace.trace import Trace
from gcsim.gctrace.writer import format_gctrace
from gcsim.service.growth import LiveGrowth
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.submodels.live_growth import central_course
from gcsim.tuning.limits_reached import limits_reached
from gcsim.units import MIB

LOG_SECONDS = 60.0
HOME = Settings(gogc=100, gomaxprocs=2)
AT = Settings(gogc=100, gomemlimit_bytes=600 * MIB, gomaxprocs=2)


def growth(form: str, *, rise: float = 1.0, lengths: float = 1.0, clock: str = "time") -> LiveGrowth:
    """A live heap that grows by ``rise`` times its first size; ``lengths``: time constants in the log."""
    first = 1.0 / (1.0 + rise / 2.0)
    none = LiveGrowth.none()
    common = {"form": form, "clock": clock, "log_seconds": LOG_SECONDS, "pace_sd": 0.12}
    if form == "steps":
        levels = first * (1.0 + rise * np.arange(5) / 4.0)
        return replace(
            none,
            **common,
            seconds=LOG_SECONDS * np.arange(5) / 5.0,
            levels=levels,
            step_seconds=LOG_SECONDS / 5.0,
            step_seconds_sd=0.05,
            step_size=first * rise / 4.0,
            step_size_sd=0.05,
        )
    curvature = 0.0 if form == "linear" else lengths / LOG_SECONDS
    risen = LOG_SECONDS if curvature == 0 else (1.0 - np.exp(-lengths)) / curvature
    slope = rise * first / risen
    return replace(
        none,
        **common,
        curvature_per_second=np.array([curvature]),
        weight=np.ones(1),
        slope_per_second=np.array([slope]),
        slope_sd=np.array([0.02]),
        pivot_seconds=np.array([(1.0 - first) / slope]),
    )


def growing(form: str, **how: float) -> Model:
    """The example service with growth by time."""
    return replace(example_service(), growth=growth(form, **how), duration_seconds=LOG_SECONDS)


def log_of(model: Model, *, seed: int, seconds: float = LOG_SECONDS) -> Trace:
    """A simulated log of the model, as Go prints it."""
    cycles = record_cycles(model, HOME, duration_seconds=seconds, seed=seed)
    return read_gctrace(io.BytesIO(format_gctrace(cycles, go="1.27").encode()))


def peak(
    model: Model, seconds: float, *, settings: Settings = HOME, engine: str = "lanes"
) -> tuple[float, float, float]:
    """Low, value and high of the predicted heap peak."""
    found = simulate(model, [settings], duration_seconds=seconds, replicas=32, engine=engine)[0]  # type: ignore[arg-type]
    one = found.metrics["heap_peak_bytes"]
    return one.low, one.value, one.high


@pytest.mark.parametrize("form", ["linear", "levels off", "steps"])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_form_is_recovered_and_extrapolated(form: str, seed: int) -> None:
    """From a simulated minute: the form, and the heap peak after four minutes inside the predicted interval."""
    true = growing(form, lengths=2.0)
    found = calibrate(log_of(true, seed=seed), name=form, overrides=Overrides(loop="closed")).model
    assert found.growth.form == form
    later = record_cycles(true, HOME, duration_seconds=240.0, seed=seed + 100)
    low, value, high = peak(found, 240.0)
    highest = float(later.heap_end_bytes.max())
    assert low <= highest <= high
    assert value == pytest.approx(highest, rel=0.2)


def test_a_ceiling_within_the_log_is_kept() -> None:
    """A cache that has filled within the log stays full: twenty log lengths later the peak is the same."""
    model = growing("levels off", lengths=6.0)
    found = calibrate(log_of(model, seed=1), name="full", overrides=Overrides(loop="closed")).model
    _, after_three, _ = peak(found, 3 * LOG_SECONDS)
    _, after_twenty, _ = peak(found, 20 * LOG_SECONDS)
    assert after_twenty == pytest.approx(after_three, rel=0.06)


@pytest.mark.parametrize("correlation", [0.0, 0.6])
@pytest.mark.parametrize("cycles", [12, 40, 200])
def test_steady_services_do_not_grow(cycles: int, correlation: float) -> None:
    """At most one steady log in a hundred shows growth, with independent and with correlated cycles."""
    found = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        noise = generator.normal(0.0, 0.05, cycles)
        for cycle in range(1, cycles):
            noise[cycle] += correlation * noise[cycle - 1]
        seconds = np.cumsum(generator.uniform(0.2, 0.8, cycles))
        found += not find_growth(80.0 * MIB * (1.0 + noise), seconds, "time").is_none
    assert found <= 2


def test_intervals_widen_with_time_past_the_log() -> None:
    """The relative width of the heap peak's interval grows from one log length to three to ten."""
    model = growing("linear")
    found = calibrate(log_of(model, seed=4), name="grows", overrides=Overrides(loop="closed")).model
    absolute = [high - low for low, _, high in (peak(found, n * LOG_SECONDS) for n in (1, 3, 10))]
    assert absolute[0] < absolute[1] < absolute[2]


def test_a_run_of_the_log_s_length_follows_the_log() -> None:
    """At the log's own length the predicted peak is the log's, and a shorter run stays lower."""
    trace = log_of(growing("linear", rise=2.0), seed=5)
    found = calibrate(trace, name="grows", overrides=Overrides(loop="closed")).model
    _, whole, _ = peak(found, found.duration_seconds)
    _, half, _ = peak(found, 0.5 * found.duration_seconds)
    assert whole == pytest.approx(float(trace.cycles.heap_end_bytes.max()), rel=0.1)
    assert half < 0.85 * whole


@pytest.mark.parametrize("gogc", [50, 200])
def test_a_job_ends_and_is_not_extrapolated(gogc: int) -> None:
    """A log that is one run of a job: it ends with its work at any GOGC, and a run five times as long is the same."""
    trace = log_of(growing("linear", rise=2.0), seed=6)
    found = calibrate(trace, name="job", overrides=Overrides(job=True)).model
    assert found.growth.form == "job"
    settings = replace(HOME, gogc=gogc)
    _, once, _ = peak(found, 1.4 * found.duration_seconds, settings=settings)  # a low GOGC takes longer
    _, often, _ = peak(found, 7 * found.duration_seconds, settings=settings)
    assert often == pytest.approx(once, rel=0.1)
    assert limits_reached(found, AT, memory_bytes=4096 * MIB) == ()


def test_the_memory_of_a_job_includes_its_last_heap() -> None:
    """A job that ends before a collection has all that it allocated since the last one; both engines count that."""
    settings = replace(HOME, gogc=400)
    excess = []
    for seconds in (3.0, 4.0, 5.0, 6.0, 7.0):  # the job ends near a collection or far from one
        course = LiveGrowth(
            form="job",
            clock="work",
            log_seconds=seconds,
            seconds=np.array([0.0, seconds]),
            levels=np.array([0.02, 0.2 * seconds]),
        )
        found = replace(example_service(), growth=course)
        base = found.parameters.rss_base_bytes.value
        runs = [simulate(found, [settings], replicas=8, engine=engine) for engine in ("lanes", "des")]
        lanes, events = (run[0].metrics for run in runs)
        assert events["rss_peak_bytes"].value == pytest.approx(lanes["rss_peak_bytes"].value, rel=0.1)
        excess.append(lanes["rss_peak_bytes"].value / (lanes["heap_peak_bytes"].value + base))
    assert max(excess) > 1.07  # without the last heap at most 1.03: what the runtime adds to a heap peak


@pytest.mark.parametrize("engine", ["lanes", "des"])
def test_a_job_with_one_collection_has_a_gc_cpu(engine: Engine) -> None:
    """The window between the first and the last collection would leave out the only one, and its CPU time."""
    course = LiveGrowth(
        form="job", clock="work", log_seconds=4.0, seconds=np.array([0.0, 4.0]), levels=np.array([0.2, 2.0])
    )
    found = replace(example_service(), growth=course)
    settings = [replace(HOME, gogc=None, gomemlimit_bytes=limit * MIB) for limit in (1400, 500)]
    one, more = (
        run.metrics for run in simulate(found, settings, duration_seconds=60.0, replicas=8, engine=engine)
    )
    assert 0 < one["gc_cpu_fraction"].value < more["gc_cpu_fraction"].value
    seconds = 4.0 / one["throughput_ratio"].value
    assert one["gc_rate_hz"].value * seconds == pytest.approx(1.0, rel=0.05)  # one collection


def test_the_live_heap_of_a_job_rises_on_after_its_last_cycle() -> None:
    """At the slope of the second half of the logged work; a heap that falls there stays at its last level."""
    seconds = np.array([0.0, 4.0, 8.0, 10.0])
    assert _level_at_end(seconds, np.array([0.0, 0.4, 2.0, 2.8]), 5.0) == pytest.approx(2.8 + 5.0 * 2.0 / 5.0)
    assert _level_at_end(seconds, np.array([0.0, 3.0, 2.0, 1.0]), 5.0) == 1.0


def test_growth_of_a_closed_loop_follows_its_work() -> None:
    """A GOGC that leaves the program less time grows by less: the heap after a minute depends on the work done."""
    model = replace(example_service(), growth=growth("linear", rise=3.0, clock="work"))
    few = replace(HOME, gogc=10)
    by_work = simulate(model, [few], duration_seconds=240.0)[0].metrics
    clock = replace(model, growth=replace(model.growth, clock="time"))
    by_time = simulate(clock, [few], duration_seconds=240.0)[0].metrics
    assert by_work["throughput_ratio"].value < 0.8
    assert by_work["heap_peak_bytes"].value < 0.95 * by_time["heap_peak_bytes"].value


@pytest.mark.parametrize("straight_by", ["time", "work"])
@pytest.mark.parametrize("seed", range(3))
def test_a_log_shows_the_clock_of_its_growth(straight_by: str, seed: int) -> None:
    """A program that slows down by a third over its log: growth is straight by one clock and bent by the other."""
    time = np.linspace(0.0, 60.0, 120)
    work = (time - time**2 / 360.0) * 60.0 / 50.0
    rise = time if straight_by == "time" else work
    noise = np.random.default_rng(seed).normal(1.0, 0.02, time.size)
    live = MIB * (30.0 + 2.0 * rise) * noise
    assert better_clock(live, time, work) == straight_by
    assert better_clock(live, time, time) == "work"  # the log does not decide


@pytest.mark.parametrize("form", ["linear", "steps"])
def test_engines_agree_on_growth(form: str) -> None:
    """Heap peak past the end of the log: both engines within 6 %."""
    model = growing(form)
    lanes = simulate(model, [HOME], duration_seconds=90.0, replicas=4)[0].metrics["heap_peak_bytes"].value
    events = simulate(model, [HOME], duration_seconds=90.0, replicas=4, engine="des")[0]
    assert events.metrics["heap_peak_bytes"].value == pytest.approx(lanes, rel=0.06)


def test_settings_and_replicas_do_not_change_a_growing_run() -> None:
    """A setting has the same metrics alone and in a grid, and replica r with any number of replicas."""
    model = growing("steps")
    grid = [replace(HOME, gogc=gogc) for gogc in (50, 100, 300)]
    together = replica_metrics(model, grid, duration_seconds=200.0, replicas=6)
    alone = replica_metrics(model, [grid[1]], duration_seconds=200.0, replicas=3)
    for name, values in alone.items():
        np.testing.assert_array_equal(values[0], together[name][1, :3])


@pytest.mark.parametrize("form", ["linear", "levels off", "steps"])
def test_growth_is_kept_in_the_model_file(form: str, tmp_path: Path) -> None:
    """A saved and loaded model predicts the same; a model without growth has no table."""
    model = growing(form)
    model.save(tmp_path / "model.toml")
    assert peak(Model.load(tmp_path / "model.toml"), 120.0) == peak(model, 120.0)
    example_service().save(tmp_path / "steady.toml")
    assert "[growth]" not in (tmp_path / "steady.toml").read_text()


def test_a_damaged_growth_table_is_refused(tmp_path: Path) -> None:
    """An unknown form is one clear sentence."""
    growing("linear").save(tmp_path / "model.toml")
    text = (tmp_path / "model.toml").read_text().replace('form = "linear"', 'form = "cubic"')
    (tmp_path / "model.toml").write_text(text)
    with pytest.raises(InputError, match="growth: form must be one of"):
        Model.load(tmp_path / "model.toml")


def test_the_time_to_a_limit_is_the_slope_s() -> None:
    """A straight rise reaches GOMEMLIMIT when its line does, and later at a higher limit; a ceiling below never."""
    model = growing("linear")
    (found,) = limits_reached(model, AT)
    course = central_course(model.growth)
    at_limit = course.factor(np.array([found.seconds.value]), np.zeros(1, dtype=np.int64))[0]
    assert at_limit * model.parameters.live_bytes.value == pytest.approx(600 * MIB, rel=0.12)
    assert found.seconds.low < found.seconds.value < found.seconds.high
    assert "reaches the limit of 600 MiB after" in found.sentence
    (later,) = limits_reached(model, replace(AT, gomemlimit_bytes=1200 * MIB))
    assert later.seconds.value > 1.5 * found.seconds.value
    assert limits_reached(growing("levels off", lengths=6.0), AT) == ()
    assert limits_reached(example_service(), AT) == ()


def test_all_cycles_of_a_short_log_that_rises_throughout_are_used() -> None:
    """A store that grows from nothing has few cycles, each a third higher: the last five alone show no rise."""
    lines, seconds, marked = [], 0.3, 2.0
    for number in range(1, 15):
        peak_mib = max(2.0 * marked, 4.0)
        seconds += (peak_mib - marked) / 14.0
        marked = 1.4 + 4.6 * (seconds - 0.3)
        lines.append(
            f"gc {number} @{seconds:.3f}s 0%: 0.10+2.0+0.02 ms clock, 0.2+0.1/1.0/1.0+0.04 ms cpu,"
            f" {int(peak_mib)}->{int(peak_mib)}->{int(marked)} MB, {int(peak_mib)} MB goal, 0 MB stacks,"
            " 0 MB globals, 2 P"
        )
    trace = read_gctrace(io.BytesIO(("\n".join(lines) + "\n").encode()))
    evidence = evidence_from(trace)
    assert (service_window(evidence).start, working_window(evidence).start) == (0, 9)
    found = calibrate(trace, name="store", overrides=Overrides(loop="open", go="1.27")).model
    assert found.growth.form == "linear"
    comparisons = {one.name: one for one in validate(found, trace, found.settings).comparisons}
    assert abs(comparisons["gc_rate_hz"].error) < 0.15
    assert abs(comparisons["heap_peak_mean_bytes"].error) < 0.15
