"""The replicas of a model at settings: draws of parameters, sums of cycles, and the metrics of each run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.engine.controllers import FIXED_SETTING
from gcsim.engine.executors import Executor
from gcsim.engine.inputs.draws import draw_growth, draw_parameters, lane_parameters
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.engine.lanes.equal import KnownLanes
from gcsim.engine.lanes.run import lane_engine, run_lanes
from gcsim.engine.plan import Plan
from gcsim.engine.summary.intervals import SamplingError
from gcsim.engine.summary.job import JobCosts
from gcsim.engine.summary.memory import ProcessDraws
from gcsim.engine.summary.metrics import JobRuns, LaneMetrics, lane_metrics
from gcsim.engine.summary.totals import LaneTotals
from gcsim.errors import InputError
from gcsim.metrics import PAUSE_QUANTILES
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.streams import stream
from gcsim.submodels.live_growth import GrowthCourses

# times the calibrated length; the CPU limiter leaves the program about half of the CPU (Go 1.19+ ``gcCPULimiterState``)
_SLOWEST_JOB = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """The replicas of some settings; arrays have the shape (settings, replicas), those of the sums (lanes,)."""

    metrics: dict[str, FloatArray]
    bounds: dict[str, FloatArray]  # the most that some metrics can be, infinite without a bound
    sampling_errors: dict[str, FloatArray]  # of replicas that are shorter than the plan's duration
    totals: LaneTotals

    def of(self, place: int) -> "Replicas":
        """The replicas of one setting; arrays of shape (replicas,)."""
        replicas = next(iter(self.metrics.values())).shape[1]
        return Replicas(
            metrics={name: values[place] for name, values in self.metrics.items()},
            bounds={name: values[place] for name, values in self.bounds.items()},
            sampling_errors={name: values[place] for name, values in self.sampling_errors.items()},
            totals=self.totals.select(slice(place * replicas, (place + 1) * replicas)),
        )

    def sampling(self, name: str, duration_seconds: float) -> SamplingError | None:
        """The sampling error of a metric of one setting; None if its replicas have the full length."""
        if name not in self.sampling_errors:
            return None
        expected = np.maximum(self.metrics["gc_rate_hz"] * duration_seconds, 1.0)
        share = np.minimum(self.totals.cycles / expected, 1.0)
        variance = self.sampling_errors[name] ** 2
        return SamplingError(float(variance.mean()), float(share.mean()))


def replicas_of(
    model: Model, settings: Sequence[Settings], plan: Plan, *, known: KnownLanes | None, executor: Executor
) -> Replicas:
    """The replicas at each setting, by one engine; all settings have one Go version.

    A job runs to its end, also beyond the plan's duration. Raises InputError if a metric is not finite.
    """
    plan = to_the_end(model, plan)
    drawn = draw_parameters(model, replicas=plan.replicas, seed=plan.seed)
    parameters = lane_parameters(model, settings, drawn)
    growth = draw_growth(model, drawn, seed=plan.seed)
    added: dict[str, FloatArray] = {}  # metrics that not every service has
    errors: dict[str, FloatArray] = {}
    if plan.engine == "des":
        from gcsim.engine.des.run.replicas import event_totals

        runs = event_totals(model, settings, parameters, drawn, plan, executor=executor)
        totals, added, errors = runs.totals, runs.latencies, runs.sampling_errors
    else:
        known = KnownLanes.none(parameters.lanes) if known is None else known
        totals = known.totals
        if not known.is_known.all():
            rest = parameters.select(~known.is_known)
            engine = lane_engine(model, rest, settings[0].go, plan, growth)
            run_lanes(engine, plan).scatter_into(totals, np.flatnonzero(~known.is_known))
    job = None if growth is None or not growth.is_job else _calibrated_job(model, drawn, growth, plan)
    metrics, bounds = _metrics_of(model, drawn, parameters, totals, plan, None if job is None else job.runs)
    if job is not None:
        added |= job.costs(model, drawn).metrics(metrics, parameters.gomaxprocs)
    return _replicas(model, settings, plan, totals, LaneMetrics(metrics | added, bounds), errors)


def to_the_end(model: Model, plan: Plan) -> Plan:
    """The plan of a whole job: cut at a duration it would show the memory of a part, and slow settings look small."""
    if model.growth.form != "job":
        return plan
    return plan.changed(
        duration_seconds=max(plan.duration_seconds, _SLOWEST_JOB * model.growth.whole_job_seconds)
    )


def replicas_of_variants(
    model: Model,
    settings: Sequence[Settings],
    plan: Plan,
    *,
    drawn: dict[str, FloatArray],
    parameters: LaneParameters,
    totals: LaneTotals,
) -> Replicas:
    """The replicas of scaled variants of a service that is no job, one at each setting; arrays are of all lanes.

    Raises InputError if a metric is not finite.
    """
    found = _metrics_of(model, drawn, parameters, totals, plan, None)
    return _replicas(model, settings, plan, totals, found, {})


def _replicas(
    model: Model,
    settings: Sequence[Settings],
    plan: Plan,
    totals: LaneTotals,
    found: LaneMetrics,
    errors: dict[str, FloatArray],
) -> Replicas:
    shape = (len(settings), plan.replicas)
    metrics = {name: values.reshape(shape) for name, values in found.metrics.items()}
    return Replicas(
        metrics=_checked(model, settings, metrics),
        bounds={name: values.reshape(shape) for name, values in found.bounds.items()},
        sampling_errors={name: values.reshape(shape) for name, values in errors.items()},
        totals=totals,
    )


def _metrics_of(
    model: Model,
    drawn: dict[str, FloatArray],
    parameters: LaneParameters,
    totals: LaneTotals,
    plan: Plan,
    job: JobRuns | None,
) -> LaneMetrics:
    """The metrics of lanes, setting by setting and replica by replica; ``drawn`` is of one setting or of all lanes."""
    repeats = parameters.lanes // drawn["pause_scale"].size
    return lane_metrics(
        totals,
        parameters,
        duration_seconds=plan.duration_seconds,
        job=None if job is None else job.tiled(repeats),
        pauses=model.pauses,
        pause_scale=np.tile(drawn["pause_scale"], repeats),
        process=ProcessDraws.of(drawn, repeats),
        calibrated_bytes_per_second=np.tile(drawn["alloc_bytes_per_second"], repeats),
        pause_levels={
            name: np.tile(
                stream(plan.seed, f"quantile {name}").random(plan.replicas), parameters.lanes // plan.replicas
            )
            for name in PAUSE_QUANTILES
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _CalibratedJob:
    """The calibrated run of a job, simulated in each replica."""

    runs: JobRuns  # arrays of shape (replicas,)
    metrics: dict[str, FloatArray]

    def costs(self, model: Model, drawn: dict[str, FloatArray]) -> JobCosts:
        """The job's costs of CPU and wall time, by this run."""
        return JobCosts.of(
            model.growth,
            self.metrics,
            drawn,
            job_bytes=self.runs.allocated_bytes,
            gomaxprocs=model.settings.gomaxprocs,
        )


def _calibrated_job(
    model: Model, drawn: dict[str, FloatArray], growth: GrowthCourses, plan: Plan
) -> _CalibratedJob:
    """A job as calibrated, by the lane engine."""
    plan = replace(plan, engine="lanes", controller=FIXED_SETTING)
    parameters = lane_parameters(model, [model.settings], drawn)
    totals = run_lanes(lane_engine(model, parameters, model.settings.go, plan, growth), plan)
    wall = model.growth.whole_job_seconds
    simulated = np.where(totals.end_seconds > 0, totals.end_seconds, wall)
    runs = JobRuns(growth.job_bytes, wall, wall / simulated)
    return _CalibratedJob(
        runs=runs, metrics=_metrics_of(model, drawn, parameters, totals, plan, runs).metrics
    )


def _checked(
    model: Model, settings: Sequence[Settings], metrics: dict[str, FloatArray]
) -> dict[str, FloatArray]:
    """The metrics, with shares of at most 1: a run of few cycles has one cycle more in its sums than in its window.

    Raises InputError if a metric is not finite.
    """
    for name, values in metrics.items():
        finite = np.isfinite(values).all(axis=1)
        if not finite.all():
            raise InputError(
                f"{model.name}: {name} at {settings[int(np.argmin(finite))]} is not a finite number; "
                "check the model's parameters, or calibrate it again"
            )
    return {
        name: np.minimum(values, 1.0) if name.endswith("_fraction") else values
        for name, values in metrics.items()
    }
