"""RSS, anonymous memory and container memory: calibration, both engines, intervals, verdicts and recommendations."""

import io
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from example_service import example_log

from gcsim.calibration.calibrate import calibrate
from gcsim.calibration.checks.verdict import diagnose
from gcsim.calibration.evidence import Evidence, evidence_from
from gcsim.calibration.memory.file_pages import FILE_RESIDENT, file_pages_within
from gcsim.calibration.memory.fit import fit_memory
from gcsim.calibration.memory.measurements import MemoryEvidence, ProcessMemory
from gcsim.capture.elf import BinarySizes
from gcsim.capture.info import CaptureInfo
from gcsim.engine.inputs.draws import draw_parameters
from gcsim.engine.plan import Engine, Plan
from gcsim.engine.simulate import replica_metrics, simulate
from gcsim.gctrace import Trace, read_gctrace
from gcsim.metrics import Estimate
from gcsim.priors.file_pages import FILE_PAGES_OF_ANOTHER_RUN
from gcsim.priors.process_memory import memory_prior
from gcsim.service.assessment import Assessment, Finding
from gcsim.service.model import Model
from gcsim.service.parameters import Parameter
from gcsim.settings import Settings
from gcsim.tuning.constraints import constraints_from, is_met, margins, worst_margin
from gcsim.tuning.memory_budget import memory_budget
from gcsim.tuning.needed import Needed
from gcsim.tuning.reason import explain_miss
from gcsim.tuning.recommend import recommend
from gcsim.units import GIB, MIB

RSS = 290.0 * MIB
BARE = MemoryEvidence()


@cache
def log() -> Trace:
    return read_gctrace(io.BytesIO(example_log().encode()))


@cache
def cycles() -> Evidence:
    return evidence_from(log())


def measured(**peaks: float) -> MemoryEvidence:
    return MemoryEvidence(process=ProcessMemory(**peaks))


def fitted(evidence: MemoryEvidence) -> Model:
    """The example service with memory from this evidence."""
    model = calibrate(log(), name="example").model
    memory = fit_memory(cycles(), prior=memory_prior(27), evidence=evidence)
    return replace(model, parameters=replace(model.parameters, **memory))


@cache
def at_home(model_of: str) -> dict[str, Estimate]:
    """The metrics at the calibrated setting, for the evidence of this name."""
    model = fitted(EVIDENCE[model_of])
    (run,) = simulate(model, [model.settings], duration_seconds=60.0, replicas=32)
    return run.metrics


EVIDENCE = {
    "bare": BARE,
    "rss": measured(rss_peak_bytes=RSS),
    "capture": measured(
        rss_peak_bytes=RSS,
        anonymous_peak_bytes=RSS - 40 * MIB,
        file_peak_bytes=39.0 * MIB,
        shared_peak_bytes=1.0 * MIB,
    ),
    "momentary rss": measured(rss_peak_bytes=RSS, peak_error=0.05),
    "working set": measured(container_peak_bytes=RSS, container_error=0.02),
    "anonymous": measured(anonymous_peak_bytes=250.0 * MIB, peak_error=0.02),
}


@pytest.mark.parametrize("engine", ["lanes", "des"])
def test_both_engines_divide_rss_in_the_same_way(engine: Engine) -> None:
    """In each replica: RSS = anonymous + file pages, container = anonymous + hot file pages + kernel memory."""
    model = fitted(EVIDENCE["capture"])
    settings = [Settings(gogc=gogc, gomaxprocs=2, go="1.27") for gogc in (50, 100)]
    found = replica_metrics(model, settings, Plan(duration_seconds=2.0, replicas=3, engine=engine))
    drawn = draw_parameters(model, replicas=3, seed=1)
    pages = drawn["file_resident_bytes"]
    anonymous = found["anonymous_peak_bytes"]
    np.testing.assert_allclose(found["rss_peak_bytes"], anonymous + pages, rtol=1e-12)
    np.testing.assert_allclose(
        found["container_peak_bytes"],
        anonymous + drawn["file_hot_share"] * pages + drawn["kernel_bytes"],
        rtol=1e-12,
    )


def test_file_pages_of_another_run_move_rss_where_anonymous_memory_was_measured() -> None:
    """With RSS alone, more file pages are less anonymous memory, and the unknown page cache widens RSS."""
    capture, rss = (fitted(EVIDENCE[name]).parameters for name in ("capture", "rss"))
    assert (capture.rss_file_share.value, rss.rss_file_share.value) == (1, 0)
    base, pages = rss.rss_base_bytes, rss.file_resident_bytes.value
    assert base.rel_sd * base.value > 0.9 * FILE_PAGES_OF_ANOTHER_RUN.rel_sd * pages


def test_both_engines_predict_the_same_memory() -> None:
    """Medians over the same replicas differ by no more than the engines' heap peaks may."""
    model = fitted(EVIDENCE["capture"])
    settings = [model.settings]
    fast, slow = (
        replica_metrics(model, settings, Plan(duration_seconds=8.0, replicas=4, engine=engine))
        for engine in ("lanes", "des")
    )
    for name in ("rss_peak_bytes", "anonymous_peak_bytes", "container_peak_bytes"):
        assert np.median(slow[name]) == pytest.approx(np.median(fast[name]), rel=0.04), name


def test_a_capture_gives_each_part_back() -> None:
    """At its own setting: RSS and anonymous memory as measured, without a prior of file pages."""
    metrics, parameters = at_home("capture"), fitted(EVIDENCE["capture"]).parameters
    assert metrics["rss_peak_bytes"].value == pytest.approx(RSS, rel=0.02)
    assert metrics["anonymous_peak_bytes"].value == pytest.approx(RSS - 40 * MIB, rel=0.02)
    assert parameters.file_resident_bytes.value == 40 * MIB
    assert not parameters.file_resident_bytes.is_prior
    assert parameters.memory_source == "capture"


def test_file_pages_do_not_change_rss_that_was_measured() -> None:
    """A capture that states only RSS: more file pages are less anonymous memory."""
    model = fitted(EVIDENCE["rss"])
    more = replace(model.parameters, file_resident_bytes=Parameter(9.0 * MIB, 0.0))
    plan, other = Plan(duration_seconds=10.0, replicas=8), replace(model, parameters=more)
    first, second = (replica_metrics(one, [one.settings], plan) for one in (model, other))
    np.testing.assert_array_equal(first["rss_peak_bytes"], second["rss_peak_bytes"])
    np.testing.assert_allclose(
        second["anonymous_peak_bytes"], second["rss_peak_bytes"] - 9.0 * MIB, rtol=1e-12
    )


def test_file_pages_do_not_change_anonymous_memory_of_a_bare_log() -> None:
    """Nothing was measured: more file pages are more RSS."""
    model = fitted(BARE)
    narrow = replace(model.parameters, file_resident_bytes=Parameter(FILE_RESIDENT.value, 0.0))
    plan, other = Plan(duration_seconds=10.0, replicas=8), replace(model, parameters=narrow)
    first, second = (replica_metrics(one, [one.settings], plan) for one in (model, other))
    np.testing.assert_allclose(first["anonymous_peak_bytes"], second["anonymous_peak_bytes"], rtol=1e-9)
    drawn = draw_parameters(model, replicas=8, seed=1)["file_resident_bytes"]
    np.testing.assert_allclose(
        (first["rss_peak_bytes"] - second["rss_peak_bytes"])[0],
        drawn - FILE_RESIDENT.value,
        rtol=1e-6,
        atol=1.0,
    )


@pytest.mark.parametrize("replicas", [16, 256])
def test_the_width_of_the_prior_reaches_the_intervals(replicas: int) -> None:
    """With a heap of 20 MiB the upper half of the interval of RSS is that of file pages, with few replicas too."""
    model = fitted(BARE).scaled(live=0.1)
    (run,) = simulate(model, [model.settings], duration_seconds=20.0, replicas=replicas)
    pages = FILE_RESIDENT.value
    reach = pages * (np.exp(1.645 * FILE_RESIDENT.rel_sd) - 1.0)
    rss, container = run.metrics["rss_peak_bytes"], run.metrics["container_peak_bytes"]
    assert rss.high - rss.value > 0.75 * reach
    assert container.high - container.value > 0.6 * 0.75 * reach
    narrow = replace(model.parameters, file_resident_bytes=Parameter(pages, 0.05))
    (other,) = simulate(
        replace(model, parameters=narrow), [model.settings], duration_seconds=20.0, replicas=replicas
    )
    assert other.metrics["rss_peak_bytes"].high < rss.high - 15 * MIB


@pytest.mark.parametrize("seed", range(6))
def test_a_few_replicas_have_the_median_of_the_prior(seed: int) -> None:
    """The wide prior is drawn evenly: 16 replicas have its median within 10 % and about its spread."""
    drawn = draw_parameters(fitted(BARE), replicas=16, seed=seed)["file_resident_bytes"]
    assert np.median(drawn) == pytest.approx(FILE_RESIDENT.value, rel=0.1)
    assert np.log(drawn).std() == pytest.approx(FILE_RESIDENT.rel_sd, rel=0.3)


def test_a_working_set_gives_the_containers_memory_back() -> None:
    """Container memory is narrow at the setting of the reading; RSS is not."""
    metrics = at_home("working set")
    container, rss = metrics["container_peak_bytes"], metrics["rss_peak_bytes"]
    assert container.value == pytest.approx(RSS, rel=0.03)
    assert container.high - container.low < rss.high - rss.low


@pytest.mark.parametrize("name", ["momentary rss", "working set", "anonymous"])
def test_a_reading_narrows_container_memory(name: str) -> None:
    """Each reading leaves a narrower interval than the bare log."""
    found, bare = at_home(name)["container_peak_bytes"], at_home("bare")["container_peak_bytes"]
    assert (found.high - found.low) / found.value < (bare.high - bare.low) / bare.value
    assert fitted(EVIDENCE[name]).parameters.memory_source == "reading"


def test_the_error_of_a_moment_widens_the_interval() -> None:
    """The same size as a measured peak and as a momentary reading."""
    wide, narrow = at_home("momentary rss")["rss_peak_bytes"], at_home("rss")["rss_peak_bytes"]
    assert wide.high - wide.low > narrow.high - narrow.low


@pytest.mark.parametrize("other_mib", [3, 40, 400])
def test_c_memory_is_not_taken_for_file_pages(other_mib: int) -> None:
    """File pages stay below the sum, and near the prior where C memory makes it large."""
    pages = file_pages_within(np.full(2000, other_mib * float(MIB)))
    assert (pages <= other_mib * MIB).all()
    assert np.quantile(pages, 0.95) <= 1.05 * np.exp(1.645 * FILE_RESIDENT.rel_sd) * FILE_RESIDENT.value


def test_the_binary_narrows_the_prior() -> None:
    """Text and constants of 30 MiB: about as many file pages, and a narrower interval."""
    sizes = BinarySizes(
        text_bytes=18 * MIB, read_only_bytes=12 * MIB, data_bytes=MIB, zeroed_bytes=MIB, is_dynamic=False
    )
    pages = fitted(MemoryEvidence(binary=sizes)).parameters.file_resident_bytes
    assert 20 * MIB < pages.value <= 30 * MIB
    assert pages.rel_sd < FILE_RESIDENT.rel_sd / 2


# verdicts


def with_side_file(**values: int) -> Assessment:
    info = CaptureInfo(gogc=100, gomaxprocs=2, rss_peak_bytes=int(RSS), **values)
    return diagnose(calibrate(replace(log(), info=info), name="example")).assessment


def test_memory_without_a_measurement_is_unknown() -> None:
    """A healthy bare log: CPU is trusted, memory is unknown, and the whole is not trusted."""
    found = diagnose(calibrate(log(), name="example")).assessment
    assert (found.memory_verdict, found.cpu_verdict, found.verdict) == ("unknown", "trust", "trust with care")
    assert found.to_json()["verdicts"] == {"memory": "unknown", "cpu": "trust"}


def test_measured_memory_is_trusted() -> None:
    """With a capture both verdicts and the whole are trust."""
    found = with_side_file(anonymous_peak_bytes=int(RSS - 40 * MIB), file_peak_bytes=40 * MIB)
    assert (found.memory_verdict, found.cpu_verdict, found.verdict) == ("trust", "trust", "trust")


@pytest.mark.parametrize(
    ("kind", "severity", "memory", "cpu"),
    [
        ("crowded machine", "distrust", "trust", "do not trust"),
        ("memory read once", "care", "trust with care", "trust"),
        ("memory not measured", "care", "unknown", "trust"),
        ("growth", "distrust", "do not trust", "do not trust"),
    ],
)
def test_the_verdict_is_the_worse_of_both(kind: str, severity: str, memory: str, cpu: str) -> None:
    """A finding concerns memory, CPU or both."""
    found = Assessment(findings=(Finding(kind, severity, "text"),))  # type: ignore[arg-type]
    assert (found.memory_verdict, found.cpu_verdict) == (memory, cpu)
    order = ["trust", "trust with care", "unknown", "do not trust"]
    worst = max((memory, cpu), key=order.index)
    assert found.verdict == ("trust with care" if worst == "unknown" else worst)


# the budget of recommend


def test_the_budget_names_the_reading_that_frees_most() -> None:
    """A bare log keeps the wide prior, and a working set would free a part of it; a capture needs no reading."""
    bare, known = (memory_budget(fitted(EVIDENCE[name]), seed=1) for name in ("bare", "capture"))
    assert bare.reading == "--working-set"
    assert 5 * MIB < bare.freed_bytes < bare.outside_heap.high - bare.outside_heap.value
    assert (known.reading, known.freed_bytes) == (None, 0.0)
    assert known.not_counted.high < bare.not_counted.high


@pytest.mark.parametrize("evidence", ["bare", "capture"])
@pytest.mark.parametrize("memory", [256 * MIB, 384 * MIB, GIB])
def test_the_recommended_limit_leaves_room_for_what_it_does_not_count(evidence: str, memory: int) -> None:
    """GOMEMLIMIT and the pessimistic end of the memory that it does not count fit into the container."""
    found = recommend(fitted(EVIDENCE[evidence]), memory_bytes=memory, duration_seconds=20.0, replicas=4)
    if not found.feasible:
        assert memory == 256 * MIB
        return
    limit = found.settings.gomemlimit_bytes
    assert found.run.metrics["container_peak_bytes"].high <= memory
    assert limit is None or limit + found.budget.not_counted.high <= memory


def test_a_limit_without_room_for_other_memory_is_a_miss_with_its_reason() -> None:
    """Such a run meets every bound: without the reason the sentence on the nearest miss would be empty."""
    model = fitted(EVIDENCE["bare"])
    settings = replace(model.settings, gogc=100, gomemlimit_bytes=3 * GIB)
    (run,) = simulate(model, [settings], duration_seconds=5.0, replicas=4)
    constraints = constraints_from(4 * GIB, not_counted_bytes=2.0 * GIB)
    assert all(one.margin(run) >= 0 for one in constraints)
    assert not is_met(run, constraints)
    assert worst_margin(run, constraints) < 0
    needed = Needed(least_memory=run, in_this_memory=None, with_more_memory=None, not_counted_bytes=0.0)
    *_, last = explain_miss(run, margins(run, constraints, replicas=4), needed, memory_budget(model, seed=1))
    assert "leaves too little of the memory for what it does not count and for error" in last
