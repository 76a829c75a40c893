"""One run of the event-by-event engine, from warm-up to its end."""

from collections.abc import Callable

import simpy

from gcsim.engine.des.collector import Collector, Cycle
from gcsim.engine.des.latency import LatencySums
from gcsim.engine.des.parameters import RunParameters
from gcsim.goruntime.versions import rules_for
from gcsim.settings import Settings
from gcsim.workload.model import Model

WARM_UP_CYCLES = 8  # before the clock starts: the pacer remembers five cycles


def run_cycles(
    model: Model,
    settings: Settings,
    parameters: RunParameters,
    on_cycle: Callable[[Cycle, float], None],
    *,
    replica: int,
    seed: int,
    duration_seconds: float,
    most_cycles: int | None,
) -> LatencySums | None:
    """Plays one run and hands over each cycle with its start, in seconds since the end of the warm-up.

    Returns the latencies where the model has requests.
    """
    env = simpy.Environment()
    stop = env.event()

    sums = None
    if model.requests is not None:
        sums = LatencySums(overhead_ns=model.requests.overhead_seconds * 1e9)

    def seen(cycle: Cycle) -> None:
        if cycle.number <= WARM_UP_CYCLES:
            collector.epoch_ns = cycle.end_ns
            if collector.serving is not None:
                collector.serving.finished()
            return
        if collector.serving is not None and sums is not None:
            for block in collector.serving.finished():
                sums.add(block, collector.interruptions)
        start_s = (cycle.start_ns - collector.epoch_ns) * 1e-9
        if start_s <= duration_seconds:
            on_cycle(cycle, start_s)
        if start_s > duration_seconds or cycle.number - WARM_UP_CYCLES == most_cycles:
            stop.succeed()

    collector = Collector(
        env,
        parameters,
        pauses=model.pauses,
        profile=model.profile,
        scatter=model.scatter,
        rules=rules_for(settings.go),
        seed=seed,
        replica=replica,
        on_cycle=seen,
        requests=model.requests,
    )
    env.process(collector.run())
    env.run(until=stop)
    return sums if collector.serving is not None else None
