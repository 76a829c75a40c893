"""The arrays that append made at a site, and the bytes that a capacity up front saves.

A profile has the number of arrays of each size. The sizes show the size of an element, because append follows one
rule. The numbers show how many slices ended at each capacity. Inside a step of the capacity the final lengths are not
known. If slices end in several steps, their lengths are taken as log-normal. If all end in one step, they are taken
as uniform in it, with an error of its width / sqrt(12). Numbers of neighbouring steps that differ by less than
three standard deviations of sampling are taken as equal.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.goruntime.size_classes import round_up_size
from gcsim.goruntime.slice_growth import grown_capacity
from gcsim.goruntime.versions import GoRules
from gcsim.service.objects.sites import Site

_SAME_SIZE = 0.01  # sizes in profiles are quotients of rounded numbers
_LEAST_EXPLAINED = 0.6  # of a site's bytes
_LEAST_STEPS = 2  # that the profile has
_SIGNIFICANT = 3.0  # standard deviations of sampling: a chain has ten steps to compare
_ONE_STEP = 0.97  # of the slices in one step: their lengths are uniform in it
_MOST_ELEMENT_BYTES = 1024
_MOST_ARRAYS = 200
_AS_GOOD = 0.01  # loss of the mean log-likelihood: of distributions that fit, the widest is taken
_FITTED_ERROR = 0.5  # of the error of uniform lengths, if the lengths are fitted


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendGrowth:
    """Slices that grew from nothing at one site."""

    element_bytes: int
    scan: bool  # whether elements hold pointers, as far as the sizes show it
    capacities: tuple[int, ...]  # of each step, in elements
    array_bytes: tuple[int, ...]  # of each step
    arrays: tuple[float, ...]  # made of each step; does not rise
    bytes: float  # of the site's allocations that follow the rule
    final_bytes: float  # mean of the arrays that would hold each slice from the begin
    final_rel_sd: float  # of final_bytes

    @property
    def slices(self) -> float:
        """The number of slices."""
        return self.arrays[0]

    @property
    def largest_bytes(self) -> float:
        """The array that a slice has after many uses: the largest that at least a hundredth of the slices reached."""
        return float(
            max(
                size
                for size, made in zip(self.array_bytes, self.arrays, strict=True)
                if made >= 0.01 * self.slices
            )
        )

    @classmethod
    def of(cls, site: Site, *, rules: GoRules) -> Self | None:
        """The slices of a site; None if its sizes are not those of slices that grow."""
        found = max(
            (_Chain.of(site, element, scan, rules) for element, scan in _elements(site)),
            key=lambda chain: chain.score,
            default=None,
        )
        if found is None or found.score < _LEAST_EXPLAINED * site.bytes:
            return None
        if sum(count > 0.0 for count in found.counts) < _LEAST_STEPS:
            return None
        arrays = _falling(found.counts, found.sizes, site.sampled_bytes)
        last = max(place for place, made in enumerate(arrays) if made > 0.0) + 1
        capacities, sizes, arrays = found.capacities[:last], found.sizes[:last], arrays[:last]
        final, error = _final_bytes(capacities, sizes, arrays, found, rules)
        return cls(
            element_bytes=found.element_bytes,
            scan=found.scan,
            capacities=capacities,
            array_bytes=sizes,
            arrays=tuple(arrays.tolist()),
            bytes=found.bytes,
            final_bytes=final,
            final_rel_sd=error,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chain:
    """The arrays of one size of element, matched to a site's allocations."""

    element_bytes: int
    scan: bool
    capacities: tuple[int, ...]
    sizes: tuple[int, ...]
    counts: tuple[float, ...]
    bytes: float
    score: float  # bytes that match, less the bytes of missing arrays that sampling does not explain

    @classmethod
    def of(cls, site: Site, element: int, scan: bool, rules: GoRules) -> Self:
        rows = site.allocations
        biggest = max(one.object_bytes for one in rows)
        capacity = 0
        capacities: list[int] = []
        sizes: list[int] = []
        while (not sizes or sizes[-1] < biggest) and len(sizes) < _MOST_ARRAYS:
            capacity, slot = grown_capacity(
                capacity + 1, capacity, element_bytes=element, scan=scan, rules=rules
            )
            capacities.append(capacity)
            sizes.append(slot)
        counts = [
            math.fsum(one.objects for one in rows if abs(one.object_bytes - size) <= _SAME_SIZE * size)
            for size in sizes
        ]
        matched = math.fsum(count * size for count, size in zip(counts, sizes, strict=True))
        later, missing = 0.0, 0.0
        for count, size in zip(counts[::-1], sizes[::-1], strict=True):
            expected = max(0.0, later - count) * size / site.sampled_bytes  # samples
            missing += max(0.0, expected - _SIGNIFICANT * math.sqrt(expected)) * site.sampled_bytes
            later = max(later, count)
        return cls(
            element_bytes=element,
            scan=scan,
            capacities=tuple(capacities),
            sizes=tuple(sizes),
            counts=tuple(counts),
            bytes=matched,
            score=matched - missing,
        )


def _elements(site: Site) -> list[tuple[int, bool]]:
    """The possible sizes of an element, with and without pointers."""
    sizes = [1, 2, 4, *range(8, _MOST_ELEMENT_BYTES + 1, 8)]
    biggest = max((one.object_bytes for one in site.allocations), default=0.0)
    return [(size, scan) for size in sizes if size <= biggest for scan in (False, True)]


def _falling(counts: Sequence[float], sizes: Sequence[int], sampled_bytes: float) -> FloatArray:
    """The counts without rises, and without falls that sampling explains: such neighbours get their weighted mean."""
    blocks: list[tuple[float, float, int]] = []  # mean, samples for each array, length
    for count, size in zip(counts, sizes, strict=True):
        mean, weight, length = float(count), -math.expm1(-size / sampled_bytes), 1
        while blocks and _alike(blocks[-1][:2], (mean, weight)):
            before, its_weight, its_length = blocks.pop()
            mean = (before * its_weight + mean * weight) / (its_weight + weight)
            weight, length = weight + its_weight, length + its_length
        blocks.append((mean, weight, length))
    return np.concatenate([np.full(length, mean) for mean, _, length in blocks])


def _alike(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether the fall from one count to the other is less than the error of sampling, or a rise."""
    variance = sum(mean / weight for mean, weight in (one, other))
    return one[0] - other[0] <= _SIGNIFICANT * math.sqrt(variance)


def _final_bytes(
    capacities: Sequence[int], sizes: Sequence[int], arrays: FloatArray, chain: _Chain, rules: GoRules
) -> tuple[float, float]:
    """(mean bytes of arrays that hold each slice from the begin, relative standard deviation of that mean)."""
    ends = -np.diff(np.append(arrays, 0.0)) / arrays[0]
    common = int(ends.argmax())
    lower = np.array([0, *capacities[:-1]], dtype=np.float64)
    upper = np.array(capacities, dtype=np.float64)
    error = (sizes[common] - (sizes[common - 1] if common else 0)) / math.sqrt(12.0)
    if ends[common] >= _ONE_STEP:
        lengths = lower[common] + (upper[common] - lower[common]) * _MIDDLES
        weights = np.full(len(lengths), 1.0 / len(lengths))
    else:
        lengths, weights = _log_normal(lower, upper, ends)
        error *= _FITTED_ERROR
    whole = np.maximum(np.ceil(lengths * chain.element_bytes), 1.0).astype(np.int64)
    scan = np.full(len(whole), chain.scan)
    mean = float((round_up_size(whole, scan, rules=rules) * weights).sum())
    return mean, error / mean


_MIDDLES = (np.arange(64) + 0.5) / 64.0


def _log_normal(lower: FloatArray, upper: FloatArray, ends: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(lengths, weights) of the log-normal distribution that fits the share of slices in each step."""
    low, high = np.log(np.maximum(lower, 0.5)), np.log(upper)
    centre = float((ends * (low + high) / 2).sum())
    tried: list[tuple[float, float, float]] = []  # fit, mean, sd
    for mean in np.linspace(centre - 0.8, centre + 0.8, 81):
        for sd in np.geomspace(0.02, 2.0, 41):
            inside = _normal(high, mean, sd) - np.where(lower > 0, _normal(low, mean, sd), 0.0)
            tried.append((float((ends * np.log(np.maximum(inside, 1e-9))).sum()), float(mean), float(sd)))
    best = max(fit for fit, *_ in tried)
    _, mean, sd = max((one for one in tried if one[0] >= best - _AS_GOOD), key=lambda one: one[2])
    lengths: list[FloatArray] = []
    weights: list[FloatArray] = []
    for a, b, share in zip(lower, upper, ends, strict=True):
        if share <= 0.0:
            continue
        grid = a + (b - a) * _MIDDLES
        density = np.exp(-0.5 * ((np.log(grid) - mean) / sd) ** 2) / grid + 1e-12
        lengths.append(grid)
        weights.append(share * density / density.sum())
    return np.concatenate(lengths), np.concatenate(weights)


def _normal(value: FloatArray, mean: float, sd: float) -> FloatArray:
    return np.array([0.5 * math.erfc((mean - one) / (sd * math.sqrt(2.0))) for one in value.tolist()])
