"""What memory outside the heap is made of: parts drawn from priors, weighed by what a capture or a limit tells."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gcsim.calibration.limit_goals import OutsideHeap
from gcsim.streams import stream
from gcsim.units import MIB
from gcsim.workload.parameters import Parameter

FloatArray = NDArray[np.float64]

# A stack doubles when it is full and halves, once a cycle, where less than a quarter is used (Go 1.19+ newstack,
# shrinkstack); the log prints what was scanned, the limit counts what is allocated. Measured over goroutines that wait
# at 0.4 to 9 KiB and go deeper for each request or not (`experiments/memory_priors.py stacks`): 1.6 to 12.8 times,
# median 3.5. Beside them the runtime's own stacks and each P's cache of free ones are 0.3 MiB.
ALLOCATED_PER_SCANNED = Parameter(3.5, 0.6, "prior: stacks allocated for each byte scanned, 1.5 to 12")
_LEAST_PER_SCANNED = 1.05
OWN_STACK_BYTES = 0.3 * MIB
# Pages of stacks are resident once touched: 0.7 to 1 of what is allocated in the runs above, half of it where stacks
# doubled for a little more than they held (64 KiB for 33), less where they were halved since.
_LEAST_TOUCHED = 0.35
# Text, data and C memory, less what is mapped and never touched: -1.6 MiB with a binary of 2 MB, -0.6 to 0.7 with five
# times that, 2.7 with an HTTP server, and tens of MiB with the largest ones.
_BINARY_BYTES = Parameter(3.0 * MIB, 0.6)
_UNTOUCHED_BYTES = 3.0 * MIB
_LEAST_BESIDE_BYTES = 0.1 * MIB
BESIDE_BYTES = Parameter(0.4 * MIB, 1.2, "prior: resident text, data and C memory, up to 4 MiB")
# Of what stays unfilled at mark end under a limit, the part that was there at the calibrated run's highest heap too.
_UNFILLED_AT_PEAK = Parameter(0.2, 1.2)

_DRAWS = 16_384
_FEWEST_EFFECTIVE = 400.0  # draws that count, or the error is widened
_WIDER = 1.5
_PEAK_ERROR_BYTES, _PEAK_ERROR = 0.3 * MIB, 0.005  # of what the drawn parts of a resident peak add up to
_LIMIT_ERROR_BYTES = 0.3 * MIB  # of what they add up to at mark ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Draws from the priors: arrays of shape (n,). Sizes in bytes, shares of the heap's peak."""

    metadata_base_bytes: FloatArray
    metadata_share: FloatArray
    unfilled_slot_share: FloatArray  # at mark ends under a limit
    allocated_stack_bytes: FloatArray
    rss_beside_bytes: FloatArray  # may be negative
    resident_stack_bytes: FloatArray
    fragment_share: FloatArray  # free slots and pages at the highest heap

    @classmethod
    def drawn(cls, priors: Mapping[str, Parameter], *, scanned_stack_bytes: float) -> "Parts":
        """The same draws in every calibration."""
        generator = stream(0, "parts of a resident peak")

        def draw(parameter: Parameter) -> FloatArray:
            deviations = generator.standard_normal(_DRAWS)
            values: FloatArray = parameter.value * np.exp(parameter.rel_sd * deviations)
            return values

        own = np.maximum(draw(ALLOCATED_PER_SCANNED), _LEAST_PER_SCANNED) * scanned_stack_bytes
        touched = _LEAST_TOUCHED ** generator.uniform(0.0, 1.0, _DRAWS)
        unfilled = draw(priors["unfilled_slot_share"])
        return cls(
            metadata_base_bytes=draw(priors["metadata_base_bytes"]),
            metadata_share=draw(priors["metadata_share"]),
            unfilled_slot_share=unfilled,
            allocated_stack_bytes=own + OWN_STACK_BYTES,
            rss_beside_bytes=draw(_BINARY_BYTES) - _UNTOUCHED_BYTES,
            resident_stack_bytes=np.maximum(touched * own, scanned_stack_bytes) + OWN_STACK_BYTES,
            fragment_share=unfilled * draw(_UNFILLED_AT_PEAK),
        )

    def weights(
        self, *, resident_bytes: float | None, heap_peak_bytes: float, limited: OutsideHeap | None
    ) -> FloatArray | None:
        """How well each draw adds up to what was measured; None where nothing was."""
        squares = np.zeros(self.fragment_share.shape)
        if limited is not None:
            share = self.metadata_share + self.unfilled_slot_share
            outside = self.metadata_base_bytes + self.allocated_stack_bytes + share * limited.heap_peak_bytes
            error = math.hypot(limited.error_bytes, _LIMIT_ERROR_BYTES)
            squares += ((outside - limited.bytes) / error) ** 2
        if resident_bytes is not None:
            resident = self.metadata_base_bytes + self.resident_stack_bytes + self.rss_beside_bytes
            resident = resident + (1.0 + self.metadata_share + self.fragment_share) * heap_peak_bytes
            error = math.hypot(_PEAK_ERROR_BYTES, _PEAK_ERROR * resident_bytes)
            squares += ((resident - resident_bytes) / error) ** 2
        if limited is None and resident_bytes is None:
            return None
        return _enough(squares - squares.min())

    def held_to(
        self, weights: FloatArray, priors: Mapping[str, Parameter], source: str
    ) -> dict[str, Parameter]:
        """The log-normals that the draws with their weights amount to."""
        held = {
            "metadata_base_bytes": self.metadata_base_bytes,
            "metadata_share": self.metadata_share,
            "unfilled_slot_share": self.unfilled_slot_share,
            "allocated_stack_bytes": self.allocated_stack_bytes,
            "rss_beside_bytes": np.maximum(self.rss_beside_bytes, _LEAST_BESIDE_BYTES),
        }
        return {
            name: _log_normal(values, weights, f"{priors[name].source}; held to {source}")
            for name, values in held.items()
        }


def _enough(squares: FloatArray) -> FloatArray:
    """Weights of squared deviations, with errors widened until enough draws count."""
    while True:
        weights: FloatArray = np.exp(-0.5 * squares)
        weights /= weights.sum()
        if 1.0 / float(weights @ weights) >= _FEWEST_EFFECTIVE:
            return weights
        squares = squares / _WIDER**2


def _log_normal(values: FloatArray, weights: FloatArray, source: str) -> Parameter:
    logs = np.log(values)
    mean = float(weights @ logs)
    spread = math.sqrt(float(weights @ (logs - mean) ** 2))
    return Parameter(math.exp(mean), spread, source)
