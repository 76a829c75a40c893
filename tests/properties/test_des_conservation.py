"""What the event-by-event engine conserves, at every event, over random workloads."""

from dataclasses import replace

import simpy
from example_service import example_service
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gcsim.engine.des.gc.collector import Collector
from gcsim.engine.des.heap.machine import Activity
from gcsim.engine.des.run.cycle import Cycle
from gcsim.engine.des.run.parameters import SchedulerParameters, central_parameters
from gcsim.engine.des.run.process import GoProcess
from gcsim.goruntime.versions import rules_for
from gcsim.service.model import Model
from gcsim.service.parameters import Parameter
from gcsim.service.pools import ServicePool
from gcsim.service.requests import Requests
from gcsim.settings import Settings
from gcsim.units import MIB

ROUNDING = 1e-6

workloads = st.fixed_dictionaries(
    {
        "loop": st.sampled_from(["closed", "open"]),
        "live_mib": st.floats(0.5, 400.0),
        "mark_ms_per_mib": st.floats(0.05, 2.0),
        "alloc_mib_per_second": st.floats(5.0, 1000.0),
        "busy_share": st.floats(0.05, 1.0),
        "gogc": st.integers(5, 800),
        "limit_mib": st.one_of(st.none(), st.integers(4, 800)),
        "gomaxprocs": st.integers(1, 8),
        "scannable_share": st.floats(0.0, 1.0),
        "pass_ms": st.floats(0.05, 20.0),
        "with_requests": st.booleans(),
        "pools": st.lists(
            st.builds(
                ServicePool,
                gets_per_second=st.floats(10.0, 2000.0),
                hold_seconds=st.floats(1e-4, 0.02),
                object_bytes=st.floats(1024.0, 256 * 1024.0),
                goroutines=st.sampled_from([None, 50]),
            ),
            max_size=2,
        ),
        "seed": st.integers(0, 1000),
    }
)


def service(w: dict) -> tuple[Model, Settings]:
    """A model of one random workload, and its settings."""
    old = example_service()
    procs, rate = w["gomaxprocs"], w["alloc_mib_per_second"] * MIB
    busy = max(w["busy_share"] * procs, 0.05)
    changed = {
        "live_bytes": w["live_mib"] * MIB,
        "mark_cpu_seconds": w["live_mib"] * w["mark_ms_per_mib"] * 1e-3,
        "alloc_bytes_per_second": rate,
        "alloc_bytes_per_cpu_second": rate / busy,
        "mutator_procs": busy,
    }
    parameters = replace(old.parameters, **{name: Parameter(value) for name, value in changed.items()})
    limit = None if w["limit_mib"] is None else w["limit_mib"] * MIB
    knobs = Settings(gogc=w["gogc"], gomemlimit_bytes=limit, gomaxprocs=procs, go="1.27")
    requests = Requests(bytes_per_request=rate / 500.0, workers=16) if w["with_requests"] else None
    calibrated = replace(knobs, gomemlimit_bytes=None)
    changed_parts = {"parameters": parameters, "settings": calibrated, "requests": requests}
    return replace(old, loop=w["loop"], pools=tuple(w["pools"]), **changed_parts), knobs


class Ledger:
    """Checks a machine at every event and a heap at every cycle."""

    def __init__(self, process: GoProcess, cycles: int) -> None:
        self.process, self.machine = process, process.machine
        self.procs = process.parameters.gomaxprocs
        self.left, self.begun = cycles, self.machine.heap_live_bytes
        self.last_ns, self.events = 0, 0
        self.done = process.env.event()
        self.machine.observer = self.event
        process.observer = self.balance

    def event(self, now_ns: int, processor: int, activity: Activity) -> None:
        """Clock, CPU and credit."""
        m = self.machine
        assert now_ns >= self.last_ns
        used = m.mutator_ns + m.assist_ns + m.background_ns + m.idle_mark_ns
        assert used <= self.procs * now_ns * (1 + ROUNDING) + 1
        shares = (activity.mutator, activity.assist, activity.background, activity.idle_mark)
        assert min(shares) >= 0
        assert sum(shares) <= 1 + ROUNDING
        assert -1 <= m.credit_ns <= m.credit_earned_ns + 1
        assert m.credit_earned_ns <= m.background_ns + m.idle_mark_ns + 1
        assert activity.alloc_bytes_per_ns >= 0
        assert 0 <= processor < self.procs
        self.balance()
        self.last_ns, self.events = now_ns, self.events + 1

    def balance(self) -> None:
        """Allocated or counted again = live + garbage not yet swept + freed, and no class of memory below nothing."""
        m, heap = self.machine, self.machine.heap
        missed = 0.0 if m.pools is None else m.pools.missed_bytes
        total = self.begun + m.allocated_bytes + missed + heap.span_tail_recount_bytes
        kept = heap.heap_live_bytes + heap.garbage_bytes + heap.freed_bytes
        assert abs(total - kept) <= 1e-9 * total + self.process.cycles + 1
        assert min(heap.garbage_bytes, heap.unswept_bytes, heap.free_slot_bytes, heap.heap_free_bytes) >= 0
        assert heap.unswept_bytes <= heap.heap_in_use_bytes + heap.freed_bytes
        assert heap.heap_in_use_bytes >= heap.heap_live_bytes

    def cycle(self, cycle: Cycle) -> None:
        """No heap below what is live."""
        m = self.machine
        assert cycle.heap_end_bytes >= cycle.heap_start_bytes >= cycle.live_bytes
        assert cycle.heap_marked_bytes >= int(cycle.live_bytes) - 1
        assert m.heap_live_bytes >= cycle.live_bytes - 1
        self.balance()
        self.pools()
        self.left -= 1
        if self.left == 0:
            self.done.succeed()

    def pools(self) -> None:
        """Gets = hits + misses; objects made = in use + unused + freed. Their bytes are those that misses allocated."""
        run, pools = self.machine.pools, self.process.parameters.pools
        if run is None:
            assert not pools
            return
        made = 0.0
        for counts, pool in zip(run.counts, pools, strict=True):
            assert counts.gets == counts.hits + counts.misses
            assert counts.misses == counts.held + counts.pooled + counts.freed
            assert min(counts) >= 0
            made += counts.misses * pool.object_bytes
        assert run.missed_bytes <= made * (1 + ROUNDING) + 1
        assert run.pooled_bytes <= made * (1 + ROUNDING) + 1


@given(workload=workloads)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_is_made_or_lost_between_events(workload: dict) -> None:
    """Clock, CPU time, scan credit and heap bytes balance at every event of a dozen cycles."""
    model, knobs = service(workload)
    parameters = central_parameters(
        model,
        knobs,
        SchedulerParameters(
            pass_interval_ns=int(workload["pass_ms"] * 1e6), scannable_share=workload["scannable_share"]
        ),
    )
    env = simpy.Environment()
    ledgers: list[Ledger] = []
    process = GoProcess(
        env,
        parameters,
        profile=model.profile,
        scatter=model.scatter,
        rules=rules_for(knobs.go),
        seed=workload["seed"],
        replica=0,
        requests=model.requests,
    )
    collector = Collector(
        process,
        pauses=model.pauses,
        seed=workload["seed"],
        replica=0,
        on_cycle=lambda cycle: ledgers[0].cycle(cycle),
    )
    ledgers.append(Ledger(process, cycles=12))
    process.start()
    env.process(collector.run())
    env.run(until=ledgers[0].done)
    assert ledgers[0].events > 12
