"""Several logs of one service: what they share is pooled, what only they show together is found, others are refused."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from experiments.archive import unpacked
from experiments.recovery.logs import logged
from experiments.recovery.services import Service, at_gogc, draw_batch
from gcsim.calibration.checks.verdict import diagnose_logs
from gcsim.calibration.pooling import PooledCalibration, calibrate_logs
from gcsim.calibration.settings.log_settings import Overrides
from gcsim.calibration.stats.random_effects import pooled
from gcsim.calibration.validation import validate
from gcsim.cli.main import run
from gcsim.errors import InputError
from gcsim.gctrace import Trace, read_gctrace
from gcsim.gctrace.writer import write_gctrace
from gcsim.service.model import Model
from gcsim.service.parameters import Parameter
from gcsim.settings import Settings
from gcsim.streams import stream
from gcsim.units import MIB

CAPTURES = unpacked(Path(__file__).parents[2] / "experiments" / "validation" / "captures")
EXPONENT, SWEEP, KEPT = 0.4, 2e-10, 1.008


def service(gogc: int) -> Service:
    """A closed loop with room before its goal, whose exponent and cost of sweeping lie off their priors."""
    batches = (draw_batch(stream(1, "service of several logs", number), 1)[0] for number in range(20))
    drawn = next(one for one in batches if one.model.loop == "closed")
    parameters = replace(
        drawn.model.parameters,
        live_bytes=Parameter(100.0 * MIB),
        live_per_doubling=Parameter(KEPT),
        stack_bytes=Parameter(1.0 * MIB),
        globals_bytes=Parameter(1.0 * MIB),
        mark_cpu_seconds=Parameter(0.08),
        mark_cpu_heap_exponent=Parameter(EXPONENT),
        mark_cpu_heap_ratio=Parameter(2.0),
        mark_background_procs=Parameter(0.5),
        assist_cpu_seconds=Parameter(0.004),
        alloc_bytes_per_cpu_second=Parameter(200.0 * MIB),
        mark_alloc_efficiency=Parameter(0.8),
        sweep_cpu_seconds_per_byte=Parameter(SWEEP),
        mutator_procs=Parameter(2.0),
    )
    model = replace(drawn.model, settings=Settings(gogc=100, gomaxprocs=2), parameters=parameters)
    return at_gogc(replace(drawn, model=model, cycles=300, pacer_lines=True), gogc)


@cache
def log_at(gogc: int) -> Trace:
    """Mark CPU is stated at the heap of GOGC=100 in every log, so none of them is settled anew."""
    return logged([service(gogc)], gogc, settle=False)[0].trace


def several(*gogcs: int) -> PooledCalibration:
    traces = {f"gogc-{gogc}.log": log_at(gogc) for gogc in gogcs}
    stated = {f"gogc-{gogc}.log": Overrides(gogc=gogc, gomaxprocs=2, go="1.27") for gogc in gogcs}
    return calibrate_logs(traces, name="service", overrides=stated)


def test_one_log_is_calibrated_as_ever() -> None:
    """Pooling changes nothing where there is nothing to pool."""
    found = several(100)
    assert found.model is found.of_reference.model
    assert found.model.parameters == found.calibrations["gogc-100.log"].model.parameters


@pytest.mark.parametrize(
    ("name", "truth", "narrower"),
    [
        ("mark_cpu_heap_exponent", EXPONENT, 0.5),
        ("sweep_cpu_seconds_per_byte", SWEEP, 0.8),
        ("live_per_doubling", KEPT, 1.05),  # far out of its prior: moved, and no narrower
    ],
)
def test_another_gogc_shows_what_one_log_cannot(name: str, truth: float, narrower: float) -> None:
    """Logs at GOGC=50 and 400 beside that at 100: a prior becomes narrower or moves, and the truth is inside."""
    alone: Parameter = getattr(several(100).model.parameters, name)
    together: Parameter = getattr(several(50, 100, 400).model.parameters, name)
    assert alone.is_prior
    assert together.rel_sd * together.value < narrower * alone.rel_sd * max(alone.value, together.value)
    assert abs(together.value - truth) < 2.0 * together.rel_sd * together.value
    assert abs(together.value - truth) < abs(alone.value - truth)


def test_the_settings_are_those_nearest_to_gogc_100() -> None:
    """In whatever order the logs are named; and the provenance names them all."""
    for order in ((400, 100, 50), (50, 400), (100, 400)):
        found = several(*order)
        nearest = {(400, 100, 50): 100, (50, 400): 50, (100, 400): 100}[order]
        assert found.model.settings.gogc == nearest
        assert all(f"gogc-{gogc}.log" in found.model.provenance["logs"] for gogc in order)


def test_logs_that_agree_narrow_and_logs_that_differ_widen() -> None:
    """The mean of many that agree is better known than each; of two far apart, worse."""
    errors = np.full(8, 0.02)
    assert pooled(np.zeros(8) + 0.005 * np.arange(8), errors).sds[0] < 0.02
    assert pooled(np.array([0.0, 0.2]), errors[:2]).sds[0] > 0.1


def test_coefficients_follow_the_more_precise_of_prior_and_logs() -> None:
    """A slope that logs determine is theirs; one that they cannot see is the prior's."""
    prior = {"prior_means": np.array([0.0, 0.2]), "prior_sds": np.array([1e6, 0.1])}
    place, errors = np.arange(6.0), np.full(6, 1e-3)
    seen = pooled(0.3 * place, errors, np.stack([np.ones(6), place], axis=1), **prior)
    blind = pooled(np.zeros(6), errors, np.stack([np.ones(6), np.zeros(6)], axis=1), **prior)
    assert seen.coefficients[1] == pytest.approx(0.3, abs=0.005)
    assert seen.sds[1] < 0.02
    assert (blind.coefficients[1], blind.sds[1]) == pytest.approx((0.2, 0.1))


def test_logs_of_another_service_are_refused() -> None:
    """In one sentence that names both logs and what tells them apart."""
    bigger = replace(service(100), cycles=60)
    parameters = replace(
        bigger.model.parameters, live_bytes=Parameter(200.0 * MIB), mark_cpu_seconds=Parameter(0.16)
    )
    other = logged([replace(bigger, model=replace(bigger.model, parameters=parameters))], 7)[0].trace
    stated = Overrides(gogc=100, gomaxprocs=2)
    logs = {"small.log": log_at(100), "big.log": other}
    with pytest.raises(
        InputError, match=r"big\.log and small\.log are not of one service: their live heaps differ"
    ):
        calibrate_logs(logs, name="s", overrides=dict.fromkeys(logs, stated))
    versions = {"small.log": replace(stated, go="1.24"), "big.log": replace(stated, go="1.27")}
    with pytest.raises(InputError, match="their Go versions differ"):
        calibrate_logs(logs, name="s", overrides=versions)


def test_every_log_s_findings_are_in_the_verdict() -> None:
    """A weakness of the second log speaks against the model of both, by its name."""
    found = several(100, 400)
    traces = {log: (log_at(100) if "100" in log else log_at(400)) for log in found.calibrations}
    short = {log: replace(t, cycles=t.cycles, info=None) for log, t in traces.items()}
    diagnosis, checks = diagnose_logs(short, found)
    assert list(checks) == ["gogc-100.log", "gogc-400.log"]
    others = [finding.text for finding in diagnosis.findings if finding.text.startswith("gogc-400.log: ")]
    assert all("gogc-100.log" not in text for text in others)


def test_the_command_takes_several_logs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One model file, whose provenance names the logs, and a report that holds it against each."""
    paths = []
    for gogc in (100, 400):
        paths.append(str(tmp_path / f"gogc-{gogc}.log"))
        write_gctrace(log_at(gogc), paths[-1])
        _side_file(gogc, Path(paths[-1]))
    assert run(["calibrate", *paths, "-o", str(tmp_path / "m.toml")]) == 0
    model = Model.load(tmp_path / "m.toml")
    assert model.settings.gogc == 100
    assert "gogc-400.log" in model.provenance["logs"]
    shown = " ".join(capsys.readouterr().out.split())
    assert f"Self-check of {paths[1]}: " in shown


def _side_file(gogc: int, log: Path) -> None:
    """What gcsim capture would have written beside the log."""
    from gcsim.capture.info import CaptureInfo, side_file

    CaptureInfo(
        gogc=gogc, gomemlimit_bytes=None, gomaxprocs=2, go_version="go1.27.3", go="1.27", rss_peak_bytes=0,
        start_time="simulated", wall_seconds=1.0, cpu_seconds=0.0, exit_status=0, command=[], foreign_cpu_fraction=0.0,
    ).save(side_file(log))  # fmt: skip


def capture(gogc: int) -> Trace:
    return read_gctrace(str(CAPTURES / f"orders-go1.27.3-gogc{gogc}-limitoff-p2-r1.log.gz"))


def test_two_real_logs_predict_a_third_as_well_as_one() -> None:
    """The order service at GOGC 100 and 400, held against 25: the mean error of size, pace and GC CPU does not grow."""
    logs = {f"{gogc}": capture(gogc) for gogc in (100, 400)}
    third = capture(25)
    assert third.info is not None

    def error(model: Model) -> float:
        found = validate(model, third, third.info.settings, replicas=32, seed=1)
        chosen = ("heap_peak_mean_bytes", "gc_rate_hz", "gc_cpu_fraction", "rss_peak_bytes")
        return float(np.mean([abs(c.error) for c in found.comparisons if c.name in chosen]))

    one = error(calibrate_logs({"100": logs["100"]}, name="orders").model)
    assert error(calibrate_logs(logs, name="orders").model) < one + 0.02
