"""The verdict on a fit: trust, trust with care, or do not trust, and why."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from gcsim.calibration.calibrate import Calibration
from gcsim.calibration.diagnosis import (
    Finding,
    Regime,
    Severity,
    Weak,
    regimes,
    weakly_determined,
)
from gcsim.calibration.findings import log_findings
from gcsim.calibration.several import Several
from gcsim.calibration.validation import Validation, validate
from gcsim.engine.simulate import OLDEST_SIMULATED_MINOR
from gcsim.gctrace.trace import Trace
from gcsim.goruntime.versions import rules_for
from gcsim.settings import Settings
from gcsim.workload.model import Model

Verdict = Literal["trust", "trust with care", "do not trust"]

# How far the same program at the same setting, run again on a quiet machine, is off in one run of ten: a model that
# misses its own log by less is as good as a repeated run, one that misses by thrice as much is broken.
_REPEATED_RUN_P90 = {
    "heap_peak_mean_bytes": ("mean heap peak", 0.04),
    "gc_rate_hz": ("the cycle rate", 0.06),
    "gc_cpu_fraction": ("GC CPU", 0.26),
    "rss_peak_bytes": ("peak resident memory", 0.04),
}
_BROKEN = 3.0
_REPLICAS, _SEED = 64, 1
_ORDER: dict[Severity, int] = {"distrust": 0, "care": 1, "note": 2}
_WORDS: dict[Severity, Verdict] = {"note": "trust", "care": "trust with care", "distrust": "do not trust"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What to make of a calibration."""

    regimes: tuple[Regime, ...]  # the governing one first
    weak: tuple[Weak, ...]
    findings: tuple[Finding, ...]  # the gravest first

    @property
    def verdict(self) -> Verdict:
        """That of the gravest finding; wide intervals speak for themselves and are no reason for distrust."""
        severities = {finding.severity for finding in self.findings}
        gravest: Severity = (
            "distrust" if "distrust" in severities else "care" if "care" in severities else "note"
        )
        return _WORDS[gravest]

    @property
    def reasons(self) -> tuple[str, ...]:
        """The sentences behind a verdict other than trust."""
        return tuple(finding.text for finding in self.findings if finding.severity != "note")


def check_fit(trace: Trace, calibration: Calibration, settings: Settings | None = None) -> Validation | None:
    """The model simulated at its log's own settings and length, set beside the log: a posterior predictive check.

    ``settings`` are the log's where they are not the model's. None for Go versions that are read but not simulated.
    """
    settings = settings or calibration.model.settings
    if rules_for(settings.go).minor < OLDEST_SIMULATED_MINOR:
        return None
    return validate(calibration.model, trace, settings, replicas=_REPLICAS, seed=_SEED)


def diagnose(trace: Trace, calibration: Calibration, check: Validation | None = None) -> Diagnosis:
    """Regime, weak spots and findings of a calibrated log; ``check`` is the model held against that same log."""
    found = [*log_findings(trace, calibration)]
    if check is not None:
        found += _misses(check)
    return Diagnosis(
        regimes=regimes(trace, calibration.window, calibration.evidence, calibration.model.settings),
        weak=weakly_determined(calibration.model, trace),
        findings=tuple(sorted(found, key=lambda finding: _ORDER[finding.severity])),
    )


def diagnose_logs(
    traces: Mapping[str, Trace], found: Several
) -> tuple[Diagnosis, dict[str, Validation | None]]:
    """The diagnosis of a model of several logs, and the model held against each of them, the reference first.

    Regimes and weak spots are the reference's; findings are of every log, and the others' name theirs.
    """
    order = [found.reference, *(log for log in traces if log != found.reference)]
    checks: dict[str, Validation | None] = {}
    diagnoses: list[Diagnosis] = []
    for log in order:
        own = found.calibrations[log]
        checks[log] = check_fit(traces[log], replace(own, model=found.model), own.model.settings)
        diagnoses.append(diagnose(traces[log], replace(own, model=found.model), checks[log]))
    others = [
        replace(finding, text=f"{log}: {finding.text}")
        for log, one in zip(order[1:], diagnoses[1:], strict=True)
        for finding in one.findings
    ]
    findings = sorted([*diagnoses[0].findings, *others], key=lambda finding: _ORDER[finding.severity])
    return replace(diagnoses[0], findings=tuple(findings)), checks


def marked(model: Model, diagnosis: Diagnosis) -> Model:
    """The model with its verdict in the provenance, so that whoever is handed the file reads it."""
    text = diagnosis.verdict + (f": {diagnosis.reasons[0]}" if diagnosis.reasons else "")
    return replace(model, provenance={**model.provenance, "verdict": text})


def _misses(check: Validation) -> Iterator[Finding]:
    """Where the model does not give back the log that it was learned from."""
    for comparison in check.comparisons:
        if comparison.name not in _REPEATED_RUN_P90 or math.isnan(comparison.error) or comparison.inside:
            continue
        what, bound = _REPEATED_RUN_P90[comparison.name]
        if abs(comparison.error) > bound:
            yield Finding(
                "own log missed",
                "distrust" if abs(comparison.error) > _BROKEN * bound else "care",
                f"simulated at the log's own settings, {what} comes out {100 * comparison.error:+.0f} % off, outside"
                " its interval: something in this service is not in the model",
            )
