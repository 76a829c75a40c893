"""Files read from outside: whatever is wrong with one, the answer is one sentence that names it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from example_service import example_service

from gcsim.calibration.estimate.requests import loop_of
from gcsim.capture.info import CaptureInfo
from gcsim.errors import InputError
from gcsim.service.model import Model
from gcsim.service.objects.kinds_file import read_objects
from gcsim.tuning.sweep_file import read_sweep

DEEP = 100_000
TOML: tuple[Callable[[Path], object], ...] = (Model.load, read_objects)
JSON: tuple[Callable[[Path], object], ...] = (read_sweep, CaptureInfo.load, loop_of)
GCSIM = (sys.executable, "-m", "gcsim")


def refusal(read: Callable[[Path], object], path: Path) -> str:
    with pytest.raises(InputError) as found:
        read(path)
    sentence = str(found.value)
    assert sentence.startswith(f"{path}: ")
    assert len(sentence.splitlines()) == 1
    assert len(sentence) < 500 + len(str(path))
    return sentence


@pytest.mark.parametrize("read", TOML)
@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * DEEP,
        "x = " + "{a=" * DEEP,
        "x = " + "9" * 5000,
        "x = 1" + "0" * 400,
        "x = ",
        "x",
        "[[kind]]\nx = nan",
    ],
)
def test_broken_toml(read: Callable[[Path], object], text: str, tmp_path: Path) -> None:
    """Nested without end, integers of 401 and of 5,000 digits, cut off."""
    path = tmp_path / "broken.toml"
    path.write_text(text)
    refusal(read, path)


@pytest.mark.parametrize("read", JSON)
@pytest.mark.parametrize("text", ["[" * DEEP, '{"runs": ' * DEEP, "9" * 5000, "", "{", "[1]"])
def test_broken_json(read: Callable[[Path], object], text: str, tmp_path: Path) -> None:
    """The same in JSON."""
    path = tmp_path / "broken.json"
    path.write_text(text)
    refusal(read, path)


@pytest.mark.parametrize("read", [read_sweep, loop_of])
@pytest.mark.parametrize("value", ["1" + "0" * 400, "1e999", "NaN", "-Infinity"])
def test_a_number_in_json_that_is_not_finite(
    read: Callable[[Path], object], value: str, tmp_path: Path
) -> None:
    """Named by its key; a side file's values are checked one by one instead."""
    path = tmp_path / "broken.json"
    path.write_text(f'{{"latency": {{"rate": {value}}}}}')
    assert "latency.rate" in refusal(read, path)


@pytest.mark.parametrize("read", TOML + JSON)
def test_a_file_that_is_none(read: Callable[[Path], object], tmp_path: Path) -> None:
    """A folder, bytes that are no text, and a device without end."""
    folder, binary = tmp_path / "folder", tmp_path / "binary"
    folder.mkdir()
    binary.write_bytes(b"\xff\xfe\x00")
    if read != Model.load:  # which looks for a shipped model of that name
        refusal(read, folder)
    refusal(read, binary)
    assert "larger than" in refusal(read, Path("/dev/zero"))


def one_run() -> dict[str, object]:
    estimate = {"value": 1.0, "low": 0.5, "high": 2.0}
    return {
        "settings": {"gogc": 100, "gomemlimit_bytes": None, "gomaxprocs": 2, "go": "1.27"},
        "metrics": dict.fromkeys(("gc_cpu_fraction", "heap_peak_bytes", "rss_peak_bytes"), estimate),
    }


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        (("settings", "gogc"), "100", "gogc"),
        (("settings", "gogc"), 10.5, "gogc"),
        (("settings", "gomaxprocs"), True, "gomaxprocs"),
        (("settings", "go"), "1.999", "1.999"),
        (("settings",), [], "settings"),
        (("metrics",), {}, "gc_cpu_fraction"),
        (("metrics", "rss_peak_bytes"), {"value": 1.0}, "low"),
        (("metrics", "rss_peak_bytes"), {"value": 1.0, "low": 2.0, "high": 3.0}, "rss_peak_bytes"),
        (("metrics", "heap_peak_bytes"), 5, "heap_peak_bytes"),
    ],
)
def test_a_sweep_is_checked_when_it_is_read(
    place: tuple[str, ...], value: object, named: str, tmp_path: Path
) -> None:
    """Not when it is drawn; the sentence names the entry."""
    run = one_run()
    holder = run
    for key in place[:-1]:
        holder = holder[key]  # type: ignore[assignment]
    holder[place[-1]] = value
    path = tmp_path / "sweep.json"
    path.write_text(json.dumps({"runs": [run]}))
    assert named in refusal(read_sweep, path)


def test_a_sweep_of_a_few_runs_cannot_stand_for_a_huge_grid(tmp_path: Path) -> None:
    """1,000 runs with a limit and a GOGC each of their own would make a million settings."""
    runs = [one_run() for _ in range(1000)]
    for number, run in enumerate(runs):
        run["settings"] = {"gogc": number, "gomemlimit_bytes": number, "gomaxprocs": 2, "go": "1.27"}
    path = tmp_path / "sweep.json"
    path.write_text(json.dumps({"runs": runs}))
    assert "1,000,000 settings" in refusal(read_sweep, path)


@pytest.mark.parametrize(
    "entry",
    [
        "size_bytes = inf", "size_bytes = 16.5", "size_bytes = true", "size_bytes = 0", "weight = nan", "weight = -1",
        'weight = "1"', "lifetime = 5", 'lifetime = "soon"', "phases = 0", "phases = 1000000000", "pointers = 1",
        "scannable_bytes = 1000",
    ],
)  # fmt: skip
def test_a_kind_of_object_out_of_range(entry: str, tmp_path: Path) -> None:
    """One of its entries is no such number."""
    kind = {"size_bytes": "64", "weight": "1.0", "lifetime": '"1s"'} | dict([entry.split(" = ")])
    path = tmp_path / "objects.toml"
    path.write_text("[[kind]]\n" + "\n".join(f"{name} = {value}" for name, value in kind.items()))
    refusal(read_objects, path)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (
            "[parameters.live_bytes]\nvalue = ",
            "[parameters.live_bytes]\nvalue = -",
            "live_bytes must be from 1 to",
        ),
        (
            "[parameters.mark_cpu_heap_ratio]\nvalue = ",
            "[parameters.mark_cpu_heap_ratio]\nvalue = 0.0 #",
            "ratio must be",
        ),
        (
            "[parameters.sweep_share]\nvalue = 0",
            "[parameters.sweep_share]\nvalue = 1",
            "sweep_share must be from 0 to",
        ),
        (
            "[parameters.live_bytes]\nvalue = ",
            '[parameters.live_bytes]\nvalue = "1" #',
            "live_bytes: value must be a num",
        ),
        ("[parameters.live_bytes]", "[parameters.old_bytes]", "unknown parameter 'old_bytes'"),
    ],
)
def test_a_parameter_out_of_its_range(old: str, new: str, named: str, tmp_path: Path) -> None:
    """Through the command line: the sentence names the parameter and its range."""
    path = tmp_path / "model.toml"
    example_service().save(path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    done = subprocess.run([*GCSIM, "simulate", path], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert named in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_model_of_an_older_gcsim_says_what_is_missing(tmp_path: Path) -> None:
    """A parameter that did not exist yet; a bound that did not exist yet is none."""
    path = tmp_path / "model.toml"
    example_service().save(path)
    kept = [line for line in path.read_text().splitlines() if not line.startswith("most_allocated_black")]
    path.write_text("\n".join(kept))
    assert float(Model.load(path).scatter.most_allocated_black) == float("inf")
    before, _, after = "\n".join(kept).partition("[parameters.recounted_share]")
    path.write_text(before + after[after.index("[parameters.") :])
    assert "parameter 'recounted_share' is missing, as in models of an older gcsim" in refusal(
        Model.load, path
    )


def test_a_name_that_no_file_can_have() -> None:
    """Too long, or with a null character: as unknown as any other name."""
    for name in ("x" * 5000, "a\0b"):
        with pytest.raises(InputError, match="no such file"):
            Model.load(name)
