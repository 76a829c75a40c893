"""The fit report: what a reader must find in it, and figures that open."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from example_service import example_log
from rich.console import Console

from gcsim.atomic import replacing_set
from gcsim.calibration.calibrate import Calibration, calibrate
from gcsim.calibration.checks.verdict import Diagnosis, check_fit, diagnose
from gcsim.calibration.validation import Validation
from gcsim.cli.main import run
from gcsim.gctrace import Trace, read_gctrace
from gcsim.metrics import METRIC_LABELS
from gcsim.report.fit_figures import residuals, write_fit_figures
from gcsim.report.fit_report import fit_report
from gcsim.service.parameters import PARAMETER_NAMES

Fit = tuple[Trace, Calibration, Diagnosis, Validation]


@pytest.fixture(scope="module")
def fit() -> Fit:
    """The made-up service, calibrated and held against its own log."""
    trace = read_gctrace(io.BytesIO(example_log().encode()))
    found = calibrate(trace, name="example")
    check = check_fit(trace, found)
    assert check is not None
    return trace, found, diagnose(found, check), check


def text_of(fit: Fit, *, width: int = 120) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(fit_report(*fit))
    return file.getvalue()


def test_the_verdict_comes_first(fit: Fit) -> None:
    """A reader of one line reads the verdict."""
    first = text_of(fit).splitlines()[0].rstrip()
    assert first == f"example: {fit[2].verdict} ({fit[2].assessment.parts})"


def test_every_parameter_and_metric_is_in_the_report(fit: Fit) -> None:
    """Nothing learned or checked is left out."""
    text = text_of(fit)
    assert all(re.search(rf"^{name} ", text, re.MULTILINE) for name in PARAMETER_NAMES)
    assert all(METRIC_LABELS[item.name] in text for item in fit[3].comparisons)


def test_a_report_to_a_file_is_plain(fit: Fit) -> None:
    """No escape codes where no terminal shows them."""
    assert "\x1b" not in text_of(fit)


def test_the_model_holds_its_own_log(fit: Fit) -> None:
    """A fit to a service that follows the model's rules gives its log back, most of it inside 90 % intervals."""
    inside = [item.inside for item in fit[3].comparisons]
    assert sum(inside) >= 0.8 * len(inside)


def test_residuals_are_of_every_cycle_and_about_nothing(fit: Fit) -> None:
    """Live heap, allocation rate and mark CPU leave a mean near zero where nothing moves."""
    trace, found, _, _ = fit
    panels = residuals(trace, found)
    assert [panel.percent.size for panel in panels] == [
        len(found.evidence), len(found.evidence) - 1, len(found.evidence), len(found.evidence),
    ]  # fmt: skip
    assert all(abs(float(np.mean(panel.percent))) < 5.0 for panel in panels[:3])


def test_calibrate_writes_model_and_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints a summary, or the report with --verbose, keeps the verdict and draws what was asked for."""
    log = tmp_path / "service.log"
    log.write_text(example_log())
    figures = tmp_path / "figures"
    assert run(["calibrate", str(log), "-o", str(tmp_path / "m.toml"), "--figures", str(figures)]) == 0
    assert "the model against its own log" not in capsys.readouterr().out
    assert run(["calibrate", str(log), "-o", str(tmp_path / "m.toml"), "--verbose"]) == 0
    assert "the model against its own log" in capsys.readouterr().out
    assert "verdict" in (tmp_path / "m.toml").read_text()
    assert {path.name for path in figures.iterdir()} == {
        "residuals.png", "residuals.svg", "check.png", "check.svg",
    }  # fmt: skip


@pytest.mark.usefixtures("only_large")
def test_the_same_fit_gives_the_same_figures(fit: Fit, tmp_path: Path) -> None:
    """Same log, same bytes."""
    written = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        with replacing_set(tmp_path / name) as files:
            paths = write_fit_figures(fit[0], fit[1], fit[3], files)
        written.append([path.read_bytes() for path in paths])
    assert written[0] == written[1]
