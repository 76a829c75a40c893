"""A service's requests, from the figures that its load driver printed beside the log."""

import json
from dataclasses import replace
from pathlib import Path

from gcsim.errors import InputError
from gcsim.workload.model import Model
from gcsim.workload.requests import requests_from_result

_SUFFIX = ".result.json"


def result_file(log: str | Path) -> Path | None:
    """``NAME.result.json`` beside ``NAME.log`` or ``NAME.log.gz``, where there is one."""
    path = Path(log)
    stem = path.name.removesuffix(".gz").removesuffix(".log")
    beside = path.with_name(stem + _SUFFIX)
    return beside if beside.is_file() else None


def with_requests(model: Model, result: Path) -> Model:
    """The model with requests as a load driver's result tells them (``experiments/programs``).

    A closed loop's model is returned as it is: its requests set no pace. Raises InputError on a file that is no
    such result.
    """
    if model.loop != "open":
        return model
    try:
        document = json.loads(result.read_text(encoding="utf-8"))
        rate = model.parameters.alloc_bytes_per_second.value
        return replace(model, requests=requests_from_result(document, alloc_bytes_per_second=rate))
    except (OSError, ValueError, InputError) as error:
        raise InputError(
            f"{result}: no figures on requests in it ({error}); move it away, or run again"
        ) from error
