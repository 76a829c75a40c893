"""``--controller``: a user's function is a controller, and a fault in it is one sentence with file and line."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from docs_commands import DOCS
from example_service import example_service

from gcsim.cli.main import run
from gcsim.engine.controllers import FIXED_SETTING, HeapTarget
from gcsim.engine.executors import Workers
from gcsim.engine.plan import Engine, Plan
from gcsim.engine.simulate import simulate
from gcsim.errors import InputError
from gcsim.settings import Settings
from gcsim.tuning.own_controller import OwnController
from gcsim.units import MIB

Task = TypeVar("Task")
Result = TypeVar("Result")

DEFAULTS = Settings(gogc=100, gomaxprocs=2, go="1.27")
MEMORY = 512 * MIB
SHORT = ["--memory", "512Mi", "--duration", "5s", "--replicas", "2", "--jobs", "1"]
PAGE = (DOCS / "how-to" / "compare-with-rules-of-thumb.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize("engine", ["lanes", "des"])
def test_a_function_gives_the_bytes_of_the_same_policy(engine: Engine, tmp_path: Path) -> None:
    """The tuner with a goal of 0.7, as a user would write it."""
    Path("same.py").write_text(
        "import numpy as np\n"
        "def tuner(commit, memory_bytes):\n"
        "    percent = np.clip(commit.percent_for(0.7 * memory_bytes), 50, 500)\n"
        "    return percent, commit.setting.memory_limit_bytes\n"
    )
    own = OwnController.load(str(tmp_path / "same.py"), MEMORY)
    built_in = HeapTarget(goal_bytes=0.7 * MEMORY)
    found, wanted, fixed = (
        simulate(
            example_service(), [DEFAULTS], duration_seconds=4.0, replicas=2, engine=engine, controller=policy
        )
        for policy in (own, built_in, FIXED_SETTING)
    )
    assert found == wanted
    assert found != fixed


class Pool:
    """An executor that always uses the processes of a pool."""

    def __init__(self, pool: Workers) -> None:
        self._pool = pool

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        return self._pool.map(function, tasks)


def test_other_processes_load_the_function_again() -> None:
    """The same bytes, and a fault there is the same sentence."""
    Path("far.py").write_text(
        "def tuner(commit, m):\n    return 50, m\ndef late(commit, m):\n    return 1 / 0, m\n"
    )
    model, how = example_service(), Plan(duration_seconds=2.0, replicas=2, engine="des")
    own = OwnController(source="far.py", memory_bytes=MEMORY)
    faulty = OwnController(source="far.py:late", memory_bytes=MEMORY)
    with Workers(2) as pool:
        found = simulate(model, [DEFAULTS], how, controller=own, executor=Pool(pool))
        with pytest.raises(InputError, match=r"^far\.py:4: ZeroDivisionError"):
            simulate(model, [DEFAULTS], how, controller=faulty, executor=Pool(pool))
    assert found == simulate(model, [DEFAULTS], how, controller=own)


def test_the_function_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """In the command of the page, shortened."""
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
    assert len(example.splitlines()) <= 20
    Path("mytuner.py").write_text(example)
    (command,) = re.findall(r"^gcsim (compare .*--controller.*)$", PAGE, re.M)
    assert run([*command.split(), *SHORT[2:]]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("mytuner.py:tuner")]
    assert rows[0].split()[1:3] == ["moves", "moves"]
    assert not list(Path().glob("__pycache__"))


def test_a_module_is_found_and_one_number_counts_for_all_runs() -> None:
    """The function may return plain numbers, and fractions of a percent are cut off as in Go's int()."""
    Path("plain_module.py").write_text("def half(commit, memory_bytes):\n    return 50.9, memory_bytes\n")
    own = OwnController.load("plain_module:half", MEMORY)
    (found,) = simulate(example_service(), [DEFAULTS], duration_seconds=4.0, replicas=2, controller=own)
    fixed = Settings(gogc=50, gomemlimit_bytes=MEMORY, gomaxprocs=2, go="1.27")
    (wanted,) = simulate(example_service(), [fixed], duration_seconds=4.0, replicas=2)
    name = "heap_goal_mean_bytes"
    assert found.metrics[name].value == pytest.approx(wanted.metrics[name].value, rel=0.02)


def test_a_limit_of_two_to_the_63_is_no_limit() -> None:
    """Also as a float, and as the largest integer that Go uses."""
    Path("large.py").write_text(
        "def whole(commit, m):\n    return 50, 2**63 - 1\ndef real(commit, m):\n    return 50.0, 2.0**63\n"
    )
    found = [
        simulate(
            example_service(), [DEFAULTS], duration_seconds=2.0, replicas=2,
            controller=OwnController.load(f"large.py:{name}", MEMORY),
        )
        for name in ("whole", "real")
    ]  # fmt: skip
    assert found[0] == found[1]


FAULTS = {
    "import": ("import nothing_there\n", ":1: ModuleNotFoundError"),
    "syntax": ("x = 1\ndef tuner(commit m):\n    pass\n", ":2: SyntaxError"),
    "exception": ("def tuner(commit, m):\n    return 1 / 0, m\n", ":2: ZeroDivisionError"),
    "below": ("def inner():\n    raise KeyError('x')\ndef tuner(commit, m):\n    inner()\n", ":2: KeyError"),
    "exit": ("import sys\nsys.exit(0)\n", ":2: SystemExit"),
    "arguments": ("\ndef tuner(commit):\n    return 1, 2\n", ":2: TypeError"),
    "one value": ("def tuner(commit, m):\n    return 100\n", ":1: tuner must return two values"),
    "nothing": ("def tuner(commit, m):\n    pass\n", "it returned nothing"),
    "shape": (
        "import numpy as np\ndef tuner(commit, m):\n    return np.ones(9), m\n",
        ":2: tuner returned GOGC of shape (9,)",
    ),
    "text": (
        "def tuner(commit, m):\n    return 'off', m\n",
        ":1: tuner returned a value of type str for GOGC",
    ),
    "NaN": ("def tuner(commit, m):\n    return float('nan'), m\n", ":1: tuner returned GOGC outside"),
    "limit": ("def tuner(commit, m):\n    return 100, -1\n", "the memory limit outside 0 to"),
    "write": (
        "def tuner(commit, m):\n    commit.setting.gc_percent[:] = 5\n    return commit.setting\n",
        ":2: ValueError",
    ),
    "division": ("def tuner(commit, m):\n    return commit.live_bytes / 0.0, m\n", ":2: FloatingPointError"),
    "no function": ("other = 1\n", "has no function tuner"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_sentence_with_its_place(fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, before the long search begins."""
    code, words = FAULTS[fault]
    name = f"{fault.replace(' ', '_')}.py"  # its own, because a loaded file is kept
    Path(name).write_text(code)
    assert run(["compare", "order-service", *SHORT, "--controller", name]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert name in line
    assert words in line


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("missing.py", "cannot be read"),
        ("missing_module:tuner", "finds no module"),
        ("a b:tuner", "finds no module"),
        (":tuner", "names no function"),
        ("x.py:", "names no function"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(
    source: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With an example of the spelling."""
    assert run(["compare", "order-service", *SHORT, "--controller", source]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert "mytuner.py" in line


def test_what_the_function_prints_stays_out_of_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    """Its standard output is gcsim's standard error."""
    Path("chatty.py").write_text(
        "print('loaded')\ndef tuner(commit, m):\n    print('called')\n    return 100, m\n"
    )
    OwnController.load("chatty.py", MEMORY)
    simulate(
        example_service(), [DEFAULTS], duration_seconds=1.0, replicas=1,
        controller=OwnController(source="chatty.py", memory_bytes=MEMORY),
    )  # fmt: skip
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "loaded" in shown.err
    assert "called" in shown.err
