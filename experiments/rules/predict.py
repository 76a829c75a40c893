"""The predictions of ``gcsim compare`` for the cases of the study."""

from functools import cache

import gcsim
from experiments.rules.study import SECONDS, Case
from gcsim.engine.plan import Plan
from gcsim.service.model import Model
from gcsim.tuning.compare import Comparison, compare
from gcsim.units import MIB


@cache
def model_of(case: Case) -> Model:
    """The model from the case's capture at Go's defaults."""
    return gcsim.calibrate(case.log, name=case.program).model


@cache
def predicted(case: Case, memory_mib: int) -> Comparison:
    """All rules in one container, for runs of the study's length."""
    return compare(model_of(case), memory_bytes=memory_mib * MIB, plan=Plan(duration_seconds=SECONDS))
