"""Memory outside the heap: what a limit's goals and a resident peak tell of it."""

from pathlib import Path

import numpy as np
import pytest

from experiments.archive import unpacked
from gcsim.calibration.calibrate import calibrate
from gcsim.calibration.evidence import Evidence, evidence_from
from gcsim.calibration.memory.fit import fit_memory
from gcsim.calibration.memory.limit_goals import outside_heap
from gcsim.calibration.memory.measurements import MemoryEvidence, ProcessMemory
from gcsim.calibration.pooling import calibrate_logs
from gcsim.engine.simulate import replica_metrics
from gcsim.gctrace import read_gctrace
from gcsim.goruntime.memory_limit import memory_limit_heap_goal_bytes
from gcsim.goruntime.versions import rules_for
from gcsim.priors.process_memory import memory_prior
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.submodels.process_memory import span_tail_recount_bytes
from gcsim.units import MIB

CAPTURES = unpacked(Path(__file__).parents[2] / "experiments" / "validation" / "captures")


def _limited(outside_bytes: np.ndarray, settings: Settings) -> Evidence:
    """A real log's cycles with the goals that this much outside the heap would have given them."""
    log = evidence_from(read_gctrace(CAPTURES / "orders-go1.27.3-gogc100-limitoff-p2-r1.log.gz"))
    goals = memory_limit_heap_goal_bytes(
        np.zeros(len(log), np.int64),
        settings.gomemlimit_bytes or 0,
        outside_bytes.astype(np.int64),
        0,
        rules=rules_for(settings.go),
    )
    columns = {name: getattr(log, name) for name in Evidence.__dataclass_fields__}
    return Evidence(**(columns | {"heap_goal_bytes": goals.astype(np.float64)}))


@pytest.mark.parametrize("go", ["1.19", "1.21", "1.27"])
@pytest.mark.parametrize("limit_mib", [200, 2000])
def test_goals_under_a_limit_tell_what_lies_outside_the_heap(go: str, limit_mib: int) -> None:
    """The runtime's goal turned round gives back what was put into it, in every version's headroom."""
    settings = Settings(gogc=None, gomemlimit_bytes=limit_mib * MIB, gomaxprocs=2, go=go)
    cycles = len(evidence_from(read_gctrace(CAPTURES / "orders-go1.27.3-gogc100-limitoff-p2-r1.log.gz")))
    outside = np.linspace(20, 24, cycles) * MIB
    found = outside_heap(_limited(outside, settings), settings, rules_for(go))
    assert found is not None
    assert abs(found.bytes - outside.mean()) < found.error_bytes + 200


def test_goals_that_gogc_sets_tell_nothing() -> None:
    """Without a limit, and under one that never binds, there is nothing to learn from goals."""
    trace = read_gctrace(CAPTURES / "orders-go1.27.3-gogc100-limitoff-p2-r1.log.gz")
    log = evidence_from(trace).with_gogc(100)
    for limit in (None, 100_000 * MIB):
        settings = Settings(gogc=100, gomemlimit_bytes=limit, gomaxprocs=2, go="1.27")
        assert outside_heap(log, settings, rules_for("1.27")) is None


def test_a_limited_log_tells_stacks_that_runtime_metrics_showed() -> None:
    """deepstacks has 128.4 MiB of stacks by /memory/classes/heap/stacks, and its log prints 62 MiB scanned."""
    trace = read_gctrace(CAPTURES / "deepstacks-go1.27.3-gogcoff-limit240MiB-p2-r1.log.gz")
    stacks = calibrate(trace, name="deepstacks").model.parameters.allocated_stack_bytes
    assert stacks.value == pytest.approx(128.4 * MIB, rel=0.1)
    assert stacks.rel_sd < 0.15


def test_several_logs_take_what_lies_outside_the_heap_from_the_limited_one() -> None:
    """A log at GOGC=100 and one under a limit give the load of the first and the stacks of the second."""
    names = [
        f"deepstacks-go1.27.3-{setting}-p2-r1" for setting in ("gogc100-limitoff", "gogcoff-limit240MiB")
    ]
    traces = {name: read_gctrace(CAPTURES / f"{name}.log.gz") for name in names}
    several = calibrate_logs(traces, name="deepstacks")
    assert several.reference == names[0]
    alone = several.calibrations[names[1]].model.parameters
    assert several.model.parameters.allocated_stack_bytes == alone.allocated_stack_bytes


def test_what_several_logs_allocated_follows_the_share_of_slots_that_one_of_them_told() -> None:
    """More slots filled again is more counted again: less of what the heap grew by was allocated, in every log."""
    names = [f"jobs-go1.27.3-{setting}-p2-r1" for setting in ("gogc100-limitoff", "gogcoff-limit140MiB")]
    traces = {name: read_gctrace(CAPTURES / f"{name}.log.gz") for name in names}
    several = calibrate_logs(traces, name="jobs")
    pooled, first = several.model.parameters, several.calibrations[names[0]].model.parameters
    assert pooled.slot_garbage_share.value != first.slot_garbage_share.value
    weights = [
        span_tail_recount_bytes(
            np.inf, 1.0, slot_garbage=p.slot_garbage_share.value, base_share=p.recount_base_share.value
        )
        for p in (pooled, first)
    ]
    shares = [p.recounted_share_of_all.value for p in (pooled, first)]
    assert shares[0] / shares[1] == pytest.approx(weights[0] / weights[1], rel=1e-6)
    grown = [p.alloc_bytes_per_second.value / (1.0 - p.recounted_share_of_all.value) for p in (pooled, first)]
    assert grown[0] == pytest.approx(grown[1], rel=1e-6)


@pytest.mark.parametrize("program", ["deepstacks", "smallapi"])
def test_one_log_holds_the_stacks_that_runtime_metrics_showed(program: str) -> None:
    """What a log at GOGC=100 and its peak of resident memory say of stacks holds the measured 128.4 and 2.9 MiB."""
    measured = {"deepstacks": 128.4, "smallapi": 2.88}[program] * MIB
    trace = read_gctrace(CAPTURES / f"{program}-go1.27.3-gogc100-limitoff-p2-r1.log.gz")
    stacks = calibrate(trace, name=program).model.parameters.allocated_stack_bytes
    assert abs(np.log(measured / stacks.value)) < 1.645 * stacks.rel_sd


def test_more_resident_memory_means_no_less_of_anything() -> None:
    """The larger the peak beside one heap, the more stacks and binary, and the larger the constant part."""
    log = evidence_from(read_gctrace(CAPTURES / "smallapi-go1.27.3-gogc100-limitoff-p2-r1.log.gz"))
    peak = float(log.heap_end_bytes.max())
    names = ("allocated_stack_bytes", "rss_beside_bytes", "rss_base_bytes")
    found = [
        fit_memory(
            log,
            prior=memory_prior(27),
            evidence=MemoryEvidence(process=ProcessMemory(rss_peak_bytes=peak + beside * MIB)),
        )
        for beside in (6, 9, 12, 16)
    ]
    for name in names:
        values = [parameters[name].value for parameters in found]
        assert values == sorted(values), name


def test_what_is_resident_beside_the_heap_tells_the_binary_from_stacks() -> None:
    """smallapi has 2.9 MiB of stacks by runtime/metrics; its arenas and the rest, parted, say so closely."""
    log = evidence_from(read_gctrace(CAPTURES / "smallapi-go1.27.3-gogc100-limitoff-p2-r1.log.gz"))
    whole = ProcessMemory(rss_peak_bytes=18.4 * MIB)
    parted = ProcessMemory(
        rss_peak_bytes=18.4 * MIB, rss_outside_heap_bytes=7.8 * MIB, heap_mapped_bytes=12.6 * MIB
    )
    first, second = (
        fit_memory(log, prior=memory_prior(27), evidence=MemoryEvidence(process=seen))
        for seen in (whole, parted)
    )
    for name in ("allocated_stack_bytes", "rss_beside_bytes"):
        assert second[name].rel_sd < 0.7 * first[name].rel_sd
    stacks = second["allocated_stack_bytes"]
    assert abs(np.log(2.88 * MIB / stacks.value)) < 1.645 * stacks.rel_sd


def test_stacks_that_were_never_touched_are_seen_in_what_the_heap_maps() -> None:
    """deepstacks' goroutines use a little more than half of 64 KiB: 128.4 MiB are allocated, 64 resident."""
    log = evidence_from(read_gctrace(CAPTURES / "deepstacks-go1.27.3-gogc100-limitoff-p2-r1.log.gz"))
    peak = float(log.heap_end_bytes.max())
    seen = ProcessMemory(
        rss_peak_bytes=peak + 72.3 * MIB, rss_outside_heap_bytes=6.8 * MIB, heap_mapped_bytes=peak + 133 * MIB
    )
    stacks = fit_memory(log, prior=memory_prior(27), evidence=MemoryEvidence(process=seen))[
        "allocated_stack_bytes"
    ]
    assert stacks.value == pytest.approx(128.4 * MIB, rel=0.05)
    assert stacks.rel_sd < 0.05


def test_resident_memory_stays_at_the_limit_while_the_heap_fits() -> None:
    """Free pages go back before the limit is passed: only what the limit does not count comes on top."""
    model = Model.load("order-service")
    settings = [Settings(gogc=None, gomemlimit_bytes=m * MIB, gomaxprocs=2, go="1.27") for m in (400, 800)]
    metrics = replica_metrics(model, settings, duration_seconds=20.0, replicas=16)
    beside = model.parameters.rss_beside_bytes
    most = beside.value * np.exp(4 * beside.rel_sd)
    limits = np.array([[float(s.gomemlimit_bytes or 0)] for s in settings])
    assert (metrics["rss_peak_bytes"] <= limits + most).all()


@pytest.mark.parametrize("gogc", [None, 100])
def test_resident_memory_comes_close_to_a_limit_that_sets_the_goals(gogc: int | None) -> None:
    """What the heap leaves of the limit are slots that stay free: they were touched all the same."""
    model = Model.load("order-service")
    settings = [
        Settings(gogc=gogc, gomemlimit_bytes=m * MIB, gomaxprocs=2, go="1.27") for m in (140, 160, 180)
    ]
    resident = replica_metrics(model, settings, duration_seconds=20.0, replicas=16)["rss_peak_bytes"]
    np.testing.assert_allclose(np.median(resident, axis=1) / MIB, [140, 160, 180], rtol=0.06)


def test_a_limit_far_off_leaves_resident_memory_as_it_is() -> None:
    """It sets no goal."""
    settings = [Settings(gogc=100, gomaxprocs=2, go="1.27", gomemlimit_bytes=m) for m in (None, 4000 * MIB)]
    resident = replica_metrics(Model.load("order-service"), settings, duration_seconds=20.0, replicas=16)
    without, far = np.median(resident["rss_peak_bytes"], axis=1)
    assert far == pytest.approx(without, rel=0.02)
