"""Make the models that ship, models/*.toml, from committed captures.

    python -m experiments.models

Each model is what ``gcsim calibrate`` makes of the service's log, with two things that this log does not hold:

- shares of free slots, from the runtime's own counts in another run of the same program
  (``order-service-counts.log.gz``: the machine was busy, so only its counts of memory are used);
- the requests of the open loop, from a run of the latency study at nearly the same load, whose driver measured how
  long they took. The closed loop has none: nothing is known of its latencies but that its workers never wait.

The same captures give the same bytes. Make the models again after any change to calibration or to an engine.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from experiments.archive import unpacked
from gcsim.calibration.calibrate import Calibration, calibrate
from gcsim.calibration.checks.verdict import diagnose_logs, with_verdict
from gcsim.calibration.estimate.requests import loop_of, result_file, with_requests
from gcsim.calibration.pooling import PooledCalibration, calibrate_logs, with_slots
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.cli.logs import read_logs
from gcsim.gctrace.trace import Trace
from gcsim.service.model import Model
from gcsim.service.parameters import Parameter
from gcsim.service.requests import Requests

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "models"
_CAPTURES = ROOT / "experiments" / "captures"
_LATENCY = unpacked(ROOT / "experiments" / "latency" / "captures")
_COUNTS = "order-service-counts.log.gz"
_COUNTED = ("slot_garbage_share", "unfilled_slot_share")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """The captures that one shipped model is made from."""

    log: Path
    counts: Path  # with the runtime's own counts of its memory
    requests: Path | None = None  # with a load driver's result next to it


SHIPPED = {
    "order-service": Shipped(
        log=_CAPTURES / "order-service.log.gz",
        counts=_CAPTURES / _COUNTS,
    ),
    "order-service-open": Shipped(
        log=_CAPTURES / "order-service-open.log.gz",
        counts=_CAPTURES / _COUNTS,
        requests=_LATENCY / "orders-load60-go1.27.3-gogc100-limitoff-p2-r1.log.gz",
    ),
}


def main() -> None:
    """Writes every shipped model."""
    for name in SHIPPED:
        path = MODELS / f"{name}.toml"
        shipped_model(name).save(path)
        print(f"wrote {path.relative_to(ROOT)}")


def shipped_model(name: str) -> Model:
    """One of them, made anew."""
    sources = SHIPPED[name]
    trace = _trace(sources.log)
    found = calibrate(trace, name=name)
    counted = calibrate(_trace(sources.counts), name=name).model.parameters
    slots = {one: _from_counts(getattr(counted, one)) for one in _COUNTED}
    found = _with_counts(found, slots)
    key = str(sources.log)
    several = PooledCalibration(model=found.model, calibrations={key: found}, reference=key)
    diagnosis, _ = diagnose_logs({key: trace}, several)
    requests = None if sources.requests is None else _requests(sources.requests)
    return replace(with_verdict(found.model, diagnosis), requests=requests)


def _trace(log: Path) -> Trace:
    """A log's trace with its side file, read as the command line reads it."""
    return read_logs([str(log)])[str(log)]


def _from_counts(share: Parameter) -> Parameter:
    return replace(share, source=f"the runtime's own counts in {_COUNTS}", origin="capture")


def _with_counts(found: Calibration, slots: dict[str, Parameter]) -> Calibration:
    """The calibration with these shares of slots, and with the allocation that follows from them."""
    found = with_slots(found, slots["slot_garbage_share"])
    return replace(found, model=replace(found.model, parameters=replace(found.model.parameters, **slots)))


def _requests(log: Path) -> Requests | None:
    """The requests of the run that wrote ``log``: those that its driver measured, and those that calibration adds."""
    result = result_file(log)
    assert result is not None
    overrides = {str(log): Overrides(loop=loop_of(result))}
    found = calibrate_logs({str(log): _trace(log)}, name=log.name, overrides=overrides)
    return with_requests(found.model, result, found.of_reference.evidence).requests


if __name__ == "__main__":
    main()
