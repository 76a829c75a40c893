"""The two services of the study: the order service, and a real web server. Each can run under a stress."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import gcsim
from experiments import toolchains
from experiments.capture import RunPlan, load_run
from experiments.cgroup import cpu_quota
from experiments.rules.real import RealCase
from experiments.rules.study import GO, Case, Observed, Predicted, run_rule
from experiments.software.regret import BUDGETS
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.service.model import Loop, Model
from gcsim.tuning.stress import BURST_LOAD, MORE_LIVE, MORE_LOAD, QUOTA_SHARE
from gcsim.units import MIB

HERE = Path(__file__).parent
CAPTURES, LEAK = HERE / "captures", HERE / "leak.go"
PROCS = 2
SECONDS = 10.0  # of the load of a run
NO_STRESS = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stressed:
    """A stress as a change of the run."""

    load: float = 1.0  # factor on the requests per second
    live: float = 1.0  # factor on the live heap
    procs: int = PROCS
    cpus: float | None = None  # CPU quota


#: By their names in the stress table of ``gcsim recommend``.
STRESSES = {
    NO_STRESS: Stressed(),
    f"load × {MORE_LOAD:g}": Stressed(load=MORE_LOAD),
    f"live heap × {MORE_LIVE:g}": Stressed(live=MORE_LIVE),
    f"burst × {BURST_LOAD:g}": Stressed(load=BURST_LOAD),
    "one P fewer": Stressed(procs=PROCS - 1),
    f"CPU quota {100 * QUOTA_SHARE:.0f} %": Stressed(cpus=QUOTA_SHARE * PROCS),
}
Run = Callable[[Predicted, Stressed], Observed]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderService:
    """The order service with a live heap of 60 MiB, open or closed loop."""

    name: str
    rate: int  # requests per second; 0: closed loop
    budget: str = "medium"  # of ``experiments.software.regret``: the container over the peak of RSS
    live_mib: int = 60
    can_grow: bool = True

    @property
    def plan(self) -> RunPlan:
        """The capture that its model comes from."""
        return RunPlan(
            program="orders",
            go_version=GO,
            duration_seconds=20.0,
            args=self.args(Stressed()),
            label=self.name,
        )

    def args(self, stressed: Stressed) -> tuple[str, ...]:
        """The switches of the program under a stress."""
        rate = round(stressed.load * self.rate)
        return ("-live", f"{self.live_mib * stressed.live:g}MiB", "-rate", str(rate), "-sample", "0")

    def model(self) -> Model:
        """The calibrated model, with the requests of the captured run."""
        loop: Loop = "open" if self.rate else "closed"
        log = CAPTURES / f"{self.plan.name}.log.gz"
        return gcsim.calibrate(log, name=self.name, overrides=Overrides(loop=loop)).model

    @property
    def memory_mib(self) -> int:
        """The memory of the container."""
        info = load_run(CAPTURES / f"{self.plan.name}.result.json").info
        assert info.rss_peak_bytes is not None
        return math.ceil(BUDGETS[self.budget] * info.rss_peak_bytes / MIB)

    def runner(self) -> Run:
        """The function that makes one run; builds the program."""
        binary = toolchains.build("orders", GO)

        def run(wanted: Predicted, stressed: Stressed) -> Observed:
            case = Case(program=self.name, args=self.args(stressed), memory_mib=())
            rule = _with_procs(wanted, stressed)
            with cpu_quota(stressed.cpus) as wrapper:
                return run_rule(case, binary, rule, seconds=SECONDS, wrapper=wrapper)

        return run


@dataclass(frozen=True, slots=True, kw_only=True)
class WebServer:
    """A real web server that renders templates, 150 requests per second."""

    name: str = "caddy-templates"
    rate: int = 150
    can_grow: bool = False  # its live heap

    @property
    def case(self) -> RealCase:
        """Its capture, container and run."""
        return RealCase(program=self.name)

    def model(self) -> Model:
        """The calibrated model."""
        return self.case.model()

    @property
    def memory_mib(self) -> int:
        """The memory of the container."""
        return self.case.memory_mib[0]

    def runner(self) -> Run:
        """The function that makes one run."""

        def run(wanted: Predicted, stressed: Stressed) -> Observed:
            load = ("-rate", f"{self.rate * stressed.load:g}")
            with cpu_quota(stressed.cpus) as wrapper:
                return self.case.run(_with_procs(wanted, stressed), load=load, wrapper=wrapper)

        return run


def _with_procs(wanted: Predicted, stressed: Stressed) -> Predicted:
    return replace(wanted, environment=wanted.environment | {"GOMAXPROCS": str(stressed.procs)})


OPEN_ORDERS = OrderService(name="order-service", rate=5000)
BUSY_ORDERS = OrderService(name="order-service-busy", rate=12000, budget="generous")
CLOSED_ORDERS = OrderService(name="order-service-closed", rate=0, budget="generous")
Service = OrderService | WebServer
SERVICES: tuple[Service, ...] = (OPEN_ORDERS, WebServer())
