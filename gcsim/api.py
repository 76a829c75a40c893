"""Calibration in one call: the pipeline that the command line, the Python API and the experiments share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path, PurePath
from typing import Any

from gcsim.calibration.calibrate import Calibration
from gcsim.calibration.checks.verdict import Diagnosis, diagnose_logs, with_verdict
from gcsim.calibration.estimate.loop import LoopDetection
from gcsim.calibration.estimate.requests import loop_of, result_file, with_requests
from gcsim.calibration.evidence import Evidence
from gcsim.calibration.pooling import PooledCalibration
from gcsim.calibration.pooling import calibrate_logs as estimate
from gcsim.calibration.settings.log_settings import LogSettings, Overrides
from gcsim.calibration.validation import Validation
from gcsim.engine.run import settings_json
from gcsim.gctrace import read_gctrace
from gcsim.gctrace.trace import Trace
from gcsim.service.assessment import Assessment, Verdict
from gcsim.service.model import Model
from gcsim.service.parameter_interval import interval
from gcsim.service.parameters import PARAMETER_NAMES

Log = str | PathLike[str] | Trace
_TRACE = "log"  # the name of a log that has no path


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedService:
    """A model of one service, with everything that calibration knows of it."""

    model: Model  # with its assessment, and its requests where a load driver's figures lie beside the log
    diagnosis: Diagnosis
    traces: Mapping[str, Trace]  # by log
    several: PooledCalibration  # each log's own calibration
    checks: Mapping[str, Validation | None]  # the model held against each log; the reference first

    @property
    def reference(self) -> str:
        """The log whose settings and load are the model's."""
        return self.several.reference

    @property
    def calibrations(self) -> dict[str, Calibration]:
        """Each log's own calibration."""
        return self.several.calibrations

    @property
    def of_reference(self) -> Calibration:
        """The reference log's calibration, with this model in it."""
        return replace(self.calibrations[self.reference], model=self.model)

    @property
    def trace(self) -> Trace:
        """The reference log."""
        return self.traces[self.reference]

    @property
    def check(self) -> Validation | None:
        """The model held against its reference log; None where it was not."""
        return self.checks[self.reference]

    @property
    def settings(self) -> LogSettings:
        """The settings of the reference log, with where each is from."""
        return self.of_reference.log

    @property
    def window(self) -> slice:
        """The rows of the reference log that were used."""
        return self.of_reference.window

    @property
    def evidence(self) -> Evidence:
        """Those rows."""
        return self.of_reference.evidence

    @property
    def pace(self) -> LoopDetection:
        """What sets the pace of allocation in the reference log."""
        return self.of_reference.pace

    @property
    def assessment(self) -> Assessment:
        """Verdict, findings and growth."""
        return self.diagnosis.assessment

    @property
    def verdict(self) -> Verdict:
        """How far to trust the model."""
        return self.diagnosis.verdict

    def to_json(self) -> dict[str, Any]:
        """The document of ``gcsim calibrate --json``."""
        checks = {log: None if one is None else one.to_json() for log, one in self.checks.items()}
        return {
            "name": self.model.name,
            **self.assessment.to_json(),
            "settings": settings_json(self.model.settings),
            "origins": self.settings.to_json(),
            "loop": {"value": self.model.loop, "reason": self.pace.source},
            "cycles": self.model.cycles,
            "duration_seconds": self.model.duration_seconds,
            "reference": self.reference,
            "logs": [
                {
                    "log": log,
                    "settings": settings_json(one.log.settings),
                    "origins": one.log.to_json(),
                    "check": checks[log],
                }
                for log, one in self.calibrations.items()
            ],
            "parameters": {name: _parameter_json(self.model, name) for name in PARAMETER_NAMES},
        }


def _parameter_json(model: Model, name: str) -> dict[str, Any]:
    parameter = getattr(model.parameters, name)
    low, high = interval(name, parameter)
    return {"value": parameter.value, "low": low, "high": high, "source": parameter.source}


def calibrate(
    log: Log, *, name: str | None = None, overrides: Overrides | None = None, fit_check: bool = True
) -> CalibratedService:
    """A model of the service that one log shows: its path, or a trace that was read from it.

    ``overrides`` are settings that the log and its side file do not tell, or tell wrongly. With a path, a load driver's
    figures beside the log are used. Raises InputError where the log holds too little, or contradicts the settings.
    """
    named = {_name_of(log): log}
    return calibrate_service(named, name=name, overrides=overrides, fit_check=fit_check)


def calibrate_logs(
    logs: Mapping[str, Log] | Iterable[str | PathLike[str]],
    *,
    name: str | None = None,
    overrides: Overrides | Mapping[str, Overrides] | None = None,
    fit_check: bool = True,
) -> CalibratedService:
    """One model of the service that several logs show; as ``calibrate_service``."""
    return calibrate_service(logs, name=name, overrides=overrides, fit_check=fit_check)


def calibrate_service(
    logs: Mapping[str, Log] | Iterable[str | PathLike[str]],
    *,
    name: str | None = None,
    overrides: Overrides | Mapping[str, Overrides] | None = None,
    fit_check: bool = True,
) -> CalibratedService:
    """One model of the service that the logs show, its verdict, and the model held against each log.

    ``logs`` are paths, or traces by the path that they were read from. ``overrides`` hold for every log, or for each by
    its name. Without ``fit_check`` the model is not held against its logs, and the verdict does not count that.
    Raises InputError, naming the log, for one that calibration refuses, and for logs that cannot be of one service.
    """
    named = logs if isinstance(logs, Mapping) else {fspath(log): log for log in logs}
    traces = {log: one if isinstance(one, Trace) else read_gctrace(fspath(one)) for log, one in named.items()}
    stated = {log: _stated(log, overrides) for log in traces}
    found = estimate(traces, name=name or _service_name(traces), overrides=stated)
    diagnosis, checks = diagnose_logs(traces, found, fit_check=fit_check)
    model = with_verdict(found.model, diagnosis)
    result = result_file(found.reference)
    if result is not None:
        model = with_requests(model, result, found.of_reference.evidence)
    return CalibratedService(model=model, diagnosis=diagnosis, traces=traces, several=found, checks=checks)


def _name_of(log: Log) -> str:
    return _TRACE if isinstance(log, Trace) else fspath(log)


def _service_name(logs: Iterable[str]) -> str:
    """The first log's file name without its endings."""
    file = PurePath(next(iter(logs), _TRACE)).name
    return file.removesuffix(".gz").removesuffix(".log") or _TRACE


def _stated(log: str, overrides: Overrides | Mapping[str, Overrides] | None) -> Overrides:
    """What is stated of one log; its loop also by the load driver that ran it."""
    one = overrides.get(log) if isinstance(overrides, Mapping) else overrides
    stated = one or Overrides()
    result = result_file(Path(log)) if stated.loop is None else None
    return stated if result is None else replace(stated, loop=loop_of(result))
