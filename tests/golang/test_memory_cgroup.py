"""Real programs in memory cgroups live at the recommended setting, and fail at one that is predicted not to fit."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from go_toolchain import GoToolchain
from memory_cgroup import memory_cgroup

from experiments.capture import RunPlan
from experiments.cgroup import drop_page_cache, wait_bounded
from experiments.software import packages
from experiments.software.cases import CASE
from experiments.software.contained import ContainedPlan, run_contained
from experiments.software.run import SoftwarePlan, capture_software
from experiments.toolchains import PROGRAMS
from gcsim.capture.disk import read_ahead_kib
from gcsim.capture.info import side_file
from gcsim.errors import InputError
from gcsim.units import MIB, parse_memory_size

pytestmark = pytest.mark.usefixtures("only_large")
SCRIPT = Path(sys.executable).with_name("gcsim")
MOST_SECONDS = 30.0  # for a run of 5 s: a program at its limit may stall and never end
RATE = 1500.0  # requests a second of the program of the standard library
LOAD = ("-rate", str(RATE), "-duration", "5s")
STALLING_READ_AHEAD_KB = 4096  # at 128, caddy runs with room for a third of its text
SHOP, CADDY = "48MiB", "64MiB"


@dataclass(frozen=True)
class Fate:
    """What became of one run in a cgroup."""

    oom_kills: int
    answered: float  # of the requests; 0 for a program that did not end in time


@dataclass(frozen=True)
class Subject:
    """A program with its model, calibrated on one capture at GOGC=100 without a limit."""

    model: Path
    memory: str
    run: Callable[[Mapping[str, str]], Fate]  # in a new cgroup of ``memory``


def gcsim(*arguments: str | Path) -> str:
    """The standard output of the installed command. Status 1 is a verdict, such as on a capture of a busy machine."""
    done = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def shop(go_toolchain: GoToolchain, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """The web shop of experiments/programs, of the standard library only, with its own load over loopback."""
    folder = tmp_path_factory.mktemp("shop")
    binary = go_toolchain.build(PROGRAMS / "pages")
    gcsim("capture", "--quiet", "-o", folder / "a.log", "--", binary, *LOAD)
    gcsim("calibrate", folder / "a.log", "-o", folder / "m.toml")

    def run(settings: Mapping[str, str]) -> Fate:
        with memory_cgroup(limit_bytes=parse_memory_size(SHOP)) as own:
            drop_page_cache([binary])
            process = own.start(
                [str(binary), *LOAD],
                env={**os.environ, **settings},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            status = wait_bounded(process, MOST_SECONDS, own.kill)
            assert process.stdout is not None
            printed = process.stdout.read()
            answered = json.loads(printed)["rate"] / RATE if status == 0 else 0.0
            return Fate(own.oom_kills, answered)

    return Subject(folder / "m.toml", SHOP, run)


@pytest.fixture(scope="module")
def caddy(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """caddy that serves templates: 40 MiB of file pages, most of them hot."""
    case = CASE["caddy-templates"]
    with memory_cgroup(limit_bytes=MIB):
        pass  # skips where no cgroup can be made
    try:
        packages.program(case.program)
    except InputError as error:
        pytest.skip(f"caddy is not available: {error}")
    plan = RunPlan(program=case.program, go_version=case.go_version, duration_seconds=6.0, label=case.label)
    folder = tmp_path_factory.mktemp("caddy")
    captured = capture_software(SoftwarePlan(case=case, plan=plan), folder)
    log = captured.log.rename(folder / "a.log.gz")  # away from the result of the load, which is no service's
    captured.info.save(side_file(log))
    gcsim("calibrate", log, "-o", folder / "m.toml")

    def run(settings: Mapping[str, str]) -> Fate:
        done = run_contained(
            ContainedPlan(case=case, environment=settings, limit_bytes=parse_memory_size(CADDY), seconds=6.0)
        )
        return Fate(done.oom_kills, done.answers_hz / 150.0 if done.end == "runs" else 0.0)

    return Subject(folder / "m.toml", CADDY, run)


@pytest.mark.parametrize("program", ["shop", "caddy"])
def test_the_recommended_setting_lives(program: str, request: pytest.FixtureRequest) -> None:
    """No OOM kill, and the requests are answered, although the program's text is charged to the cgroup."""
    subject: Subject = request.getfixturevalue(program)
    answer = json.loads(gcsim("recommend", subject.model, "--memory", subject.memory, "--json"))
    assert answer["feasible"]
    assert answer["metrics"]["container_peak_bytes"]["high"] <= parse_memory_size(subject.memory)
    fate = subject.run({**answer["env"], "GOMAXPROCS": "2"})
    assert fate.oom_kills == 0
    assert fate.answered > 0.9


@pytest.mark.parametrize("program", ["shop", "caddy"])
def test_a_setting_that_is_predicted_not_to_fit_fails(program: str, request: pytest.FixtureRequest) -> None:
    """The kernel kills the program at GOGC=1000, or it stalls."""
    subject: Subject = request.getfixturevalue(program)
    _fails(subject, "1000", "off")


def test_a_gomemlimit_without_room_for_the_text_stalls_the_program(request: pytest.FixtureRequest) -> None:
    """59 of 64 MiB: no setting that gcsim would recommend, although the anonymous memory fits."""
    ahead_kb = read_ahead_kib(packages.program("caddy"))
    if ahead_kb is None or ahead_kb < STALLING_READ_AHEAD_KB:
        pytest.skip(f"this disk reads {ahead_kb} KiB around a page fault: the text is back soon enough")
    caddy: Subject = request.getfixturevalue("caddy")  # made after the test is known to run
    _fails(caddy, "off", "59MiB")


def _fails(subject: Subject, gogc: str, gomemlimit: str) -> None:
    """Checks that a setting is predicted not to fit, and that the program does not live with it."""
    predicted = json.loads(
        gcsim("simulate", subject.model, "--gogc", gogc, "--gomemlimit", gomemlimit, "--json")
    )
    assert predicted["metrics"]["container_peak_bytes"]["low"] > parse_memory_size(subject.memory)
    fate = subject.run({"GOGC": gogc, "GOMEMLIMIT": gomemlimit, "GOMAXPROCS": "2"})
    assert fate.oom_kills > 0 or fate.answered < 0.5
