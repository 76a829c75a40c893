"""The order in which Ps serve requests: arrivals, the channel, run queues, and ready workers.

The simulated service has the usual form. One goroutine takes arrivals from the network poller and sends them on a
channel. A fixed number of workers receive from the channel. Four rules of Go's runtime determine the order of requests
and the tail of their latency:

- A P polls the network only when it finds no goroutine to run (Go 1.14+ ``findRunnable``: run queues before
  ``netpoll``), when its idle mark worker checks for work (``pollWork``), or when ``sysmon`` finds that no P has polled
  for 10 ms. The poll admits all requests that have arrived until then.
- The goroutines that a P finds in the network wait in its own run queue, and so do the workers that it makes ready.
  Another P steals from that queue when it needs a goroutine and has none. A mark worker of another P does not check
  that queue: ``pollWork`` checks the global queue, the P's own queue and the network. If the P of an idle worker has
  polled and then runs a fractional worker, no other mark worker finds these arrivals until the fractional worker
  stops.
- A sent request goes to a waiting worker, which becomes ready. With no waiting worker the request stays in the
  channel's buffer.
- A worker that finds a request in the buffer takes it without entering the scheduler, until ``sysmon`` preempts the
  worker after 10 to 20 ms. Requests in the buffer thus overtake requests whose workers are ready but have not run. In a
  backlog of more requests than workers, most requests are quick and the others wait for whole time slices.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

SYSMON_POLL_NS = 10_000_000  # Go 1.14+ sysmon polls the network if no P has for more than 10 ms


@dataclass(slots=True)
class Request:
    """An admitted request; times are ns."""

    due_ns: float
    start_ns: float  # negative before its start
    service_ns: float
    left_ns: float  # CPU time at full speed that is left
    assist_ns: float = 0.0


class RunQueue:
    """The admitted requests of ``workers`` goroutines on ``procs`` Ps."""

    __slots__ = (
        "_admits_on",
        "_arrivals",
        "_local",
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
        self._arrivals = arrivals  # (now_ns) -> the requests due by then, in order
        self._slice = slice_ns
        self.channel: deque[Request] = deque()
        self.ready: deque[Request] = (
            deque()
        )  # the global run queue: each with a worker, in the order they run
        self._local: list[deque[Request]] = [deque() for _ in range(procs)]  # the Ps' own run queues
        self._admits_on: int | None = (
            None  # the P in whose run queue the goroutine waits that admits arrivals
        )
        self.working = [False] * procs  # whether the P has a worker
        self._slice_end_ns = [0.0] * procs
        self._polled_ns = 0.0
        self.own: list[Request | None] = [None] * procs  # closed loop: the next request of the P's worker

    @property
    def waiting(self) -> int:
        """Number of admitted requests that no P serves."""
        return len(self.channel) + len(self.ready) + sum(map(len, self._local))

    @property
    def in_network(self) -> bool:
        """Whether a poll of the network finds new arrivals; otherwise they are in the run queue of a P."""
        return self._admits_on is None

    def next(self, processor: int, now_ns: float) -> Request | None:
        """The next request of a P whose request has ended or that has none; None if there is none."""
        own = self.own[processor]
        if own is not None:
            self.own[processor] = None
        elif self.channel and self.working[processor]:
            own = self.channel.popleft()
        if own is not None:
            if now_ns < self._slice_end_ns[processor]:
                return own
            self.ready.append(
                own
            )  # preempted: the worker goes to the end of the global queue with its request
        self.working[processor] = False
        request = self._find(processor, now_ns)
        if request is not None:
            self.working[processor] = True
            self._slice_end_ns[processor] = now_ns + self._slice()
        return request

    def _find(self, processor: int, now_ns: float) -> Request | None:
        """Searches the P's run queue, the global queue, the network and other Ps (Go 1.14+ ``findRunnable``)."""
        mine = self._local[processor]
        if self._admits_on == processor or (
            self._admits_on is None and now_ns - self._polled_ns > SYSMON_POLL_NS
        ):
            self.admit(processor, now_ns)
        if mine:
            return mine.popleft()
        if self.ready:
            return self.ready.popleft()
        self.admit(processor, now_ns)  # from the network, or from the P that has polled it
        if not mine:
            self._steal(mine)
        return mine.popleft() if mine else None

    def _steal(self, mine: deque[Request]) -> None:
        """Moves half of another P's run queue, rounded up, to this P (``runqgrab``)."""
        for other in self._local:
            if other:
                mine.extend(other.popleft() for _ in range(len(other) - len(other) // 2))
                return

    def continues(self, processor: int, now_ns: float) -> bool:
        """Whether the P's worker takes its next request without entering the scheduler."""
        has_next = self.own[processor] is not None or (bool(self.channel) and self.working[processor])
        return has_next and now_ns < self._slice_end_ns[processor]

    def is_seen(self, processor: int, *, due: bool) -> bool:
        """Whether an idle mark worker on this P stops for a goroutine; ``due`` says that the network has an arrival.

        If the goroutine comes from the network, this P's run queue then holds the goroutine that admits arrivals.
        """
        if self.ready or self._local[processor] or self._admits_on == processor:
            return True
        if due and self._admits_on is None:
            self._admits_on = processor
            return True
        return False

    def admit(self, processor: int, now_ns: float) -> None:
        """Admits the arrivals due by ``now_ns`` on a P: parked workers take the first, the channel the others."""
        self._admits_on = None
        self._polled_ns = now_ns
        channel = self.channel
        channel.extend(self._arrivals(now_ns))
        if channel:
            mine = self._local[processor]
            free = self._workers - len(self.ready) - sum(map(len, self._local)) - sum(self.working)
            while free > 0 and channel:
                mine.append(channel.popleft())
                free -= 1

    def park(self) -> None:
        """Stops all workers for a pause; their next requests are ready when the world starts again."""
        self._admits_on = None
        for processor, request in enumerate(self.own):
            if request is not None:
                self.ready.append(request)
                self.own[processor] = None
            self.working[processor] = False

    def preempted(self, processor: int, requests: list[Request]) -> None:
        """Takes requests off a P: the first one is begun, the others are not.

        A free P takes them first. This concerns two goroutines in a thousand.
        """
        self.working[processor] = False
        self.ready.appendleft(requests[0])
        self.channel.extendleft(reversed(requests[1:]))
