"""Several variants of one service, such as more load or one processor fewer, simulated by one engine call."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from gcsim.engine.inputs.bounds import finite_arithmetic
from gcsim.engine.inputs.draws import draw_growth, draw_parameters, lane_parameters
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.engine.lanes.equal import KnownLanes
from gcsim.engine.lanes.run import lane_engine, run_lanes
from gcsim.engine.plan import Plan
from gcsim.engine.replicas import replicas_of_variants
from gcsim.engine.simulate import ReplicaRun, estimated, simulate_replicas
from gcsim.service.model import Model
from gcsim.settings import Settings

Variant = tuple[Model, Settings]

_ENOUGH_CYCLES = 200  # of a steady service; the summary extrapolates to the plan's length


def simulate_variants(variants: Sequence[Variant], plan: Plan) -> list[ReplicaRun]:
    """The run of each variant by the lane engine; all have one Go version.

    The variants come from one model by ``Model.scaled``: they share its profile, growth, scatter and kind of loop.
    Replica r has the same random numbers in each. A steady service is simulated for at most 200 cycles, from which the
    metrics of the plan's length follow.
    """
    first, settings = variants[0]
    drawn = [draw_parameters(model, replicas=plan.replicas, seed=plan.seed) for model, _ in variants]
    lanes = [
        lane_parameters(model, [one], values) for (model, one), values in zip(variants, drawn, strict=True)
    ]
    growth = draw_growth(first, drawn[0], seed=plan.seed)
    with finite_arithmetic(first.name):
        joined = _joined(lanes)
        engine = lane_engine(first, joined, settings.go, plan, growth)
        totals = run_lanes(engine, plan, most_steady_cycles=_ENOUGH_CYCLES)
        if first.growth.form != "job":
            found = replicas_of_variants(
                first,
                [one for _, one in variants],
                plan,
                drawn={name: np.concatenate([each[name] for each in drawn]) for name in drawn[0]},
                parameters=joined,
                totals=totals,
            )
            return [estimated(model, one, found.of(i), plan) for i, (model, one) in enumerate(variants)]
    runs = []
    for place, (model, one) in enumerate(variants):
        own = slice(place * plan.replicas, (place + 1) * plan.replicas)
        known = KnownLanes(totals=totals.select(own), is_known=np.ones(plan.replicas, dtype=np.bool_))
        runs.append(simulate_replicas(model, one, plan, known=known))
    return runs


def _joined(parts: Sequence[LaneParameters]) -> LaneParameters:
    """All lanes of the parts, in order."""
    return LaneParameters(
        **{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(LaneParameters)}
    )
