"""What the runtime's own counts tell of memory outside objects: recovered from looks with known truth."""

from pathlib import Path

import numpy as np
import pytest

from experiments.archive import unpacked
from gcsim.calibration.estimate.live_heap import heap_exponent
from gcsim.calibration.evidence import Evidence, evidence_from
from gcsim.calibration.memory.counted import counted_memory
from gcsim.calibration.memory.fit import fit_memory
from gcsim.calibration.memory.measurements import MemoryEvidence
from gcsim.capture.runtime_counters import HeapAccount, HeapAccounts
from gcsim.gctrace import read_gctrace
from gcsim.priors.process_memory import memory_prior
from gcsim.units import MIB

CAPTURES = unpacked(Path(__file__).parents[2] / "experiments" / "validation" / "captures")


@pytest.fixture(scope="module")
def log() -> Evidence:
    """A real log of 10 s."""
    trace = read_gctrace(CAPTURES / "orders-go1.27.3-gogc100-limitoff-p2-r1.log.gz")
    return evidence_from(trace).with_gogc(100)


def _looks(
    log: Evidence,
    *,
    unfilled_mib: float,
    slot_garbage: float,
    late_seconds: float = 0.0,
    held_mib: float = 0.0,
) -> HeapAccounts:
    """Three hundred looks at a heap that grows evenly between this log's mark ends, each timed so much too late.

    Ps hold ``held_mib`` of spans whose objects are not counted yet, and 2.2 % of the growth is tails of fresh spans.
    """
    rng = np.random.default_rng(7)
    looks = []
    for second in np.sort(rng.uniform(log.end_seconds[0], log.end_seconds[-1], 300)):
        cycle = int(np.searchsorted(log.end_seconds, second))
        first, last = log.end_seconds[cycle - 1], log.end_seconds[cycle]
        marked, end = log.heap_marked_bytes[cycle - 1], log.heap_end_bytes[cycle]
        live = marked + (end - marked) * (second - first) / (last - first)
        free = (unfilled_mib + rng.normal(0, 0.3)) * MIB + slot_garbage * (end - live)
        ahead = held_mib * MIB + 0.022 * (live - marked) if held_mib else 0.0
        looks.append(
            HeapAccount(
                second + late_seconds, int(marked), int(live), int(live + free - ahead), int(free), 9 * MIB
            )
        )
    accounts = HeapAccounts.of(looks)
    assert accounts is not None
    return accounts


@pytest.mark.parametrize(("unfilled_mib", "slot_garbage"), [(6.0, 0.25), (15.0, 0.0), (2.0, 0.8)])
@pytest.mark.parametrize("late_seconds", [0.0, 0.01])
def test_the_line_of_free_slots_is_found(
    log: Evidence, unfilled_mib: float, slot_garbage: float, late_seconds: float
) -> None:
    """Its end at mark end and its slope come back, with clocks ten milliseconds apart too."""
    accounts = _looks(log, unfilled_mib=unfilled_mib, slot_garbage=slot_garbage, late_seconds=late_seconds)
    found = counted_memory(accounts, log)
    assert found is not None
    assert found.unfilled_slot_bytes / MIB == pytest.approx(unfilled_mib, rel=0.05, abs=1.0)
    assert found.slot_garbage_share == pytest.approx(slot_garbage, abs=0.05)
    assert found.outside_spans_bytes == 9 * MIB


def test_half_of_the_spans_that_ps_hold_is_recounted(log: Evidence) -> None:
    """It comes back as a share of the live heap; without a surplus of heapLive over objects it is not measured."""
    held = counted_memory(_looks(log, unfilled_mib=6.0, slot_garbage=0.25, held_mib=1.5), log)
    assert held is not None
    assert held.recounted_share is not None
    assert held.recounted_share * log.live_bytes.mean() / MIB == pytest.approx(0.75, rel=0.05)
    none = counted_memory(_looks(log, unfilled_mib=6.0, slot_garbage=0.25), log)
    assert none is not None
    assert none.recounted_share is None


def test_few_looks_tell_nothing(log: Evidence) -> None:
    """Without any, and with some within start-up, there is nothing to learn from."""
    early = HeapAccounts.of([HeapAccount(0.001 * k, 1 << 20, 1 << 20, 2 << 20, 0, 1 << 20) for k in range(9)])
    assert counted_memory(None, log) is None
    assert counted_memory(early, log) is None


def test_what_was_counted_is_what_the_model_leaves_out_of_the_heap(log: Evidence) -> None:
    """Metadata, stacks and unfilled slots of the fitted parameters add up to the counts, at the heap's peak."""
    counted = counted_memory(_looks(log, unfilled_mib=10.0, slot_garbage=0.4), log)
    assert counted is not None
    fitted = fit_memory(log, prior=memory_prior(27), evidence=MemoryEvidence(counted=counted))
    peak = float(log.heap_end_bytes.max())
    outside = (
        fitted["metadata_base_bytes"].value
        + fitted["metadata_share"].value * peak
        + fitted["allocated_stack_bytes"].value
        + fitted["unfilled_slot_share"].value * counted.heap_peak_bytes
    )
    assert outside / MIB == pytest.approx(19.0, abs=0.7)
    assert fitted["slot_garbage_share"].value == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize(("slot_garbage", "expected"), [(0.0, 0.085), (0.4, 0.19)])
def test_free_slots_tell_how_marking_grows_with_the_heap(
    log: Evidence, slot_garbage: float, expected: float
) -> None:
    """What dies between what lives spreads it out; without counts the prior lies between and is no surer."""
    counted = counted_memory(_looks(log, unfilled_mib=6.0, slot_garbage=slot_garbage), log)
    told, untold = heap_exponent(counted), heap_exponent(None)
    assert told.value == expected
    assert 0.085 < untold.value < 0.19
    assert told.value * told.rel_sd < untold.value * untold.rel_sd
