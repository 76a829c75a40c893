"""The record of how GC delays the requests of a service, by cause."""

import math
from dataclasses import dataclass
from typing import Any

from gcsim.units import format_percent, format_seconds

_MUCH_MARKING = 0.1  # of time
_LEAST_WAIT_SECONDS, _LEAST_STOP_SECONDS, _LEAST_ASSISTS = 50e-6, 10e-6, 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencySplit:
    """The delays of requests by GC in one log; seconds, shares from 0 to 1, NaN for what it leaves open."""

    log: str
    stopped_wait_seconds: float  # mean of all arrivals
    stopped_share: float  # of time
    marking_share: float  # of time
    assist_cpu_share: float  # assist CPU over all CPU
    assist_share: float  # of the CPU that the program and its assists may use
    assist_share_marking: float  # the same while GC marks
    worker_share_marking: float  # CPU of background workers over all CPU while GC marks
    queue_wait_seconds: float  # mean of all requests, if they arrive at their own pace
    queue_by_workers: float  # share of the queueing that background workers cause; assists cause the rest

    def to_json(self) -> dict[str, Any]:
        """The entry of a JSON document; null for what the log leaves open."""
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in ((name, getattr(self, name)) for name in self.__slots__)
        }

    @property
    def lines(self) -> tuple[str, ...]:
        """The split in sentences, one per cause."""
        found = [
            f"stop-the-world: an arrival waits {format_seconds(self.stopped_wait_seconds)} on average; the world"
            f" is stopped for {format_percent(self.stopped_share, 2)} of the time",
            f"assists: goroutines that allocate pay {format_percent(self.assist_share, 2)} of their CPU time,"
            f" {format_percent(self.assist_share_marking, 2)} while GC marks, which is"
            f" {format_percent(self.marking_share, 2)} of the time",
            f"lost CPU: background workers take {format_percent(self.worker_share_marking, 2)} of all CPU while GC"
            " marks",
        ]
        if math.isnan(self.queue_wait_seconds):
            found.append(
                "queueing: not known, because the program leaves almost no spare CPU to drain a queue"
            )
        elif self.queue_wait_seconds <= 0:
            found.append("queueing: none, because Ps are idle while GC marks")
        else:
            found.append(
                f"queueing: requests that arrive at their own pace wait {format_seconds(self.queue_wait_seconds)} on"
                f" average behind mark phases; {format_percent(self.queue_by_workers, 2)} of that because of"
                " background workers, the rest because of assists"
            )
        return tuple(found)

    @property
    def is_noticeable(self) -> bool:
        """Whether one of the delays is worth a line on a terminal."""
        return (
            (math.isnan(self.queue_wait_seconds) and self.marking_share >= _MUCH_MARKING)
            or self.queue_wait_seconds >= _LEAST_WAIT_SECONDS
            or self.stopped_wait_seconds >= _LEAST_STOP_SECONDS
            or self.assist_share >= _LEAST_ASSISTS
        )


#: What no log shows about latency, and what does.
NOT_IN_A_LOG = (
    "the service's own latency, and queueing that GC does not cause: gctrace has no requests. A run at the same load"
    " with GOGC=off shows it, and an execution trace splits single requests: curl -s"
    " 'localhost:6060/debug/pprof/trace?seconds=1' > trace.out; go tool trace trace.out"
)
