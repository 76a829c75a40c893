"""Everything that event runs of the example service leave behind, as one digest; needs no pytest."""

import hashlib
import json
import sys
from dataclasses import fields, replace

from example_service import example_service

from gcsim.engine.des.run.parameters import SchedulerParameters
from gcsim.engine.des.run.runner import record_run
from gcsim.service.model import Model
from gcsim.service.objects.kinds_file import assumed_objects
from gcsim.service.parameters import Parameter
from gcsim.service.requests import Requests
from gcsim.units import MIB


def open_service() -> Model:
    """The example with arrivals on half of two Ps, as requests."""
    model = example_service()
    rate = 200.0 * MIB
    changed = {"alloc_bytes_per_second": Parameter(rate), "alloc_bytes_per_cpu_second": Parameter(rate)}
    requests = Requests(bytes_per_request=rate / 5000.0, workers=32)
    return replace(model, loop="open", parameters=replace(model.parameters, **changed), requests=requests)


def fingerprint(seed: int) -> str:
    """Every row of two runs, to the last bit: an open loop with requests, a closed one at a limit with objects."""
    closed = example_service()
    limited = replace(closed.settings, gomemlimit_bytes=160 * MIB)
    objects = assumed_objects(closed.parameters.live_bytes.value, slot_garbage_share=0.8)
    digest = hashlib.sha256()
    for model, settings, seconds, kinds in (
        (open_service(), closed.settings, 2.0, None),
        (closed, limited, 2.0, objects),
    ):
        recording = record_run(
            model, settings, duration_seconds=seconds, seed=seed, knobs=SchedulerParameters(), objects=kinds
        )
        for field in fields(recording.cycles):
            digest.update(getattr(recording.cycles, field.name).tobytes())
        for rows in (recording.assists, recording.requests, recording.heap):
            digest.update(rows.tobytes())
        digest.update(repr(recording.spans.tolist()).encode())
        if recording.objects is not None:
            digest.update(json.dumps(recording.objects.to_json()).encode())
    return digest.hexdigest()


if __name__ == "__main__":
    print(fingerprint(int(sys.argv[1])))
