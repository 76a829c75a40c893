"""Who serves which request next: arrivals, the channel, and workers that are ready to run.

The service is the usual one: a goroutine takes arrivals from the network poller and sends them on a channel from
which a fixed number of workers receive. Three rules of Go's runtime make its order, and its tail:

- A P looks at the network only when it finds no goroutine to run (Go 1.14+ ``findRunnable``: run queues before
  ``netpoll``), when its idle mark worker looks up (``pollWork``), or when ``sysmon`` finds that nobody has for
  10 ms. Requests that came meanwhile are then admitted all at once.
- A sent request goes to a waiting worker, which becomes ready; with no worker left it stays in the channel's buffer.
- A worker that finds the buffer filled takes the next request without passing through the scheduler, until
  ``sysmon`` preempts it after 10 to 20 ms. Requests in the buffer thus overtake those whose workers are ready but
  have not run: in a backlog of more requests than workers most are quick and the others wait for whole slices.

Run queues of single Ps are taken as one, as work stealing makes them within microseconds where a P is idle.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

SYSMON_POLL_NS = 10_000_000  # Go 1.14+ sysmon: netpoll not polled for more than 10 ms


@dataclass(slots=True)
class Request:
    """One that was admitted; ns."""

    due_ns: float
    start_ns: float  # negative: not begun
    service_ns: float
    left_ns: float  # of its CPU time at full speed
    assist_ns: float = 0.0


class RunQueue:
    """Admitted requests of ``workers`` goroutines on ``procs`` Ps."""

    __slots__ = (
        "_arrivals",
        "_polled_ns",
        "_slice",
        "_slice_end_ns",
        "_workers",
        "channel",
        "own",
        "ready",
        "working",
    )

    def __init__(
        self,
        workers: int,
        procs: int,
        *,
        arrivals: Callable[[float], list[Request]],
        slice_ns: Callable[[], float],
    ) -> None:
        self._workers = workers
        self._arrivals = arrivals  # (now) -> those due by now, in order
        self._slice = slice_ns
        self.channel: deque[Request] = deque()
        self.ready: deque[Request] = deque()  # each with a worker, in the order they run
        self.working = [False] * procs  # whether the P has a worker
        self._slice_end_ns = [0.0] * procs
        self._polled_ns = 0.0
        self.own: list[Request | None] = [None] * procs  # closed loop: what the P's worker goes on with

    @property
    def waiting(self) -> int:
        """Admitted requests that no P works on."""
        return len(self.channel) + len(self.ready)

    def next(self, processor: int, now_ns: float) -> Request | None:
        """What a P does when its request has ended, or when it has none; None: there is nothing."""
        own, self.own[processor] = self.own[processor], None
        if own is None and self.channel and self.working[processor]:
            own = self.channel.popleft()
        if own is not None:
            if now_ns < self._slice_end_ns[processor]:
                return own
            self.ready.append(own)  # preempted: to the end of the queue with what it had begun
        self.working[processor] = False
        if now_ns - self._polled_ns > SYSMON_POLL_NS or not self.ready:
            self.admit(now_ns)
        if not self.ready:
            return None
        self.working[processor] = True
        self._slice_end_ns[processor] = now_ns + self._slice()
        return self.ready.popleft()

    def continues(self, processor: int, now_ns: float) -> bool:
        """Whether the P's worker would go on without passing through the scheduler."""
        goes_on = self.own[processor] is not None or (bool(self.channel) and self.working[processor])
        return goes_on and now_ns < self._slice_end_ns[processor]

    def admit(self, now_ns: float) -> None:
        """The arrivals due by now: to parked workers first, the others into the channel."""
        self._polled_ns = now_ns
        arrived = self._arrivals(now_ns)
        if arrived:
            self.channel.extend(arrived)
        for _ in range(min(self._workers - len(self.ready) - sum(self.working), len(self.channel))):
            self.ready.append(self.channel.popleft())

    def park(self) -> None:
        """The world stops: what workers would have gone on with is ready when it starts again."""
        for processor, request in enumerate(self.own):
            if request is not None:
                self.ready.append(request)
                self.own[processor] = None
            self.working[processor] = False

    def preempted(self, processor: int, requests: list[Request]) -> None:
        """A P gives up the first of these, which it had begun, and the others, which nobody has.

        They come first when a P is free again: two goroutines in a thousand.
        """
        self.working[processor] = False
        self.ready.appendleft(requests[0])
        self.channel.extendleft(reversed(requests[1:]))
