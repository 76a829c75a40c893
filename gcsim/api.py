"""The calibration pipeline of the command line, the Python API and the experiments."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path, PurePath
from typing import Any

from gcsim.calibration.calibrate import Calibration
from gcsim.calibration.checks.verdict import Diagnosis, diagnose_logs, with_verdict
from gcsim.calibration.estimate.load_test import FittedRequests, with_load_test
from gcsim.calibration.estimate.loop import LoopDetection
from gcsim.calibration.estimate.requests import (
    loop_of,
    result_file,
    speed_memory_seconds,
    with_requests,
)
from gcsim.calibration.evidence import Evidence
from gcsim.calibration.load_test import LoadTest
from gcsim.calibration.memory.readings.source import MemoryReadings
from gcsim.calibration.pooling import PooledCalibration
from gcsim.calibration.pooling import calibrate_logs as estimate
from gcsim.calibration.settings.log_settings import LogSettings, Overrides
from gcsim.calibration.source import read_source
from gcsim.calibration.validation import Validation
from gcsim.engine.run import settings_json
from gcsim.errors import InputError
from gcsim.gctrace.trace import Trace
from gcsim.service.assessment import Assessment, Verdict
from gcsim.service.model import Model
from gcsim.service.parameter_interval import interval
from gcsim.service.parameters import PARAMETER_NAMES

Log = str | PathLike[str] | Trace
_TRACE = "log"  # the name of a log without a path


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedService:
    """A calibrated model with its diagnosis, traces and self-checks."""

    model: Model  # with its assessment; with requests of a load test or of a result file next to the log
    diagnosis: Diagnosis
    traces: Mapping[str, Trace]  # by name of the log
    several: PooledCalibration  # each log's own calibration
    checks: Mapping[str, Validation | None]  # the model's comparison with each log, the reference first
    requests: FittedRequests | None = None  # the fit to a load test

    @property
    def reference(self) -> str:
        """The name of the log whose settings and load the model has."""
        return self.several.reference

    @property
    def calibrations(self) -> dict[str, Calibration]:
        """The calibration of each log, by name."""
        return self.several.calibrations

    @property
    def of_reference(self) -> Calibration:
        """The reference log's calibration with this model."""
        return replace(self.calibrations[self.reference], model=self.model)

    @property
    def trace(self) -> Trace:
        """The trace of the reference log."""
        return self.traces[self.reference]

    @property
    def check(self) -> Validation | None:
        """The model's comparison with its reference log; None without one."""
        return self.checks[self.reference]

    @property
    def settings(self) -> LogSettings:
        """The settings of the reference log and their origins."""
        return self.of_reference.log

    @property
    def window(self) -> slice:
        """The rows of the reference log's working window."""
        return self.of_reference.window

    @property
    def evidence(self) -> Evidence:
        """The evidence of the working window."""
        return self.of_reference.evidence

    @property
    def pace(self) -> LoopDetection:
        """The loop of the reference log."""
        return self.of_reference.pace

    @property
    def assessment(self) -> Assessment:
        """The verdict, findings and growth."""
        return self.diagnosis.assessment

    @property
    def verdict(self) -> Verdict:
        """The verdict: trust, trust with care, or do not trust."""
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
    log: Log,
    *,
    name: str | None = None,
    overrides: Overrides | None = None,
    readings: MemoryReadings | None = None,
    fit_check: bool = True,
) -> CalibratedService:
    """The calibrated model of the service that wrote one log, a path or a trace.

    ``overrides`` are settings that take precedence over the log and its side file. With a path, calibration also reads
    a load driver's result file next to the log. ``readings`` are of the process's memory, at the load and
    settings of the log. Raises InputError if the log is too short or contradicts the settings.
    """
    named = {_name_of(log): log}
    return calibrate_service(named, name=name, overrides=overrides, readings=readings, fit_check=fit_check)


def calibrate_logs(
    logs: Mapping[str, Log] | Iterable[str | PathLike[str]],
    *,
    name: str | None = None,
    overrides: Overrides | Mapping[str, Overrides] | None = None,
    fit_check: bool = True,
) -> CalibratedService:
    """One calibrated model from several logs of one service; the same as ``calibrate_service``."""
    return calibrate_service(logs, name=name, overrides=overrides, fit_check=fit_check)


def calibrate_service(
    logs: Mapping[str, Log] | Iterable[str | PathLike[str]],
    *,
    name: str | None = None,
    overrides: Overrides | Mapping[str, Overrides] | None = None,
    readings: MemoryReadings | None = None,
    load_test: LoadTest | None = None,
    fit_check: bool = True,
) -> CalibratedService:
    """One calibrated model of the service that wrote the logs, with its verdict and self-checks.

    ``logs`` are paths, or traces by their path. ``overrides`` apply to all logs, or to each log by its name.
    ``readings`` are of the process's memory, for a single log, and ``load_test`` is of its requests. Without
    ``fit_check`` the model is not compared with its logs, and the verdict does not include that comparison. Raises
    InputError, naming the log, if calibration refuses a log or the logs are not of one service.
    """
    named = logs if isinstance(logs, Mapping) else {fspath(log): log for log in logs}
    if readings and len(named) > 1:
        raise InputError(
            "a reading of memory belongs to one run: calibrate the log of that run alone, or calibrate all logs"
            " without the reading and give it to gcsim recommend"
        )
    if load_test is not None and len(named) > 1:
        raise InputError("--requests: a load test belongs to one run; calibrate the log of that run alone")
    stated = {log: _stated(log, overrides) for log in named}
    traces = {
        log: one if isinstance(one, Trace) else read_source(fspath(one), stated=stated[log])
        for log, one in named.items()
    }
    found = estimate(traces, name=name or _service_name(traces), overrides=stated, readings=readings)
    diagnosis, checks = diagnose_logs(traces, found, fit_check=fit_check)
    model = with_verdict(found.model, diagnosis)
    fitted = None
    if load_test is not None:
        model, fitted = with_load_test(
            model, load_test, host_memory_seconds=speed_memory_seconds(found.of_reference.evidence)
        )
    elif (result := result_file(found.reference)) is not None:
        model = with_requests(model, result, found.of_reference.evidence)
    return CalibratedService(
        model=model, diagnosis=diagnosis, traces=traces, several=found, checks=checks, requests=fitted
    )


def _name_of(log: Log) -> str:
    return _TRACE if isinstance(log, Trace) else fspath(log)


def _service_name(logs: Iterable[str]) -> str:
    """The first log's file name without its suffixes."""
    file = PurePath(next(iter(logs), _TRACE)).name
    return file.removesuffix(".gz").removesuffix(".log") or _TRACE


def _stated(log: str, overrides: Overrides | Mapping[str, Overrides] | None) -> Overrides:
    """The stated settings of one log; its load driver's result file may also state the loop."""
    one = overrides.get(log) if isinstance(overrides, Mapping) else overrides
    stated = one or Overrides()
    result = result_file(Path(log)) if stated.loop is None else None
    return stated if result is None else replace(stated, loop=loop_of(result))
