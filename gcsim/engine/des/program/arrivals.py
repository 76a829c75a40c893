"""Future requests, drawn in blocks: due times, service times, and the wake-up times of an idle P."""

import numpy as np

from gcsim.engine.des.program.run_queue import Request
from gcsim.service.profile import Profile
from gcsim.service.requests import Requests, arrival_seconds, service_seconds
from gcsim.streams import stream

_BLOCK = 8192


class Arrivals:
    """Lists of future requests, in ns; requests from index ``next`` on are not taken yet."""

    __slots__ = (
        "_arrival_draws", "_last_seconds", "_mean_seconds", "_profile", "_rate_per_second", "_requests",
        "_service_draws", "_wake_draws", "due", "due_ns", "next", "service", "service_ns", "wakes",
    )  # fmt: skip

    def __init__(
        self,
        requests: Requests,
        profile: Profile,
        *,
        rate_per_second: float,
        mean_seconds: float,
        seed: int,
        replica: int,
    ) -> None:
        self._requests, self._profile = requests, profile
        self._rate_per_second, self._mean_seconds = rate_per_second, mean_seconds
        self._arrival_draws = stream(seed, "des arrivals", replica)
        self._service_draws = stream(seed, "des services", replica)
        self._wake_draws = stream(seed, "des wake-ups", replica)
        self._last_seconds = 0.0
        self.due: list[float] = []
        self.service: list[float] = []  # at full speed
        self.wakes: list[float] = []  # wake-up time of a P for this arrival if all Ps are idle
        self.due_ns, self.service_ns = np.zeros(0), np.zeros(0)  # ``due`` and ``service`` as arrays
        self.next = 0

    def refill(self) -> None:
        """Draws the next block of arrivals and drops those that are taken."""
        requests, taken = self._requests, self.next
        due = arrival_seconds(
            requests,
            self._arrival_draws,
            _BLOCK,
            rate_per_second=self._rate_per_second,
            profile=self._profile,
            after_seconds=self._last_seconds,
        )
        self._last_seconds = float(due[-1])
        service = service_seconds(requests, self._service_draws, _BLOCK, mean_seconds=self._mean_seconds)
        wakes = requests.wake_seconds * self._wake_draws.standard_exponential(_BLOCK)
        self.due_ns = np.concatenate([self.due_ns[taken:], due * 1e9])
        self.service_ns = np.concatenate([self.service_ns[taken:], np.maximum(service * 1e9, 1.0)])
        self.due, self.service = self.due_ns.tolist(), self.service_ns.tolist()
        self.wakes = self.wakes[taken:] + (wakes * 1e9).tolist()
        self.next = 0

    @property
    def next_due_ns(self) -> float:
        """The time at which the next request is due."""
        if self.next == len(self.due):
            self.refill()
        return self.due[self.next]

    def due_by(self, now_ns: float) -> list[Request]:
        """Takes the requests that are due by ``now_ns``."""
        taken: list[Request] = []
        due, services, place = self.due, self.service, self.next
        count = len(due)
        while True:
            if place == count:
                self.next = place
                self.refill()
                due, services, place = self.due, self.service, 0
                count = len(due)
            due_ns = due[place]
            if due_ns > now_ns:
                self.next = place
                return taken
            service = services[place]
            taken.append(Request(due_ns, -1.0, service, service))
            place += 1
