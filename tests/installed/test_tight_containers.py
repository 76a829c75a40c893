"""Container memory through the installed command: a tight container of a server whose memory nobody measured."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from installed_script import Installed

from gcsim.units import MIB

QUICK = ("--duration", "30s", "--replicas", "8")


def server_log(live_mib: int = 20) -> str:
    """A server on two Ps with 20 MiB of live heap at GOGC=100, as caddy under load."""
    generator = np.random.default_rng(1)
    lines, now_s, marked = [], 0.2, live_mib
    for number in range(1, 201):
        goal = 2 * marked
        now_s += 0.35 * generator.normal(1.0, 0.05)
        mark, work = generator.normal(9.0, 0.5), generator.normal(14.0, 0.7)
        following = live_mib + int(generator.integers(0, 2))
        lines.append(
            f"gc {number} @{now_s:.3f}s 3%: 0.050+{mark:.2g}+0.060 ms clock, 0.10+1.1/{work:.3g}/3.0+0.12 ms cpu,"
            f" {goal - 3}->{goal - 1}->{following} MB, {goal} MB goal, 0 MB stacks, 0 MB globals, 2 P\n"
        )
        marked, now_s = following, now_s + 0.009
    return "".join(lines)


@pytest.fixture(scope="module")
def models(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the models of the bare log and of the log with a capture's side file."""
    folder = tmp_path_factory.mktemp("server")
    side = {
        "gogc": 100,
        "go_version": "go1.27.3",
        "gomaxprocs": 2,
        "rss_peak_bytes": 82 * MIB,
        "anonymous_peak_bytes": 46 * MIB,
        "file_peak_bytes": 36 * MIB,
        "shared_peak_bytes": 0,
    }
    for name in ("bare", "captured"):
        log = folder / f"{name}.log"
        log.write_text(server_log())
        if name == "captured":
            Path(f"{log}.meta.json").write_text(json.dumps(side))
        found = installed.run("calibrate", log, "--open-loop", "-o", folder / f"{name}.toml")
        assert found.returncode == 0, found.stderr
    return folder


def document(installed: Installed, *arguments: str | Path) -> tuple[int, Any]:
    found = installed.run(*arguments, "--json")
    return found.returncode, json.loads(found.stdout)


def test_calibrate_says_that_memory_is_unknown(models: Path, installed: Installed) -> None:
    """In the first line, with the verdict on CPU next to it."""
    found = installed.run("calibrate", models / "bare.log", "--open-loop", "-o", models / "again.toml")
    assert found.stdout.startswith("again: trust with care (memory: unknown; CPU: trust)\n")


def test_a_tight_container_gets_no_setting_that_could_stall_it(models: Path, installed: Installed) -> None:
    """From the bare log 64 MiB get a setting that leaves room for 36 MiB of text, or none."""
    status, found = document(installed, "recommend", models / "bare.toml", "--memory", "64MiB", *QUICK)
    assert status == (0 if found["feasible"] else 1)
    assert found["verdicts"]["memory"] == "unknown"
    if found["feasible"]:
        metrics, hot_bytes = found["metrics"], 0.6 * 36 * MIB
        assert metrics["container_peak_bytes"]["high"] <= 64 * MIB
        assert metrics["anonymous_peak_bytes"]["value"] + hot_bytes + 2 * MIB <= 64 * MIB
        limit = found["settings"]["gomemlimit_bytes"]
        assert limit is None or limit + found["memory"]["not_counted_bytes"]["high"] <= 64 * MIB


def test_a_container_that_only_a_usual_program_fits_is_not_answered(
    models: Path, installed: Installed
) -> None:
    """gcsim cannot know: no setting to paste, and the reading that would narrow the answer, with its MiB."""
    found = installed.run("recommend", models / "bare.toml", "--memory", "48MiB", *QUICK)
    flat = " ".join(found.stdout.split())
    assert found.returncode == 1
    assert "gcsim cannot know whether a setting fits 48 MiB" in flat
    assert re.search(
        r"--working-set, or gcsim capture, would free about [\d.]+ MiB of the 48 MiB in a usual program", flat
    )
    assert not re.search(r"^\s*(GOGC|GOMEMLIMIT)=", found.stdout, re.M)


def test_a_reading_narrows_the_answer(models: Path, installed: Installed) -> None:
    """With --working-set the same container gets a setting, and memory is not unknown any more."""
    asked = ("recommend", models / "bare.toml", "--memory", "52MiB", *QUICK)
    status, bare = document(installed, *asked)
    assert (status, bare["feasible"]) == (1, False)
    status, read = document(installed, *asked, "--working-set", "46MiB")
    assert (status, read["feasible"]) == (0, True)
    assert read["verdicts"]["memory"] == "trust with care"
    assert read["memory"]["source"] == "reading"
    width = {
        name: found["memory"]["outside_heap_bytes"]["high"] - found["memory"]["outside_heap_bytes"]["low"]
        for name, found in (("bare", bare), ("read", read))
    }
    assert width["read"] < 0.7 * width["bare"]


def test_the_reason_names_the_quantity_and_its_parts(models: Path, installed: Installed) -> None:
    """With a capture: container memory, divided into anonymous memory, hot file pages and kernel memory."""
    found = installed.run("recommend", models / "captured.toml", "--memory", "128MiB", *QUICK)
    flat = " ".join(found.stdout.split())
    assert found.returncode == 0
    assert re.search(
        r"Compared with the 128 MiB is container memory: [\d.]+ MiB at the median, of which [\d.]+ MiB is anonymous"
        r" memory, [\d.]+ MiB hot file pages and [\d.]+ [KM]iB kernel memory\.",
        flat,
    )
    assert "Without a memory reading" not in flat
    _, whole = document(installed, "recommend", models / "captured.toml", "--memory", "128MiB", *QUICK)
    split, metrics = whole["memory"]["split"], whole["metrics"]
    assert sum(split.values()) == pytest.approx(metrics["container_peak_bytes"]["value"], rel=0.05)
    assert split["hot_file_bytes"] < 36 * MIB
    assert whole["verdicts"] == {"memory": "trust", "cpu": "trust"}


def test_a_sweep_shows_all_three_quantities(models: Path, installed: Installed) -> None:
    """In the table, within 80 columns, and in the document."""
    asked = ("sweep", models / "captured.toml", "--gogc", "50,100", "--memory", "80MiB", *QUICK)
    text = installed.run(*asked).stdout
    head = next(line for line in text.splitlines() if line.startswith("GOGC"))
    assert head.split()[-5:] == ["RSS", "anonymous", "container", "95th", "pct"]
    assert max(map(len, text.splitlines())) <= 80
    _, found = document(installed, *asked)
    for run in found["runs"]:
        sizes = [run["metrics"][f"{name}_peak_bytes"]["value"] for name in ("anonymous", "container", "rss")]
        assert sizes == sorted(sizes)


def test_a_model_of_an_older_gcsim_is_to_be_calibrated_again(models: Path, installed: Installed) -> None:
    """It lacks the parameters of file pages, and its prior of memory was too low for real programs."""
    text = (models / "bare.toml").read_text()
    older = re.sub(r"\[parameters\.file_resident_bytes\]\n(?:.+\n)+\n?", "", text)
    assert older != text
    (models / "older.toml").write_text(older)
    found = installed.run("recommend", models / "older.toml", "--memory", "64MiB")
    assert found.returncode == 2
    assert "file_resident_bytes" in found.stderr
    assert "calibrate the model again" in found.stderr
