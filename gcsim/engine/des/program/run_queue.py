"""Who serves which request next: arrivals, the channel, run queues, and workers that are ready to run.

The service is the usual one: a goroutine takes arrivals from the network poller and sends them on a channel from
which a fixed number of workers receive. Four rules of Go's runtime make its order, and its tail:

- A P looks at the network only when it finds no goroutine to run (Go 1.14+ ``findRunnable``: run queues before
  ``netpoll``), when its idle mark worker looks up (``pollWork``), or when ``sysmon`` finds that nobody has for
  10 ms. Requests that came meanwhile are then admitted all at once.
- What a P has found in the network waits in its own run queue, and so do the workers that it made ready. Another P
  steals from there when it looks for a goroutine and has none of its own; a mark worker of another P does not look
  (``pollWork`` sees the global queue, the P's own and the network). An idle worker whose P then owes a fractional
  worker's share has thus taken the arrivals out of everybody's sight for as long as that marks.
- A sent request goes to a waiting worker, which becomes ready; with no worker left it stays in the channel's buffer.
- A worker that finds the buffer filled takes the next request without passing through the scheduler, until
  ``sysmon`` preempts it after 10 to 20 ms. Requests in the buffer thus overtake those whose workers are ready but
  have not run: in a backlog of more requests than workers most are quick and the others wait for whole slices.
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
        self._arrivals = arrivals  # (now) -> those due by now, in order
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
        self.own: list[Request | None] = [None] * procs  # closed loop: what the P's worker goes on with

    @property
    def waiting(self) -> int:
        """Admitted requests that no P works on."""
        return len(self.channel) + len(self.ready) + sum(map(len, self._local))

    @property
    def in_network(self) -> bool:
        """Whether a P that polls the network finds the arrivals; otherwise a P has them in its run queue."""
        return self._admits_on is None

    def next(self, processor: int, now_ns: float) -> Request | None:
        """What a P does when its request has ended, or when it has none; None: there is nothing."""
        own, self.own[processor] = self.own[processor], None
        if own is None and self.channel and self.working[processor]:
            own = self.channel.popleft()
        if own is not None:
            if now_ns < self._slice_end_ns[processor]:
                return own
            self.ready.append(own)  # preempted: to the end of the global queue with what it had begun
        self.working[processor] = False
        request = self._find(processor, now_ns)
        if request is not None:
            self.working[processor] = True
            self._slice_end_ns[processor] = now_ns + self._slice()
        return request

    def _find(self, processor: int, now_ns: float) -> Request | None:
        """Own run queue, global run queue, network, other Ps' run queues (Go 1.14+ ``findRunnable``)."""
        mine = self._local[processor]
        if self._admits_on == processor or (
            self._admits_on is None and now_ns - self._polled_ns > SYSMON_POLL_NS
        ):
            self.admit(processor, now_ns)
        if mine:
            return mine.popleft()
        if self.ready:
            return self.ready.popleft()
        self.admit(processor, now_ns)  # polled, or stolen from the P that has polled
        if not mine:
            self._steal(mine)
        return mine.popleft() if mine else None

    def _steal(self, mine: deque[Request]) -> None:
        """Half of another P's run queue, rounded up (``runqgrab``)."""
        for other in self._local:
            if other:
                mine.extend(other.popleft() for _ in range(len(other) - len(other) // 2))
                return

    def continues(self, processor: int, now_ns: float) -> bool:
        """Whether the P's worker would go on without passing through the scheduler."""
        goes_on = self.own[processor] is not None or (bool(self.channel) and self.working[processor])
        return goes_on and now_ns < self._slice_end_ns[processor]

    def is_seen(self, processor: int, *, due: bool) -> bool:
        """Whether an idle mark worker stops for a goroutine; ``due``: the network has an arrival.

        Where it is the network's, the goroutine that admits arrivals then is in this P's run queue.
        """
        if self.ready or self._local[processor] or self._admits_on == processor:
            return True
        if due and self._admits_on is None:
            self._admits_on = processor
            return True
        return False

    def admit(self, processor: int, now_ns: float) -> None:
        """The arrivals due by now, on a P: to parked workers first, the others into the channel."""
        self._admits_on = None
        self._polled_ns = now_ns
        self.channel.extend(self._arrivals(now_ns))
        if self.channel:
            mine = self._local[processor]
            busy = len(self.ready) + sum(map(len, self._local)) + sum(self.working)
            for _ in range(min(self._workers - busy, len(self.channel))):
                mine.append(self.channel.popleft())

    def park(self) -> None:
        """The world stops: what workers would have gone on with is ready when it starts again."""
        self._admits_on = None
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
