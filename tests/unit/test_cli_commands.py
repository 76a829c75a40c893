"""The commands as a user runs them: documents on standard output, files whole, exit status as documented."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from example_service import example_service

import gcsim
from gcsim.cli.main import run
from gcsim.metrics import CYCLE_METRICS, METRICS

QUICK = ["--duration", "30s", "--replicas", "4"]
FIGURES = {"gc-cpu", "memory", "trade-off", "heap", "pauses"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "example.toml"
    example_service().save(path)
    return str(path)


@pytest.fixture(scope="module")
def log(model: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A simulated minute in gctrace format."""
    path = tmp_path_factory.mktemp("log") / "example.log"
    assert run(["simulate", model, "--duration", "60s", "--replicas", "1", "--trace-out", str(path)]) == 0
    return str(path)


def document(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> dict[str, object]:
    """What a command prints with --json: one document and nothing else."""
    capsys.readouterr()
    assert run([*arguments, "--json"]) == status
    found = json.loads(
        capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON")
    )
    assert isinstance(found, dict)
    return found


def test_simulate_prints_settings_and_metrics(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The contract's shape: off is null, every metric has value, low and high."""
    found = document(capsys, "simulate", model, "--gogc", "off", "--gomemlimit", "256MiB", *QUICK)
    assert found["settings"] == {"gogc": None, "gomemlimit_bytes": 256 << 20, "gomaxprocs": 2, "go": "1.27"}
    metrics = found["metrics"]
    assert isinstance(metrics, dict)
    assert set(CYCLE_METRICS) <= set(metrics) <= set(METRICS)
    assert all(set(estimate) == {"value", "low", "high"} for estimate in metrics.values())
    assert set(found) == {"settings", "metrics", "verdict", "verdicts", "findings", "growth"}


def test_simulate_starts_at_the_calibrated_settings(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is not given stays as it was."""
    found = document(capsys, "simulate", model, "--go", "go1.26.6", *QUICK)
    assert found["settings"] == {"gogc": 100, "gomemlimit_bytes": None, "gomaxprocs": 2, "go": "1.26"}


def test_human_output_states_seed_version_and_settings_first(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that a pasted answer can be repeated."""
    assert run(["simulate", model, "--seed", "7", *QUICK]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert all(part in first for part in ("example", "GOGC=100", "Go 1.27", "30s", "4 replicas", "seed 7"))


def test_inspect_reads_what_simulate_wrote(model: str, log: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Observed and predicted use one definition: the simulated log shows what was predicted."""
    observed = document(capsys, "inspect", log)
    assert set(observed) == {
        "settings", "origins", "metrics", "stacks", "globals", "verdict", "verdicts", "findings", "growth",
    }  # fmt: skip
    assert observed["origins"] == {
        "gogc": "inferred", "gomemlimit": "assumed", "gomaxprocs": "logged", "go": "assumed",
    }  # fmt: skip
    predicted = document(capsys, "simulate", model, "--duration", "60s", "--replicas", "16")["metrics"]
    assert isinstance(predicted, dict)
    metrics = observed["metrics"]
    assert isinstance(metrics, dict)
    for name in ("gc_rate_hz", "heap_peak_mean_bytes", "gc_cpu_fraction", "heap_live_mean_bytes"):
        assert predicted[name]["low"] <= metrics[name] <= predicted[name]["high"], name


def test_inspect_of_several_logs_names_each(
    log: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One document all the same."""
    other = tmp_path / "other.log"
    other.write_text(Path(log).read_text())
    found = document(capsys, "inspect", log, str(other))
    logs = found["logs"]
    assert isinstance(logs, list)
    assert [entry["log"] for entry in logs] == [log, str(other)]


def test_standard_input_is_a_log(
    log: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``-`` gives the same document as the file."""
    from_file = document(capsys, "inspect", log)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path(log).read_bytes())))
    assert document(capsys, "inspect", "-") == from_file


def test_calibrate_then_validate_closes_the_circle(
    log: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A model learned from a log predicts that log within five percent."""
    learned = tmp_path / "learned.toml"
    assert run(["calibrate", log, "-o", str(learned), "--gogc", "100"]) == 0
    assert "Self-check: " in capsys.readouterr().out
    found = document(capsys, "validate", str(learned), log, "--max-error", "5%")
    assert found["passed"] is True
    assert {"passed", "logs", "max_error", "broken", "verdict", "verdicts", "findings", "growth"} <= set(
        found
    )


def test_a_limit_stated_to_be_off_is_off_whatever_the_side_file_says(tmp_path: Path) -> None:
    """calibrate --gomemlimit off sets a capture's limit aside; without the option the limit stands."""
    capture = Path(__file__).parents[2] / "experiments" / "captures" / "order-service.log.gz"
    log = tmp_path / capture.name
    log.write_bytes(capture.read_bytes())
    side = json.loads(Path(f"{capture}.meta.json").read_text(encoding="utf-8"))
    Path(f"{log}.meta.json").write_text(json.dumps(side | {"gomemlimit_bytes": 8 << 30}), encoding="utf-8")
    for options, limit in (([], 8 << 30), (["--gomemlimit", "off"], None)):
        learned = tmp_path / "learned.toml"
        assert run(["calibrate", str(log), "-o", str(learned), *options]) == 0
        assert gcsim.Model.load(learned).settings.gomemlimit_bytes == limit


def test_validate_out_of_bounds_exits_with_1(
    model: str, log: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A log said to be of GOGC=400 is far from what the model predicts there."""
    found = document(capsys, "validate", model, log, "--gogc", "400", "--max-error", "10%", status=1)
    assert found["passed"] is False


def test_recommend_exits_with_0_or_1(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    """1 is a negative answer, with its document."""
    keys = ["feasible", "settings", "env", "metrics", "alternatives", "reason"]
    yes = document(capsys, "recommend", model, "--memory", "512MiB", *QUICK)
    assert (list(yes)[:6], yes["feasible"]) == (keys, True)
    assert list(yes)[-4:] == ["verdict", "verdicts", "findings", "growth"]
    no = document(capsys, "recommend", model, "--memory", "64MiB", *QUICK, status=1)
    assert (list(no)[:6], no["feasible"]) == (keys, False)


def test_sweep_writes_every_file_and_the_same_document(
    model: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """JSON on standard output equals sweep.json; figures in both formats; nothing half written is left."""
    out = tmp_path / "out"
    grid = ["--gogc", "50:400:4", "--gomemlimit", "off,128MiB:256MiB:2", "--memory", "256MiB"]
    found = document(capsys, "sweep", model, *grid, "-o", str(out), *QUICK)
    assert json.loads((out / "sweep.json").read_text()) == found
    assert len((out / "sweep.csv").read_text().splitlines()) == 1 + 4 * 3
    expected = {f"{stem}.{kind}" for stem in FIGURES for kind in ("png", "svg")} | {"sweep.json", "sweep.csv"}
    assert {path.name for path in out.iterdir()} == expected


@pytest.mark.usefixtures("only_large")
def test_plot_redraws_a_sweep_byte_for_byte(model: str, tmp_path: Path) -> None:
    """From sweep.json alone; SVG holds no date and no random name."""
    out, again = tmp_path / "out", tmp_path / "again"
    grid = ["--gogc", "50:400:4", "--gomemlimit", "off,128MiB"]
    assert run(["sweep", model, *grid, "-o", str(out), *QUICK]) == 0
    for folder in (again, tmp_path / "third"):
        assert run(["plot", str(out / "sweep.json"), "-o", str(folder)]) == 0
    first = (again / "gc-cpu.svg").read_bytes()
    assert first == (tmp_path / "third" / "gc-cpu.svg").read_bytes()
    assert b"<dc:date>" not in first


def test_plot_draws_a_model_at_chosen_settings(model: str, tmp_path: Path) -> None:
    """Heap over time and pauses."""
    assert run(["plot", model, "--gogc", "50,200", "-o", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"heap.png", "heap.svg", "pauses.png", "pauses.svg"}


def test_report_is_one_page_that_fetches_nothing(model: str, tmp_path: Path) -> None:
    """Figures, style and scripts are inside; no element names another file."""
    page = tmp_path / "page.html"
    assert run(["report", model, "--gogc", "50,200", "--memory", "512MiB", "-o", str(page), *QUICK]) == 0
    text = page.read_text()
    assert text.count('<img class="still"') == 6
    assert "GOMEMLIMIT" in text
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert set(re.findall(r'(?:src|href)="([^"#]{1,19})', markup)) == {"data:image/svg+xml,"}
    for outside in ("<link", "@import", "<iframe", "<script src"):
        assert outside not in text


def test_a_reader_that_leaves_early_is_no_failure(model: str) -> None:
    """``gcsim sweep … | head -1``: no traceback, status 0."""
    command = f"{sys.executable} -m gcsim sweep {model} --gogc 50:400:9 --duration 30s | head -1"
    found = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=900
    )
    assert found.stdout.startswith("example on Go 1.27")
    progress = r"gcsim: sweep: (\d+ of \d+ settings, )?\d+ s\n"  # on a slow machine
    assert (found.returncode, re.sub(progress, "", found.stderr)) == (0, "")


def test_the_same_seed_gives_the_same_bytes_in_another_process(model: str) -> None:
    """Whatever the hash seed."""
    outputs = [
        subprocess.run(
            [sys.executable, "-m", "gcsim", "simulate", model, "--json", *QUICK],
            capture_output=True,
            timeout=900,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]


def test_every_public_name_can_be_imported() -> None:
    """The pipeline in Python."""
    assert {"read_gctrace", "calibrate", "simulate", "sweep", "recommend", "Settings", "Model"} <= set(
        gcsim.__all__
    )
    for name in gcsim.__all__:
        assert getattr(gcsim, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        gcsim.__getattr__("simulat")


def test_only_report_imports_matplotlib() -> None:
    """Every other room works where it is not wanted."""
    package = Path(gcsim.__file__).parent
    users = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        if re.search(r"^\s*(import|from) matplotlib", path.read_text(), re.MULTILINE)
    }
    assert users == {"report"}


def test_two_logs_of_one_name_are_both_drawn(log: str, tmp_path: Path) -> None:
    """Each under its path, in the panels and in the legend; Matplotlib notes each text in a comment."""
    logs = [tmp_path / folder / "app.log" for folder in ("one", "two")]
    for path in logs:
        path.parent.mkdir()
        path.write_text(Path(log).read_text())
    assert run(["inspect", *map(str, logs), "-o", str(tmp_path / "out")]) == 0
    for figure in ("heap.svg", "pauses.svg"):
        drawn = (tmp_path / "out" / figure).read_text(encoding="utf-8")
        assert all(f"<!-- {path}: " in drawn for path in logs)


@pytest.mark.parametrize("name", ["$\\frac{$", "a$b$c_"])
def test_a_dollar_sign_in_a_models_name_is_drawn(name: str, model: str, tmp_path: Path) -> None:
    """It is text, not mathematics."""
    named = tmp_path / "named.toml"
    text = Path(model).read_text(encoding="utf-8")
    named.write_text(text.replace('name = "example"', f"name = '{name}'", 1), encoding="utf-8")
    assert run(["plot", str(named), "--gogc", "50,200", "-o", str(tmp_path / "out")]) == 0
    assert name in (tmp_path / "out" / "heap.svg").read_text(encoding="utf-8")
