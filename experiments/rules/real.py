"""Real programs under the rules of thumb that are a fixed setting, in two containers."""

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import gcsim
from experiments.capture import CapturedRun, load_run
from experiments.rules.study import Observed, Predicted
from experiments.software.cases import CASE, Places
from experiments.software.contained import Contained, ContainedPlan, run_contained
from experiments.software.matrix import CAPTURES, PROCS, plan_of
from experiments.software.regret import gc_cpu_fraction
from experiments.software.run import data_folder
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.capture.disk import read_ahead_kib
from gcsim.engine.plan import Plan
from gcsim.gctrace import read_gctrace
from gcsim.service.model import Model
from gcsim.tuning.rules_of_thumb import Rule
from gcsim.units import MIB

CONTAINERS = (1.3, 0.75)  # times the peak of RSS at Go's defaults: the defaults fit, and they do not
_MOST_TIMES = 5.0  # a job that needs more of its time outside a container stalls


@dataclass(frozen=True, slots=True, kw_only=True)
class RealCase:
    """One program of ``experiments/software`` with its load. Its model comes from its capture at GOGC=100."""

    program: str  # a label of ``experiments.software.cases``

    @property
    def memory_mib(self) -> tuple[int, ...]:
        """The containers that its rules run in."""
        rss_bytes = self._captured().info.rss_peak_bytes
        assert rss_bytes is not None
        return tuple(math.ceil(factor * rss_bytes / MIB) for factor in CONTAINERS)

    def model(self) -> Model:
        """The calibrated model, with the read-ahead of the disk that the executable is on now."""
        case, run = CASE[self.program], self._captured()
        trace = read_gctrace(run.log)
        with tempfile.TemporaryDirectory() as scratch:
            executable = case.command(Places(data=data_folder(case), scratch=Path(scratch)))[0]
        info = replace(run.info, read_ahead_kib=read_ahead_kib(Path(executable)))
        stated = Overrides(loop="closed" if run.result["loop"] == "closed" else "open", job=case.is_job)
        return gcsim.calibrate(replace(trace, info=info), name=self.program, overrides=stated).model

    def simulated(self) -> Plan:
        """A job is simulated to its end, a server for the time of its load."""
        seconds = (
            self._captured().info.wall_seconds
            if CASE[self.program].is_job
            else CASE[self.program].load_seconds
        )
        assert seconds is not None
        return Plan(duration_seconds=seconds)

    def applies(self, rule: Rule) -> bool:
        """Whether the rule is a fixed setting: nobody can compile a tuner into these programs."""
        return not rule.moves

    def runner(self, *, ends_only: bool) -> Callable[[Predicted], Observed]:
        """The function that makes one run under a rule."""
        return lambda rule: self.run(rule, ends_only=ends_only)

    def _captured(self) -> CapturedRun:
        plan = plan_of(CASE[self.program], (100, None), PROCS, 1)
        return load_run(CAPTURES / f"{plan.name}.result.json")

    def run(
        self,
        rule: Predicted,
        *,
        ends_only: bool = False,
        load: tuple[str, ...] = (),
        wrapper: Sequence[str] = (),
    ) -> Observed:
        """One run under a rule; ``load`` replaces options of the load, ``wrapper`` holds words before the command."""
        case, usual_hz = CASE[self.program], float(self._captured().result["rate"])
        with tempfile.TemporaryDirectory() as place:
            log = Path(place) / "trace.log"
            environment = {"GOMAXPROCS": str(PROCS), **rule.environment, "GODEBUG": "gctrace=1"}
            run = run_contained(
                ContainedPlan(
                    case=case, environment=environment, limit_bytes=rule.memory_mib * MIB, log=log,
                    seconds=_MOST_TIMES / usual_hz if case.is_job else case.load_seconds, load=load,
                    wrapper=tuple(wrapper),
                )
            )  # fmt: skip
            end = _ENDS[run.end]
            gc_cpu = self._gc_cpu(log, run) if end == "kept" and not ends_only else None
        return Observed(
            program=self.program,
            memory_mib=rule.memory_mib,
            rule=rule.rule,
            end=end,
            gc_cpu_fraction=gc_cpu,
            requests_hz=run.answers_hz if end == "kept" and not ends_only else None,
            anonymous_mib=run.peaks.anonymous_bytes / MIB,
            speed=run.answers_hz / usual_hz if end == "kept" and not ends_only else None,
            request_p99_seconds=run.p99_seconds if end == "kept" and not ends_only else None,
        )

    def _gc_cpu(self, log: Path, run: Contained) -> float | None:
        """GC CPU of a job over its whole length, of a server after its start; None for too few cycles."""
        is_job = CASE[self.program].is_job
        found = gc_cpu_fraction(log, job_seconds=1.0 / run.answers_hz if is_job else None)
        return None if math.isnan(found) else found


_ENDS = {"runs": "kept", "OOM kill": "killed", "stalls": "stalls", "failed": "fails"}
REAL_CASES = tuple(
    RealCase(program=label)
    for label in ("caddy-templates", "tsgo-check", "go-compile", "nats-stream", "rclone-serve", "hugo-build")
)
