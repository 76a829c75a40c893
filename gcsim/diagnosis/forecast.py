"""Forecasts of a growing service: memory after the end of its log, and the time until it reaches a limit.

The live heap and the stacks follow their fitted rises (``submodels.live_growth``), each draw with its own curve, slope
and pace. Memory is counted at the highest heap of a cycle:

    goal   = marked + (marked + stacks + globals) x GOGC / 100
    memory = goal x overshoot x (1 + free slots + metadata) + allocated stacks + other memory

The heap climbs to the goal that the last cycle set. So the kernel kills the process up to one cycle after the cycle
whose goal needs more than the container holds, and one climb later. File pages do not count: the kernel reclaims them
before it kills.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.evidence import Evidence
from gcsim.diagnosis.course import DRAWS, SEED, Course, normal
from gcsim.diagnosis.records import Band, Forecast
from gcsim.diagnosis.rises import Rise
from gcsim.diagnosis.subject import Subject
from gcsim.metrics import Estimate
from gcsim.priors.file_pages import KERNEL_BYTES
from gcsim.priors.heap_fragments import HEAP_FRAGMENTS
from gcsim.priors.process_memory import memory_prior
from gcsim.priors.records import LogNormalPrior
from gcsim.streams import stream
from gcsim.units import MIB

_TIMES, _BAND_TIMES = 400, 60
_FIRST_SECONDS, _LAST_SECONDS = 0.1, 1e8
_PERIODIC_SECONDS = 120.0  # the runtime starts a cycle after two minutes without one
#: Allocated stacks over scanned stacks of goroutines that accumulate. A stack doubles when it is full, and a waiting
#: goroutine keeps what it has: 1 to 2 times its use, more if it was deeper before.
ACCUMULATED_STACKS = LogNormalPrior(
    median=2.0,
    rel_sd=0.35,
    unit="1",
    definition="allocated stacks / scanned stacks, of goroutines that wait",
    experiment="experiments.leaks, goroutines that wait with 4.0 KiB in use: 8 KiB each; chosen to cover 1.1 to 3.5",
)
OTHER_BYTES = LogNormalPrior(
    median=1.0 * MIB,
    rel_sd=1.0,
    unit="bytes",
    definition="anonymous memory outside Go",
    experiment="not fitted",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Ahead:
    """The draws of a growing service after the end of its log; arrays of shape (draws,) unless stated."""

    subject: Subject
    evidence: Evidence
    heap: Course
    stacks: Course

    @classmethod
    def of(cls, subject: Subject, evidence: Evidence, heap: Rise | None, stacks: Rise | None) -> "Ahead":
        """The draws of a log whose live heap, stacks or both grow."""
        return cls(
            subject=subject,
            evidence=evidence,
            heap=Course(
                values=evidence.live_bytes,
                seconds=evidence.start_seconds,
                rise=heap,
                name="heap",
                factor=_marked_per_live(evidence),
            ),
            stacks=Course(
                values=evidence.stack_bytes, seconds=evidence.start_seconds, rise=stacks, name="stacks"
            ),
        )

    @property
    def end_seconds(self) -> float:
        """The end of the log, since the start of the process."""
        return float(self.evidence.end_seconds[-1])

    @cached_property
    def allocation_bytes_per_second(self) -> FloatArray:
        """Allocation between cycles in the second half of the log, with the spread of single cycles."""
        evidence = self.evidence
        half = len(evidence) // 2
        grown = np.maximum(evidence.heap_start_bytes[1:] - evidence.heap_marked_bytes[:-1], 0.0)[half:]
        lasted = np.maximum(evidence.start_seconds[1:] - evidence.end_seconds[:-1], 1e-6)[half:]
        rate = max(float(grown.sum() / lasted.sum()), 1.0)
        return rate * np.exp(0.1 * normal("allocation"))

    def peak_bytes(self, marked_bytes: FloatArray, stack_bytes: FloatArray) -> FloatArray:
        """The highest heap of the cycle after one that marked so much; the arrays have one shape."""
        globals_bytes = float(np.median(self.evidence.globals_bytes))
        goal = marked_bytes + (marked_bytes + stack_bytes + globals_bytes) * self._gogc
        peak: FloatArray = np.maximum(goal, 4.0 * MIB * self._gogc) * self._overshoot
        return peak

    @cached_property
    def _gogc(self) -> float:
        """GOGC over 100; where it is assumed, the growth of the last cycles; infinite for off."""
        settings, evidence = self.subject.settings, self.evidence
        if settings.gogc is None:
            return math.inf
        if self.subject.case.log.origins.gogc != "assumed" or len(evidence) < 2:
            return settings.gogc / 100.0
        roots = evidence.heap_marked_bytes + evidence.stack_bytes + evidence.globals_bytes
        grown = (evidence.heap_end_bytes[1:] - evidence.heap_marked_bytes[:-1]) / np.maximum(roots[:-1], MIB)
        return max(float(np.median(grown[-5:])), 0.01)

    @cached_property
    def _overshoot(self) -> float:
        """Heap peak over the goal that GOGC sets, median of the late cycles; 1 where GOGC sets no goal."""
        evidence = self.evidence
        if math.isinf(self._gogc) or len(evidence) < 4 or self.subject.case.log.origins.gogc == "assumed":
            return 1.0
        roots = evidence.heap_marked_bytes + evidence.stack_bytes + evidence.globals_bytes
        goal = evidence.heap_marked_bytes + roots * self._gogc
        ratio = float(
            np.median((evidence.heap_end_bytes[1:] / np.maximum(goal[:-1], MIB))[len(evidence) // 2 :])
        )
        return min(max(ratio, 0.9), 2.0)

    def outside_heap(self, stack_bytes: FloatArray) -> FloatArray:
        """Memory of the container that is not in proportion to the heap, at the given scanned stacks."""
        counted = self._measured_outside_bytes
        grown = ACCUMULATED_STACKS.median * np.exp(ACCUMULATED_STACKS.rel_sd * normal("stack share"))
        if counted is not None:
            return counted + grown * np.maximum(stack_bytes - self.subject.stack_bytes, 0.0)
        prior = memory_prior(int((self.subject.settings.go or "1.27").split(".")[1]))
        base = prior.metadata_base_bytes + prior.metadata_error_bytes * normal("metadata")
        return base + self._uncounted + grown * stack_bytes

    @cached_property
    def heap_share(self) -> FloatArray:
        """Memory in proportion to the heap peak: 1, metadata and free slots."""
        prior = memory_prior(int((self.subject.settings.go or "1.27").split(".")[1]))
        spread = (prior.metadata_share_high - prior.metadata_share_low) / 3.3
        metadata = np.maximum(prior.metadata_share + spread * normal("metadata share"), 0.0)
        return 1.0 + metadata + np.minimum(_drawn(HEAP_FRAGMENTS, "fragments"), 0.12)

    @cached_property
    def _measured_outside_bytes(self) -> float | None:
        """Memory of the process outside the heap's peak, from the side file or a reading; None if neither has it."""
        info = self.subject.info
        known: list[float] = []
        if info is not None and info.anonymous_peak_bytes:
            known.append(float(info.anonymous_peak_bytes))
        known += [float(one.highest_rss_bytes) for one in self.subject.readings if one.highest_rss_bytes]
        if not known:
            return None
        inside = float(np.median(self.heap_share)) * self.subject.heap_peak_bytes
        return max(max(known) - inside, self.subject.stack_bytes)

    def memory_bytes(self, ahead_seconds: FloatArray) -> FloatArray:
        """Memory of the container at the heap peak that a cycle at each time sets, shape (times, draws)."""
        marked, stacks = self.heap.at(ahead_seconds), self.stacks.at(ahead_seconds)
        heap = self.peak_bytes(marked, stacks)
        limit = self.subject.settings.gomemlimit_bytes
        memory = self.heap_share * heap + self.outside_heap(stacks)
        if limit is not None:  # the limit holds the heap until the live heap itself fills it
            least = self.heap_share * marked + self.outside_heap(stacks)
            memory = np.maximum(np.minimum(memory, limit + self._uncounted), least)
        return memory

    @cached_property
    def _uncounted(self) -> FloatArray:
        """Memory of the container that GOMEMLIMIT does not count. The kernel reclaims file pages before it kills."""
        return _drawn(OTHER_BYTES, "other") + _drawn(KERNEL_BYTES, "kernel")

    def forecasts(self) -> Iterator[Forecast]:
        """The limits that are known, the one that is reached first comes first."""
        found = []
        limit, memory = self.subject.settings.gomemlimit_bytes, self.subject.memory_bytes
        if limit is not None:
            found.append(Forecast(limit="GOMEMLIMIT", limit_bytes=limit, seconds=self._until_limit(limit)))
        if memory is not None:
            found.append(
                Forecast(limit="container", limit_bytes=memory, seconds=self._until_container(memory))
            )
        yield from sorted(found, key=lambda one: one.seconds.value)

    def _until_limit(self, limit_bytes: int) -> Estimate:
        """The time until the marked heap, metadata and stacks fill GOMEMLIMIT."""
        ahead = _times()
        marked, stacks = self.heap.at(ahead), self.stacks.at(ahead)
        prior = memory_prior(int((self.subject.settings.go or "1.27").split(".")[1]))
        spread = (prior.metadata_share_high - prior.metadata_share_low) / 3.3
        share = np.maximum(prior.metadata_share + spread * normal("metadata share"), 0.0)
        base = prior.metadata_base_bytes + prior.metadata_error_bytes * normal("metadata")
        ratio = ACCUMULATED_STACKS.median * np.exp(ACCUMULATED_STACKS.rel_sd * normal("stack share"))
        return _estimate(_crossing(ahead, (1.0 + share) * marked + base + ratio * stacks, limit_bytes))

    def _until_container(self, memory_bytes: int) -> Estimate:
        """The time until memory reaches the container's, with the delay of one cycle and its climb."""
        ahead = _times()
        reached = _crossing(ahead, self.memory_bytes(ahead), memory_bytes)
        found = np.isfinite(reached)
        at = np.where(found, reached, 0.0)
        marked = self.heap.at_each(at)
        heap = (memory_bytes - self.outside_heap(self.stacks.at_each(at))) / self.heap_share
        climb = np.maximum(heap - marked, 0.0) / self.allocation_bytes_per_second
        wait = np.minimum(climb, _PERIODIC_SECONDS) * stream(SEED, "forecast phase").uniform(size=DRAWS)
        grown = np.maximum(self.heap.at_each(at + wait) - marked, 0.0)
        climb = np.maximum(heap - marked - grown, 0.0) / self.allocation_bytes_per_second
        return _estimate(np.where(found, at + wait + climb, np.inf))

    def band(self, part: Course) -> Band:
        """One part from the end of the log until the first limit, or for as long again."""
        lasted = self.end_seconds - float(self.evidence.start_seconds[0])
        ends = [one.seconds.value for one in self.forecasts() if 0.0 < one.seconds.value < math.inf]
        until = min(max(1.3 * min(ends, default=lasted), 0.25 * lasted), 10.0 * lasted)
        ahead = np.linspace(0.0, until, _BAND_TIMES)
        low, median, high = np.quantile(part.at(ahead) / part.factor, (0.05, 0.5, 0.95), axis=1)
        return Band(seconds=self.end_seconds + ahead, low_bytes=low, median_bytes=median, high_bytes=high)


def _marked_per_live(evidence: Evidence) -> float:
    """heapMarked over the live heap, median of the late cycles: marking keeps what the program allocates during it."""
    half = slice(len(evidence) // 2, None)
    return float(np.median(evidence.heap_marked_bytes[half] / np.maximum(evidence.live_bytes[half], MIB)))


def _times() -> FloatArray:
    return np.concatenate([[0.0], np.geomspace(_FIRST_SECONDS, _LAST_SECONDS, _TIMES)])


def _drawn(prior: LogNormalPrior, name: str) -> FloatArray:
    return prior.median * np.exp(prior.rel_sd * normal(name))


def _crossing(times: FloatArray, sizes: FloatArray, target_bytes: float) -> FloatArray:
    """The time at which each column of ``sizes`` reaches the target, between two times; infinite if it never does."""
    over = sizes >= target_bytes
    place = np.argmax(over, axis=0)
    columns = np.arange(sizes.shape[1])
    before = np.maximum(place - 1, 0)
    low, high = sizes[before, columns], sizes[place, columns]
    part = np.clip((target_bytes - low) / np.maximum(high - low, 1e-9), 0.0, 1.0)
    at = np.where(place == 0, 0.0, times[before] + part * (times[place] - times[before]))
    return np.where(over.any(axis=0), at, np.inf)


def _estimate(times: FloatArray) -> Estimate:
    low, value, high = (float(q) for q in np.quantile(times, (0.05, 0.5, 0.95), method="inverted_cdf"))
    return Estimate(value, low, high)
