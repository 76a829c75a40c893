"""Request latencies and their causes; memory does not grow with the number of requests.

A request's latency is the time from its due time to its end. The due time does not depend on when a worker was free,
so that there is no coordinated omission. The latency is the sum of five parts:

    service     the request's CPU time at full speed
    assist      marking by the request's goroutine for its allocation
    stw         pauses while the request waited or ran
    background  slower running because of marking, and, while the request waited in a mark phase, the share of the Ps
                that marked
    queueing    the rest: every P was busy with other requests, or an idle P had to wake up

Quantiles also have the time without a P of ``waits.py``, which no setting changes.
"""

from dataclasses import dataclass, fields
from itertools import chain

import numpy as np

from gcsim.arrays import FloatArray, Int64Array
from gcsim.engine.des.program.waits import Waits

CAUSES = ("service", "assist", "stw", "background", "queueing")
_PER_OCTAVE = 64  # buckets; the error of a quantile is under 1 %
_LOWEST_NS = 64.0
_OCTAVES = 36


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CompletedRequests:
    """Completed requests, as columns of shape (n,), ns."""

    due_ns: FloatArray
    start_ns: FloatArray
    end_ns: FloatArray
    service_ns: FloatArray
    assist_ns: FloatArray


_COLUMNS = tuple(column.name for column in fields(CompletedRequests))


class CompletionBuffer:
    """Completed requests that are not drained yet."""

    def __init__(self) -> None:
        # single requests, in the order of the fields of CompletedRequests; append here
        self.rows: list[tuple[float, float, float, float, float]] = []
        self._blocks: list[CompletedRequests] = []

    def add_block(self, block: CompletedRequests) -> None:
        """Adds a block of completed requests."""
        self._blocks.append(block)

    def drain(self) -> CompletedRequests | None:
        """Returns the requests completed since the last call and forgets them; None if there are none."""
        blocks, self._blocks = self._blocks, []
        if self.rows:
            flat = np.fromiter(chain.from_iterable(self.rows), dtype=np.float64, count=5 * len(self.rows))
            due, start, end, service, assist = flat.reshape(-1, 5).T
            self.rows.clear()
            blocks.append(
                CompletedRequests(
                    due_ns=due, start_ns=start, end_ns=end, service_ns=service, assist_ns=assist
                )
            )
        if len(blocks) <= 1:
            return blocks[0] if blocks else None
        columns = (np.concatenate([getattr(block, name) for block in blocks]) for name in _COLUMNS)
        return CompletedRequests(**dict(zip(_COLUMNS, columns, strict=True)))


class LatencySums:
    """Histograms of latencies, without ``waits``, which their quantiles have."""

    def __init__(self, waits: Waits | None = None) -> None:
        self.waits = waits
        self._counts = np.zeros(_PER_OCTAVE * _OCTAVES, dtype=np.int64)
        self._served_counts = np.zeros_like(self._counts)

    @property
    def count(self) -> int:
        """Number of requests."""
        return int(self._counts.sum())

    def add(self, finished: CompletedRequests) -> None:
        """Adds requests."""
        self._counts += _histogram(finished.end_ns - finished.due_ns)
        self._served_counts += _histogram(finished.end_ns - finished.start_ns)

    def counts(self) -> Int64Array:
        """A copy of the histogram of latencies, for ``quantile_seconds``."""
        return self._counts.copy()

    def quantile_seconds(self, level: float) -> float:
        """The latency quantile at ``level`` (0 to 1), within 1 %; 0 without requests."""
        return quantile_seconds(self._counts, level, self.waits)

    def served_quantile_seconds(self, level: float) -> float:
        """The quantile at ``level`` of the time from start to end, within 1 %; 0 without requests."""
        return quantile_seconds(self._served_counts, level)


def _histogram(times_ns: FloatArray) -> Int64Array:
    place = np.log2(np.maximum(times_ns, _LOWEST_NS) / _LOWEST_NS) * _PER_OCTAVE
    bucket = np.minimum(place.astype(np.int64), _PER_OCTAVE * _OCTAVES - 1)
    return np.bincount(bucket, minlength=_PER_OCTAVE * _OCTAVES)


def quantile_seconds(counts: Int64Array, level: float, waits: Waits | None = None) -> float:
    """The quantile at ``level`` (0 to 1) of a histogram of latencies, within 1 %; 0 without requests.

    ``waits`` are added, independent of the latencies in the histogram.
    """
    total = int(counts.sum())
    if total == 0:
        return 0.0
    if waits is not None:
        kept = np.flatnonzero(counts)
        times: FloatArray = _LOWEST_NS * 2.0 ** ((kept + 0.5) / _PER_OCTAVE) * 1e-9
        return waits.quantile_of_sum(times, counts[kept] / total, level)
    bucket = int(np.searchsorted(np.cumsum(counts), level * total))
    return _LOWEST_NS * float(2.0 ** ((bucket + 0.5) / _PER_OCTAVE)) * 1e-9


class Interruptions:
    """Cumulative stopped time and cumulative mark time of the Ps, as functions of time in the last cycles.

    Both functions are piecewise linear, with knots at the ends of pauses and mark phases. The share of the Ps that
    mark is constant within a mark phase.
    """

    KEPT = 512  # knots, 128 cycles; the part of a longer wait that lies before them counts as queueing

    def __init__(self) -> None:
        self._times, self._stopped, self._marked = [0.0], [0.0], [0.0]
        self._arrays: list[FloatArray] = []  # the three columns, until the next stretch is added

    def add(self, start_ns: int, end_ns: int, *, stopped: float, marking: float) -> None:
        """Adds a stretch: ``stopped`` is 1 in a pause, else 0; ``marking`` is the share of all Ps that mark."""
        self._arrays = []
        for time, elapsed in ((start_ns, 0), (end_ns, end_ns - start_ns)):
            self._times.append(float(time))
            self._stopped.append(self._stopped[-1] + stopped * elapsed)
            self._marked.append(self._marked[-1] + marking * elapsed)
        if len(self._times) > 2 * self.KEPT:
            for column in (self._times, self._stopped, self._marked):
                del column[: -self.KEPT]

    def split(self, finished: CompletedRequests) -> dict[str, FloatArray]:
        """Parts of each request's latency by cause, ns; their sum is the latency."""
        if not self._arrays:
            self._arrays = [np.array(column) for column in (self._times, self._stopped, self._marked)]
        times, stopped, marked = self._arrays

        def between(column: FloatArray, first: FloatArray, last: FloatArray) -> FloatArray:
            return np.asarray(np.interp(last, times, column) - np.interp(first, times, column))

        f = finished
        stw_waiting, stw_running = (
            between(stopped, f.due_ns, f.start_ns),
            between(stopped, f.start_ns, f.end_ns),
        )
        waiting = f.start_ns - f.due_ns - stw_waiting
        behind_marking = np.minimum(between(marked, f.due_ns, f.start_ns), waiting)
        running = f.end_ns - f.start_ns - stw_running - f.assist_ns
        service = np.minimum(f.service_ns, running)  # less where the host was fast
        held_up = running - service
        return {
            "service": service,
            "assist": f.assist_ns,
            "stw": stw_waiting + stw_running,
            "background": behind_marking + held_up,
            "queueing": waiting - behind_marking,
        }
