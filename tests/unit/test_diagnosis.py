"""The rules of ``gcsim diagnose`` on logs that each show one fault."""

from pathlib import Path
from typing import Any

import pytest
from gc_logs import GcLog

from gcsim.calibration.settings.log_settings import Overrides
from gcsim.diagnosis.evidence import diagnose_files
from gcsim.diagnosis.kinds import KINDS
from gcsim.diagnosis.records import Verdicts
from gcsim.units import MIB

LEAK = GcLog(live=lambda t: 20.0 + 2.0 * t)
SPIRAL = GcLog(live=60.0, goal_mib=50.0, seconds=6.0, mark_cpu_per_mib=0.003)


def found(log: GcLog, folder: Path, *, memory_mib: float | None = None, **stated: Any) -> Verdicts:
    """The diagnosis of a log."""
    (folder / "app.log").write_text(log.text)
    memory = None if memory_mib is None else int(memory_mib * MIB)
    return diagnose_files(
        [str(folder / "app.log")], stated=Overrides(go="1.27", **stated), memory_bytes=memory
    )[0]


def names(verdicts: Verdicts, severity: str | None = None) -> list[str]:
    """The names of the findings, in order."""
    return [one.name for one in verdicts.causes if severity in (None, one.severity)]


@pytest.mark.parametrize(
    ("log", "name", "stated"),
    [
        (LEAK, "heap-leak", {}),
        (GcLog(stacks=lambda t: 1.0 + 1.5 * t), "goroutine-leak", {}),
        (SPIRAL, "memory-limit-below-live-heap", {"gomemlimit_bytes": 52 * MIB}),
        (
            GcLog(live=60.0, goal_mib=70.0, seconds=20.0, mark_cpu_per_mib=0.004),
            "memory-limit-near-live-heap",
            {"gomemlimit_bytes": 74 * MIB},
        ),
        (
            GcLog(live=0.5, alloc_per_second=400.0, seconds=8.0, mark_cpu_per_mib=0.002),
            "heap-minimum",
            {"gogc": 100},
        ),
        (GcLog(live=60.0, gogc=10.0, mark_cpu_per_mib=0.004), "gogc-too-low", {"gogc": 10}),
        (GcLog(live=60.0, forced_every=0.2, mark_cpu_per_mib=0.002), "forced-collections", {}),
        (
            GcLog(live=60.0, assist_share=0.4, alloc_per_second=300.0, mark_cpu_per_mib=0.004),
            "assists-slow-program",
            {},
        ),
        (GcLog(live=20.0, large_mib=48.0, mark_cpu_per_mib=0.0005), "large-allocations", {"gogc": 100}),
        (GcLog(pause_ms=lambda t: 30.0 if int(t) % 2 else 0.05), "long-pauses", {}),
        (
            GcLog(live=60.0, alloc_per_second=500.0, seconds=20.0, mark_cpu_per_mib=0.005, idle_share=0.0),
            "gc-cpu-high",
            {},
        ),
    ],
)
def test_each_fault_is_found_first(log: GcLog, name: str, stated: dict[str, Any], tmp_path: Path) -> None:
    """The first finding is the fault, it is serious, and its signs name lines or figures."""
    verdicts = found(log, tmp_path, **stated)
    assert names(verdicts)[0] == name
    cause = verdicts.causes[0]
    assert cause.severity == "serious"
    assert cause.signs
    assert cause.steps
    assert verdicts.is_serious


@pytest.mark.parametrize(
    "log",
    [
        GcLog(),
        GcLog(gogc=400.0),
        GcLog(live=lambda t: 10.0 + 40.0 * min(t / 8.0, 1.0)),
        GcLog(live=lambda t: 30.0 + 10.0 * (int(t) % 4)),
        GcLog(live=lambda t: 20.0 + 2.0 * t, seconds=8.0),
    ],
)
def test_a_healthy_service_has_no_serious_finding(log: GcLog, tmp_path: Path) -> None:
    """Steady, filling, moving and just started services."""
    assert names(found(log, tmp_path), "serious") == []


def test_a_healthy_service_is_said_to_be_healthy(tmp_path: Path) -> None:
    """With its figures."""
    verdicts = found(GcLog(), tmp_path)
    assert names(verdicts) == ["gc-not-the-problem"]
    assert "of all CPU" in verdicts.causes[0].sentence
    assert any(text.startswith("heap leak") for text in verdicts.excluded)


def test_signs_name_the_line_that_shows_them(tmp_path: Path) -> None:
    """The line of a sign holds the cycle that the sign names."""
    verdicts = found(LEAK, tmp_path)
    lines = (tmp_path / "app.log").read_text().splitlines()
    named = [sign for cause in verdicts.causes for sign in cause.signs if sign.line is not None]
    assert named
    for sign in named:
        assert sign.line is not None
        assert lines[sign.line - 1].startswith(sign.text.split(":")[0] + " ")


def test_a_leak_says_when_the_container_is_full(tmp_path: Path) -> None:
    """Live heap 20 + 2 t at GOGC=100 has a peak of 400 MiB at t = 90, that is 50 s after the log of 40 s."""
    text = found(LEAK, tmp_path, memory_mib=400.0).causes[0].sentence
    assert "Memory reaches the 400 MiB of the container" in text
    after = text.split("of the container ")[1].split(" after")[0]
    number, unit = after.split()[:2]
    assert unit == "s"
    assert 40.0 <= float(number) <= 65.0


def test_a_leak_ranks_before_the_limit_that_it_fills(tmp_path: Path) -> None:
    """The leak is the cause, the spiral its effect."""
    log = GcLog(live=lambda t: 20.0 + 2.0 * t, goal_mib=60.0, seconds=24.0, mark_cpu_per_mib=0.003)
    assert names(found(log, tmp_path, gomemlimit_bytes=64 * MIB))[:2] == [
        "heap-leak",
        "memory-limit-below-live-heap",
    ]


@pytest.mark.parametrize(
    ("stated", "memory_mib", "name", "severity"),
    [
        ({}, 62.0, "memory-limit-missing", "serious"),
        ({"gomemlimit_off": True}, 500.0, "memory-limit-missing", "worth knowing"),
        ({"gomemlimit_bytes": 400 * MIB}, 400.0, "memory-limit-too-near-container", "serious"),
        ({"gomemlimit_bytes": 390 * MIB}, 400.0, "memory-limit-too-near-container", "worth knowing"),
    ],
)
def test_the_container_is_compared_with_the_limit(
    stated: dict[str, Any], memory_mib: float, name: str, severity: str, tmp_path: Path
) -> None:
    """A missing limit and one that leaves no room."""
    verdicts = found(GcLog(), tmp_path, memory_mib=memory_mib, **stated)
    assert name in names(verdicts, severity)


@pytest.mark.parametrize(
    ("memory_mib", "advice"), [(62.0, "55MiB"), (45.0, "Give the container more memory")]
)
def test_advice_fits_the_live_heap(memory_mib: float, advice: str, tmp_path: Path) -> None:
    """A limit below the live heap of 30 MiB with its room is not advised."""
    cause = found(GcLog(), tmp_path, memory_mib=memory_mib).causes[0]
    assert cause.name == "memory-limit-missing"
    assert advice in cause.steps[0].text


def test_a_limit_with_room_gives_no_finding(tmp_path: Path) -> None:
    """GOMEMLIMIT=360MiB in a container of 400 MiB."""
    verdicts = found(GcLog(), tmp_path, memory_mib=400.0, gomemlimit_bytes=360 * MIB)
    assert names(verdicts) == ["gc-not-the-problem"]


def test_a_cycle_every_two_minutes_is_no_fault(tmp_path: Path) -> None:
    """Cycles that the two-minute timer forces belong to an idle program."""
    lines = [
        f"GC forced\ngc {n} @{120 * n}.000s 0%: 0.02+1.0+0.02 ms clock, 0.04+0/0.5/1.0+0.04 ms cpu, 8->8->6 MB,"
        " 12 MB goal, 0 MB stacks, 0 MB globals, 2 P\n"
        for n in range(1, 12)
    ]
    (tmp_path / "idle.log").write_text("".join(lines))
    verdicts, _ = diagnose_files([str(tmp_path / "idle.log")], stated=Overrides())
    assert names(verdicts, "serious") == []
    assert "forced-collections" not in names(verdicts)


def test_a_log_of_few_cycles_says_that_it_shows_little(tmp_path: Path) -> None:
    """Three cycles give no verdict, and the open questions name the reason."""
    (tmp_path / "short.log").write_text("".join(GcLog().text.splitlines(keepends=True)[:3]))
    verdicts, _ = diagnose_files([str(tmp_path / "short.log")], stated=Overrides())
    assert verdicts.causes == ()
    assert any("only 3 cycles" in one.question for one in verdicts.unknown)


def test_open_questions_follow_the_evidence(tmp_path: Path) -> None:
    """A question that an option answers is not asked."""
    asked = {one.shown_by for one in found(GcLog(), tmp_path).unknown}
    answered = {
        one.shown_by for one in found(GcLog(), tmp_path, memory_mib=500.0, gomemlimit_off=True).unknown
    }
    assert any("--memory" in one for one in asked - answered)
    assert any("--gomemlimit" in one for one in asked - answered)


def test_several_logs_are_ranked_together(tmp_path: Path) -> None:
    """The leak of the second log comes before the health of the first, and findings name their log."""
    paths = [tmp_path / "a.log", tmp_path / "b.log"]
    for path, log in zip(paths, (GcLog(), LEAK), strict=True):
        path.write_text(log.text)
    verdicts, _ = diagnose_files([str(path) for path in paths], stated=Overrides())
    assert [(one.name, Path(one.log).name) for one in verdicts.causes] == [
        ("heap-leak", "b.log"),
        ("gc-not-the-problem", "a.log"),
    ]


def test_every_name_is_stable_text() -> None:
    """Names are kebab case, because scripts compare them."""
    assert all(name == name.lower() and " " not in name and "_" not in name for name in KINDS)


def test_the_page_lists_every_finding_in_order() -> None:
    """docs/explanation/diagnosis.md has the names and meanings of the table in the code."""
    page = (Path(__file__).parents[2] / "docs" / "explanation" / "diagnosis.md").read_text(encoding="utf-8")
    table = page.split("## The findings")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{name}` | {kind.meaning} |" for name, kind in KINDS.items()]
