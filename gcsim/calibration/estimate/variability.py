"""The variability of a log's cycles about their means, and the delay of their start behind the trigger."""

import math

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.calibration.estimate.intervals import Intervals
from gcsim.calibration.evidence import NO_GOAL_BYTES, Evidence
from gcsim.calibration.stats.standard_error import printing_scatter, time_steps
from gcsim.engine.inputs.draws import central_draws, lane_parameters
from gcsim.engine.lanes.mark_conditions import conditions_for
from gcsim.goruntime.pacer import sweep_min_trigger_bytes, trigger_bytes
from gcsim.goruntime.versions import GoRules, rules_for
from gcsim.service.model import Model
from gcsim.service.pauses import LEVELS
from gcsim.service.profile import Profile
from gcsim.service.variability import CycleVariability, correlations, factors
from gcsim.submodels.mark_cost import program_slowness
from gcsim.submodels.mark_phase import MarkPhase, mark_phase
from gcsim.units import KIB

_STAMP_SD_SECONDS = 0.41e-3  # of a difference of two time stamps in whole ms
_PRIOR_SLACK_BYTES = 64.0 * KIB  # a few span refills, for logs without pacer lines
_MIN_TRIGGERS = 10
_SHORTEST_RUNWAY_BYTES = 64.0 * KIB
_LEAST_EXPECTED = 0.5  # of the mean, in one mark phase: smaller phases would amplify noise
_BIAS_RANGE = (0.5, 2.0)


def fit_variability(
    evidence: Evidence, gaps: Intervals, model: Model, live_trend: FloatArray
) -> CycleVariability:
    """The distributions of the window's cycles about ``model``, without the scatter that truncation adds.

    ``live_trend`` is the factor of growth on the live heap at each cycle; 1 without growth.
    """
    since_s = model.profile.within(evidence.start_seconds - evidence.start_seconds[0])
    live = evidence.live_bytes / live_trend / np.maximum(model.profile.live_at(since_s), 0.1)
    mark_cpu_s = evidence.mark_cpu_seconds
    if not model.growth.is_none:  # the engines scale mark CPU with the live heap
        mark_cpu_s = mark_cpu_s / live_trend
    phases, runway = _phases(evidence, model)
    time_factor = evidence.concurrent_seconds / phases.duration_seconds
    phases = phases.prolonged(time_factor / float(time_factor.mean()), runway)
    black_factor = _black_factors(evidence, phases.allocated_bytes)
    most_black = evidence.allocated_bytes / np.maximum(phases.allocated_bytes, runway)
    return CycleVariability(
        live_factor=factors(live, noise_sd=_live_noise(evidence)),
        alloc_time_factor=_time_factors(gaps, model.profile),
        mark_cpu_factor=factors(mark_cpu_s, noise_sd=_mark_cpu_noise(evidence)),
        mark_time_factor=factors(time_factor),
        allocated_black_factor=_allocated_quantiles(evidence, phases.allocated_bytes, black_factor),
        heap_start_slack_bytes=_start_slack(evidence, rules_for(model.settings.go)),
        mark_correlations=correlations(mark_cpu_s, time_factor, black_factor),
        most_allocated_black=np.array(max(float(most_black.max()), 1.0)),
        most_past_goal=_most_past_goal(evidence, model, np.maximum(phases.allocated_bytes, runway)),
    )


def _live_noise(evidence: Evidence) -> float:
    """The standard deviation that truncation adds to h2 - (h1 - h0), in bytes."""
    return math.hypot(
        printing_scatter(evidence.heap_start_bytes, evidence.heap_step_bytes),
        printing_scatter(evidence.heap_end_bytes, evidence.heap_step_bytes),
        printing_scatter(evidence.heap_marked_bytes, evidence.marked_step_bytes),
    )


def _mark_cpu_noise(evidence: Evidence) -> float:
    parts = (evidence.assist_cpu_seconds, evidence.background_cpu_seconds, evidence.idle_cpu_seconds)
    return math.hypot(*(printing_scatter(part, time_steps(part)) for part in parts))


def _phases(evidence: Evidence, model: Model) -> tuple[MarkPhase, FloatArray]:
    """The engine's mark phase for each logged cycle's CPU time and runway, and the runways in bytes."""
    lane = lane_parameters(model, [model.settings], central_draws(model))
    since_s = model.profile.within(evidence.start_seconds - evidence.start_seconds[0])
    pace = np.maximum(model.profile.alloc_at(since_s), 0.1)
    goal = np.minimum(evidence.heap_goal_bytes, NO_GOAL_BYTES)
    runway: FloatArray = np.maximum(goal - evidence.heap_start_bytes, _SHORTEST_RUNWAY_BYTES)
    mark_cpu_s = np.maximum(evidence.mark_cpu_seconds, 1e-9)
    slowness = None
    if model.profile.is_steady and lane.open_loop:
        spread = factors(evidence.mark_cpu_seconds, noise_sd=_mark_cpu_noise(evidence))
        slowness = program_slowness(mark_cpu_s / float(mark_cpu_s.mean()), spread)
    conditions = conditions_for(
        lane,
        open_loop=lane.open_loop,
        mark_cpu_seconds=mark_cpu_s,
        runway_bytes=runway,
        pace=pace,
        slowness=slowness,
    )
    return mark_phase(conditions), runway


def _most_past_goal(evidence: Evidence, model: Model, within: FloatArray) -> FloatArray:
    """max(allocated - ``within``) over ``unhindered_mark_bytes``, over all mark phases of the log.

    Truncated sizes hide up to 1 MiB of allocation; the maximum includes it.
    """
    lane = lane_parameters(model, [model.settings], central_draws(model))
    most = float((evidence.allocated_bytes + evidence.heap_step_bytes - within).max())
    return np.array(max(most / max(float(lane.unhindered_mark_bytes[0]), 1.0), 1e-6))


def _black_factors(evidence: Evidence, expected_bytes: FloatArray) -> FloatArray:
    """Logged over simulated allocation of each mark phase; 1 if the engine expects none."""
    mean = float(expected_bytes.mean())
    if mean <= 0:
        return np.ones(expected_bytes.size)
    ratio: FloatArray = evidence.allocated_bytes / np.maximum(expected_bytes, _LEAST_EXPECTED * mean)
    return ratio


def _allocated_quantiles(
    evidence: Evidence, expected_bytes: FloatArray, black_factor: FloatArray
) -> FloatArray:
    """Quantiles of ``black_factor``, scaled to the ratio of the means."""
    mean = float(expected_bytes.mean())
    if mean <= 0:
        return np.ones(LEVELS.size)
    sizes = (evidence.heap_start_bytes, evidence.heap_end_bytes)
    noise = math.hypot(*(printing_scatter(size, evidence.heap_step_bytes) for size in sizes)) / max(mean, 1.0)
    bias = float(np.clip(evidence.allocated_bytes.mean() / max(mean, 1.0), *_BIAS_RANGE))
    return bias * factors(black_factor, noise_sd=noise)


def _time_factors(gaps: Intervals, profile: Profile) -> FloatArray:
    """Quantiles of the factor on time per byte; the mean wait for a number of bytes follows the mean rate."""
    sizes = np.maximum(gaps.allocated_bytes, 0.1 * float(np.maximum(gaps.allocated_bytes, 1.0).mean()))
    pace = np.maximum(profile.alloc_at(gaps.middle_seconds), 0.1)
    per_byte = gaps.seconds / sizes * pace
    of_sizes = gaps.noise_bytes / max(float(sizes.mean()), 1.0)
    of_stamps = _STAMP_SD_SECONDS / max(float(gaps.seconds.mean()), 1e-6)
    return factors(per_byte, noise_sd=float(per_byte.mean()) * math.hypot(of_sizes, of_stamps))


def _start_slack(evidence: Evidence, rules: GoRules) -> FloatArray:
    """Quantiles of heapLive at cycle start less the computed trigger, in bytes, 0 or more.

    A goroutine tests the trigger when it refills a span or allocates a large object (Go 1.19+ ``gcTrigger.test``), and
    the heap grows while the cycle starts.
    """
    known = (
        evidence.exact[1:]
        & np.isfinite(evidence.runway_bytes[1:])
        & np.isfinite(evidence.heap_goal_bytes[1:])
    )
    known &= evidence.follows_naturally
    if int(known.sum()) < _MIN_TRIGGERS:
        return np.full(LEVELS.size, _PRIOR_SLACK_BYTES)
    marked = evidence.heap_marked_bytes[:-1][known].astype(np.int64)
    goal = evidence.heap_goal_bytes[1:][known].astype(np.int64)
    runway = np.minimum(evidence.runway_bytes[1:][known], NO_GOAL_BYTES).astype(np.int64)
    sweep_min = np.minimum(sweep_min_trigger_bytes(marked), goal)
    trigger = trigger_bytes(marked, goal, runway, sweep_min, rules=rules)
    late = evidence.heap_start_bytes[1:][known] - trigger
    return np.quantile(np.maximum(late, 0.0), LEVELS)
