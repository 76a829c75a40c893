"""One calibration pipeline: the command line, the Python API and the experiments give the same model."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

import gcsim
from experiments.archive import unpacked
from gcsim.errors import InputError
from gcsim.gctrace import read_gctrace
from gcsim.service.model import Model

CAPTURES = unpacked(Path(__file__).parents[2] / "experiments" / "validation" / "captures")
SCRIPT = Path(sys.executable).with_name("gcsim")
ORDERS = CAPTURES / "orders-go1.27.3-gogc100-limitoff-p2-r1.log.gz"
ORDERS_400 = CAPTURES / "orders-go1.27.3-gogc400-limitoff-p2-r1.log.gz"


def old_log() -> str:
    """Forty cycles as Go 1.6 to 1.17 print them."""
    return "".join(
        f"gc {n} @{0.5 * n:.3f}s 4%: 0.030+{11 + n % 5}+0.040 ms clock, 0.060+{n % 3}.0/10/2.0+0.080 ms cpu,"
        f" {90 + n % 4}->{92 + n % 4}->{50 + n % 3} MB, 100 MB goal, 2 P\n"
        for n in range(1, 41)
    )


def command(tmp_path: Path, *arguments: str, status: int | None = None) -> tuple[bytes, str]:
    """The model file that the installed command writes, and its standard output."""
    model = tmp_path / "command.toml"
    done = subprocess.run(
        [SCRIPT, "calibrate", *arguments, "--name", "service", "-o", model],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in ((0, 1) if status is None else (status,)), done.stderr
    return model.read_bytes(), done.stdout


def saved(found: gcsim.CalibratedService, tmp_path: Path) -> bytes:
    found.model.save(tmp_path / "api.toml")
    return (tmp_path / "api.toml").read_bytes()


def test_a_bare_old_log_gives_the_same_file_from_both(tmp_path: Path) -> None:
    """The Go version of a 1.6-format log is one inference, whoever asks."""
    log = tmp_path / "old.log"
    log.write_text(old_log())
    by_command, _ = command(tmp_path, str(log))
    assert saved(gcsim.calibrate(log, name="service"), tmp_path) == by_command
    trace = read_gctrace(io.BytesIO(old_log().encode()))
    found = gcsim.calibrate(trace, name="service")
    assert saved(found, tmp_path) == by_command
    assert found.model.settings.go == "1.17"
    assert found.settings.origins.go == "assumed"


def test_a_captured_log_gives_the_same_file_from_both(tmp_path: Path) -> None:
    """With its side file, its verdict, and the figures of the load driver beside it."""
    by_command, _ = command(tmp_path, str(ORDERS))
    found = gcsim.calibrate(ORDERS, name="service")
    assert saved(found, tmp_path) == by_command
    assert found.model.requests is not None
    assert found.check is not None


def test_several_logs_give_the_same_file_from_both(tmp_path: Path) -> None:
    """In whatever form the API is given them."""
    paths = (str(ORDERS), str(ORDERS_400))
    by_command, _ = command(tmp_path, *paths)
    assert saved(gcsim.calibrate_service(paths, name="service"), tmp_path) == by_command
    traces = {path: read_gctrace(path) for path in paths}
    assert saved(gcsim.calibrate_logs(traces, name="service"), tmp_path) == by_command


def test_the_experiments_use_the_same_model() -> None:
    """Their models differ from a user's in nothing but the verdict, which they do not need."""
    trace = read_gctrace(ORDERS)
    checked = gcsim.calibrate(trace, name="service")
    unchecked = gcsim.calibrate(trace, name="service", fit_check=False)
    assert unchecked.check is None
    assert checked.model.parameters == unchecked.model.parameters
    assert checked.model.settings == unchecked.model.settings


def test_json_is_one_document_with_verdict_settings_and_intervals(tmp_path: Path) -> None:
    """For scripts: nothing else on standard output, origins beside settings, an interval for each parameter."""
    _, printed = command(tmp_path, str(ORDERS), "--json")
    found = json.loads(printed)
    assert found["verdict"] in ("trust", "trust with care", "do not trust")
    assert found["settings"]["gogc"] == 100
    assert set(found["origins"].values()) == {"captured"}
    assert found["growth"] == []
    parameters = found["parameters"]
    assert all(set(one) == {"value", "low", "high", "source"} for one in parameters.values())
    assert all(one["low"] <= one["value"] <= one["high"] for one in parameters.values())
    assert found["logs"][0]["check"]["metrics"]["heap_peak_bytes"]["observed"] > 0


def test_a_refused_log_is_named() -> None:
    """The sentence begins with the path."""
    with pytest.raises(InputError, match=r"gogc400.*stated or assumed"):
        gcsim.calibrate(ORDERS_400, overrides=gcsim.Overrides(gogc=100))


def test_both_loops_at_once_are_refused(tmp_path: Path) -> None:
    """One sentence, status 2."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "gcsim",
            "calibrate",
            ORDERS,
            "-o",
            tmp_path / "m.toml",
            "--open-loop",
            "--closed-loop",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "exclude each other" in done.stderr


def test_the_model_file_keeps_the_assessment_as_data(tmp_path: Path) -> None:
    """Findings, growth and origins come back; a verdict that contradicts its findings is refused."""
    found = gcsim.calibrate(CAPTURES / "leak-go1.27.3-gogc100-limitoff-p2-r1.log.gz", name="leak")
    path = tmp_path / "m.toml"
    found.model.save(path)
    assert Model.load(path).assessment == found.assessment
    assert found.assessment.growth[0].bytes_per_second > 2**20
    text = path.read_text()
    path.write_text(text.replace('verdict = "do not trust"', 'verdict = "trust"'))
    with pytest.raises(InputError, match="its findings give 'do not trust'"):
        Model.load(path)


def test_an_older_model_keeps_its_verdict(tmp_path: Path) -> None:
    """Before there was a section, the verdict was a line of the provenance."""
    found = gcsim.calibrate(ORDERS, name="service", fit_check=False)
    found.model.save(tmp_path / "m.toml")
    text = (tmp_path / "m.toml").read_text()
    start, end = text.index("[assessment]"), text.index("[profile]")
    older = text[:start] + text[end:]
    line = next(one for one in older.splitlines() if one.startswith("verdict = "))
    (tmp_path / "m.toml").write_text(older.replace(line, 'verdict = "do not trust: throttled"'))
    read = Model.load(tmp_path / "m.toml").assessment
    assert read is not None
    assert (read.verdict, read.line) == ("do not trust", "do not trust: throttled")
