"""One run of the event-by-event engine, from warm-up to its end."""

from collections.abc import Callable

import simpy

from gcsim.engine.des.collector import Collector, Cycle
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
) -> None:
    """Plays one run and hands over each cycle with its start, in seconds since the end of the warm-up."""
    env = simpy.Environment()
    stop = env.event()

    def seen(cycle: Cycle) -> None:
        if cycle.number <= WARM_UP_CYCLES:
            collector.epoch_ns = cycle.end_ns
            return
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
    )
    env.process(collector.run())
    env.run(until=stop)
