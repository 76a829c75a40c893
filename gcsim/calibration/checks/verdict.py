"""The verdict on a calibration: trust, care or distrust, with reasons."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from gcsim.calibration.calibrate import Calibration
from gcsim.calibration.checks.diagnosis import Regime, UnderdeterminedGroup, regimes, weakly_determined
from gcsim.calibration.checks.findings import log_findings
from gcsim.calibration.checks.growth import growing_parts
from gcsim.calibration.log_case import case_of
from gcsim.calibration.pooling import PooledCalibration
from gcsim.calibration.settings.log_settings import LogSettings
from gcsim.calibration.validation import Validation, validate
from gcsim.engine.inputs.bounds import OLDEST_SIMULATED_MINOR
from gcsim.gctrace.trace import Trace
from gcsim.goruntime.versions import rules_for
from gcsim.service.assessment import Assessment, Finding, Growth, Origins, Verdict, by_severity
from gcsim.service.model import Model
from gcsim.settings import Settings

# Relative difference between two runs of one program at one setting on a quiet machine, 90th percentile. A model with
# a smaller error on its own log is as good as a repeated run; an error of three times as much shows a broken model.
_REPEATED_RUN_P90 = {
    "heap_peak_mean_bytes": ("mean heap peak", 0.04),
    "heap_peak_bytes": ("the highest heap peak", 0.05),
    "gc_rate_hz": ("the cycle rate", 0.06),
    "gc_cpu_fraction": ("GC CPU", 0.26),
    "rss_peak_bytes": ("peak resident memory", 0.04),
}
_BROKEN = 3.0
_FACTOR = 0.5  # relative error of a size that counts even inside a wide interval
_REPLICAS, _SEED = 64, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The diagnosis of a calibration: regimes, weak parameters and findings."""

    regimes: tuple[Regime, ...]  # the governing one first
    weak: tuple[UnderdeterminedGroup, ...]
    findings: tuple[Finding, ...]  # the gravest first
    growth: tuple[Growth, ...] = ()
    origins: Origins | None = None

    @property
    def assessment(self) -> Assessment:
        """The part that the model file keeps."""
        return Assessment(findings=self.findings, growth=self.growth, origins=self.origins)

    @property
    def verdict(self) -> Verdict:
        """The verdict of the gravest finding; wide intervals alone do not lower it."""
        return self.assessment.verdict

    @property
    def reasons(self) -> tuple[str, ...]:
        """The sentences behind a verdict other than trust."""
        return self.assessment.reasons


def check_fit(trace: Trace, calibration: Calibration, settings: Settings | None = None) -> Validation | None:
    """The comparison of the model with its own log, at the log's settings and length: a posterior predictive check.

    ``settings`` are the log's, if they differ from the model's. None for Go versions that gcsim does not simulate.
    """
    settings = settings or calibration.model.settings
    if rules_for(settings.go).minor < OLDEST_SIMULATED_MINOR:
        return None
    return validate(calibration.model, trace, settings, replicas=_REPLICAS, seed=_SEED)


def diagnose(calibration: Calibration, check: Validation | None = None) -> Diagnosis:
    """The diagnosis of a calibrated log; ``check`` is the model's comparison with that log."""
    case = replace(calibration.case, model=calibration.model)
    found = [*log_findings(case)]
    if check is not None:
        found += _large_errors(check)
    return Diagnosis(
        regimes=regimes(case),
        weak=weakly_determined(calibration.model, case.trace),
        findings=by_severity(found),
        growth=growing_parts(case.evidence),
        origins=calibration.log.origins,
    )


def assess_log(trace: Trace, log: LogSettings) -> Assessment:
    """Findings and growth of a log that is inspected without calibration; a side file is not required."""
    case = case_of(trace, log)
    found = [finding for finding in log_findings(case) if finding.kind != "no side file"]
    findings = by_severity(found)
    return Assessment(findings=findings, growth=growing_parts(case.evidence), origins=log.origins)


def diagnose_logs(
    traces: Mapping[str, Trace], found: PooledCalibration, *, fit_check: bool = True
) -> tuple[Diagnosis, dict[str, Validation | None]]:
    """The diagnosis of a model of several logs, and its comparison with each log, the reference first.

    Regimes and weak parameters are those of the reference log. Findings are of all logs; those of other logs start with
    the log's name.
    """
    order = [found.reference, *(log for log in traces if log != found.reference)]
    checks: dict[str, Validation | None] = {}
    diagnoses: list[Diagnosis] = []
    for log in order:
        own = found.calibrations[log]
        pooled = replace(own, model=found.model)
        checks[log] = check_fit(traces[log], pooled, own.model.settings) if fit_check else None
        diagnoses.append(diagnose(pooled, checks[log]))
    others = [
        replace(finding, text=f"{log}: {finding.text}")
        for log, one in zip(order[1:], diagnoses[1:], strict=True)
        for finding in one.findings
    ]
    findings = by_severity([*diagnoses[0].findings, *others])
    return replace(diagnoses[0], findings=findings), checks


def with_verdict(model: Model, diagnosis: Diagnosis) -> Model:
    """The model with its assessment; every command that loads the model repeats it."""
    assessment = diagnosis.assessment
    return replace(model, assessment=assessment, provenance={**model.provenance, "verdict": assessment.line})


def _large_errors(check: Validation) -> Iterator[Finding]:
    """Findings for metrics that the model does not reproduce at its own log's settings."""
    for comparison in check.comparisons:
        if comparison.name not in _REPEATED_RUN_P90 or math.isnan(comparison.error):
            continue
        metric, bound = _REPEATED_RUN_P90[comparison.name]
        by_a_factor = comparison.name.endswith("_bytes") and comparison.error > _FACTOR
        if comparison.inside and not by_a_factor:
            continue
        if abs(comparison.error) > bound:
            broken = by_a_factor or abs(comparison.error) > _BROKEN * bound
            yield Finding(
                "own log missed",
                "distrust" if broken else "care",
                f"simulated at the log's own settings, {metric} is {100 * comparison.error:+.0f} % off,"
                f" {'inside' if comparison.inside else 'outside'} its interval: the model lacks a behaviour of this"
                " service",
            )
