"""Parameters of memory outside the heap: one list, which calibration and both engines follow."""

from dataclasses import fields, replace

import numpy as np
import pytest
from example_service import example_service

from gcsim.engine.des.run.parameters import RunParameters, SchedulerParameters, central_parameters
from gcsim.engine.inputs.draws import central_draws, lane_parameters
from gcsim.engine.inputs.lane_parameters import LaneParameters
from gcsim.engine.inputs.outside_heap import OutsideHeap
from gcsim.errors import InputError
from gcsim.service import parameters as of_service
from gcsim.service.parameters import OUTSIDE_HEAP, PARAMETER_NAMES, PROCESS, Parameters
from gcsim.units import MIB


def test_both_engines_take_the_whole_list() -> None:
    """In the order of the model file."""
    names = tuple(field.name for field in fields(OutsideHeap))
    assert names == OUTSIDE_HEAP
    assert set(OUTSIDE_HEAP) | set(PROCESS) <= set(PARAMETER_NAMES)
    for record in (LaneParameters, RunParameters):
        assert set(names) < {field.name for field in fields(record)}


@pytest.mark.parametrize("name", sorted(set(OUTSIDE_HEAP) - {"slot_garbage_share"}))
def test_each_part_adds_to_the_memory_of_both_engines(name: str) -> None:
    """The engines have one sum; slot garbage has its own rule, because allocation fills it."""
    model = example_service()
    more = replace(getattr(model.parameters, name), value=1.5 * getattr(model.parameters, name).value)
    larger = replace(model, parameters=replace(model.parameters, **{name: more}))
    sizes = []
    for one in (model, larger):
        lanes = lane_parameters(one, [one.settings], central_draws(one))
        run = central_parameters(one, one.settings, SchedulerParameters())
        of_lanes = lanes.outside_heap_bytes(np.array([100.0 * MIB]), lanes.calibrated_peak_bytes)[0]
        assert of_lanes == pytest.approx(run.outside_heap_bytes(100.0 * MIB, run.calibrated_peak_bytes))
        sizes.append(of_lanes)
    assert sizes[1] > sizes[0]


def test_a_model_file_may_lack_a_parameter_with_a_neutral_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of an older gcsim stays valid; without such a value it is refused."""
    document = example_service().parameters.to_document()
    del document["allocated_stack_bytes"]
    with pytest.raises(InputError, match="'allocated_stack_bytes' is missing"):
        Parameters.from_document(document)
    monkeypatch.setattr(of_service, "NEUTRAL", {"allocated_stack_bytes": 0.0})
    found = Parameters.from_document(document).allocated_stack_bytes
    assert (found.value, found.rel_sd, found.origin) == (0.0, 0.0, "derived")
    whole = example_service().parameters
    assert Parameters.from_document(whole.to_document()) == whole
