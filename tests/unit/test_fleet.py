"""One node's memory divided among services."""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from example_service import example_service
from hypothesis import given
from hypothesis import strategies as st

from gcsim.cli import progress
from gcsim.cli.main import run
from gcsim.engine.executors import Workers
from gcsim.engine.plan import Plan
from gcsim.engine.run import Run
from gcsim.settings import Settings
from gcsim.tuning.division import divide, least_total, square_root_division, total_cores
from gcsim.tuning.fleet import Fleet, Service, divide_memory
from gcsim.tuning.memory_curve import MemoryCurve, lower_hull
from gcsim.tuning.recommend import recommend
from gcsim.units import GIB, MIB

Task = TypeVar("Task")
Result = TypeVar("Result")

PLAN = Plan(duration_seconds=10.0, replicas=2)
SHORT = ["--duration", "10s", "--replicas", "2", "--jobs", "1"]
NO_RUN = Run(settings=Settings(), metrics={})
SMALL, LARGE = example_service(), example_service().scaled(live=3.0)


def curve(memory_mib: Iterable[float], cores: Iterable[float], weight: float = 1.0) -> MemoryCurve:
    memory, height = lower_hull([(x * MIB, y) for x, y in zip(memory_mib, cores, strict=True)])
    return MemoryCurve(
        memory_bytes=memory, cores=height, today=NO_RUN, thumb=NO_RUN, square_root_weight=weight
    )


POINTS = st.lists(
    st.tuples(st.integers(10, 4000), st.floats(0.001, 8.0, allow_nan=False)), min_size=2, max_size=12
)


@given(POINTS)
def test_the_hull_is_convex_and_below_every_point(points: list[tuple[int, float]]) -> None:
    """It begins at the least memory and falls to the least cores."""
    memory, cores = lower_hull([(float(x), y) for x, y in points])
    slopes = np.diff(cores) / np.diff(memory)
    assert (slopes < 0.0).all()
    assert (np.diff(slopes) > -1e-12).all()
    assert memory[0] == min(x for x, _ in points)
    assert cores[-1] == min(y for _, y in points)
    for x, y in points:
        assert np.interp(x, memory, cores) <= y + 1e-9


@given(
    st.lists(st.tuples(POINTS, st.integers(1, 3)), min_size=2, max_size=4),
    st.floats(0.0, 1.0),
    st.randoms(use_true_random=False),
)
def test_no_other_division_is_better(
    services: list[tuple[list[tuple[int, float]], int]], share: float, random: object
) -> None:
    """Against random divisions of the same memory; whole MiB may cost one MiB's worth of each service."""
    curves = [curve((x for x, _ in points), (y for _, y in points)) for points, _ in services]
    replicas = [count for _, count in services]
    least = least_total(curves, replicas)
    most = sum(n * float(one.memory_bytes[-1]) for one, n in zip(curves, replicas, strict=True))
    memory = math.ceil(least + share * (most - least))
    best = divide(curves, replicas, memory)
    assert float((best * replicas).sum()) <= memory
    cut = sum(n * one.gain_at(m) * MIB for one, n, m in zip(curves, replicas, best.tolist(), strict=True))
    generator = np.random.default_rng(random.randrange(1 << 30))  # type: ignore[attr-defined]
    for _ in range(10):
        extra = generator.dirichlet(np.ones(len(curves))) * (memory - least) / replicas
        other = np.array([one.least_bytes for one in curves]) + extra
        assert total_cores(curves, replicas, best) <= total_cores(curves, replicas, other) + cut + 1e-9


def test_curves_of_the_theory_give_the_square_root_rule() -> None:
    """Cores of k / extra heap, densely sampled: extra heap in proportion to sqrt(k), by both divisions."""
    weights, replicas = [1.0, 2.0, 5.0], [1, 2, 1]
    sizes = np.geomspace(1.0, 4000.0, 4000)
    curves = [curve(50.0 + sizes, weight**2 / sizes, weight) for weight in weights]
    memory = 2 * GIB
    best, rooted = divide(curves, replicas, memory), square_root_division(curves, replicas, memory)
    np.testing.assert_allclose((best / MIB - 50.0) / weights, (best[0] / MIB - 50.0) / weights[0], rtol=0.02)
    np.testing.assert_allclose(best, rooted, rtol=0.01)


@pytest.fixture(scope="module")
def divided() -> Fleet:
    services = [Service(name="small", model=SMALL, replicas=2), Service(name="large", model=LARGE)]
    return divide_memory(services, memory_bytes=2 * GIB, plan=PLAN)


def test_settings_are_those_of_recommend_and_fit_the_node(divided: Fleet) -> None:
    """Each part is feasible by recommend, and the containers together fill the node to a few MiB."""
    for part in divided.parts:
        wanted = recommend(part.service.model, memory_bytes=part.memory_bytes, plan=PLAN)
        assert (part.run, part.feasible) == (wanted.run, True)
    assert 0 <= divided.left_bytes <= 4 * MIB


def test_the_division_saves_against_equal_parts(divided: Fleet) -> None:
    """The service with three times the live heap gets more; the square-root rule is not better."""
    small, large = divided.parts
    assert large.memory_bytes > 1.5 * small.memory_bytes
    cores = {total.name: total.cores for total in divided.totals}
    own = cores["this division, GOGC=off"]
    assert own < cores["equal parts, GOGC=off"]
    cut_to_whole_mib = sum(part.service.replicas * part.gain_per_gib * MIB / GIB for part in divided.parts)
    assert own <= cores["square-root rule, GOGC=off"] + cut_to_whole_mib
    assert cores["this division"] < cores["today's settings"]
    saved = [cores for _, cores in divided.saved_by_more]
    assert saved == sorted(saved)
    assert saved[0] > 0.0


def test_the_smallest_node_is_the_one_that_is_named(divided: Fleet) -> None:
    """With the memory that it says the services need, they fit; with less, they do not."""
    services = [part.service for part in divided.parts]
    exact = divide_memory(services, memory_bytes=int(divided.needed_bytes), plan=PLAN)
    assert exact.fits
    assert all(part.feasible for part in exact.parts)
    less = divide_memory(services, memory_bytes=int(divided.needed_bytes) - MIB, plan=PLAN)
    assert not less.fits
    assert less.needed_bytes == divided.needed_bytes
    assert less.parts == ()


def test_replicas_are_services_of_their_own(divided: Fleet) -> None:
    """Two replicas are two services with the same model; the order changes nothing."""
    services = [Service(name="l", model=LARGE), *(Service(name=n, model=SMALL) for n in "ab")]
    found = divide_memory(services, memory_bytes=2 * GIB, plan=PLAN)
    sizes = [part.memory_bytes for part in found.parts]
    small, large = (part.memory_bytes for part in divided.parts)
    assert sizes[0] == pytest.approx(large, abs=2 * MIB)
    assert sum(sizes[1:]) / 2 == pytest.approx(small, abs=2 * MIB)


class Pool:
    """An executor that always uses the processes of a pool, and not only for large simulations."""

    def __init__(self, pool: Workers) -> None:
        self._pool = pool

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        return self._pool.map(function, tasks)


def test_other_processes_give_the_same_bytes(divided: Fleet) -> None:
    """Tasks and results are picklable and do not depend on where they run."""
    services = [part.service for part in divided.parts]
    with Workers(2) as pool:
        found = divide_memory(services, memory_bytes=2 * GIB, plan=PLAN, executor=Pool(pool))
    assert json.dumps(found.to_json()) == json.dumps(divided.to_json())


@pytest.fixture
def _models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    SMALL.save("small.toml")
    Path("bad.toml").write_text("format_version = 1\n")


@pytest.mark.usefixtures("_models")
def test_arguments_and_a_table_are_the_same_fleet(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``small.toml*2`` and a row of the manifest; the table fits 80 columns; progress counts services."""
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.02)
    assert run(["fleet", "small.toml*2", "--memory", "1GiB", *SHORT, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["services"][0]["replicas"] == 2
    Path("node.csv").write_text("model,replicas\r\n\r\nsmall.toml,2\r\n")
    assert run(["fleet", "--manifest", "node.csv", "--memory", "1GiB", *SHORT, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == document
    assert run(["fleet", "--manifest", "node.csv", "--memory", "1GiB", *SHORT]) == 0
    found = capsys.readouterr()
    assert [line for line in found.out.splitlines()[1:] if len(line) > 80] == []
    assert "of 2 simulations of services, " in found.err
    assert "settings" not in found.err


@pytest.mark.usefixtures("_models")
def test_a_node_that_is_too_small_says_the_memory_that_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 1, in text and JSON."""
    assert run(["fleet", "small.toml", "--memory", "64Mi", *SHORT]) == 1
    assert "the services need" in capsys.readouterr().out
    assert run(["fleet", "small.toml", "--memory", "64Mi", *SHORT, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["fits"] is False
    assert document["needed_bytes"] == document["smallest"][0]["memory_bytes"]


@pytest.mark.usefixtures("_models")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["small.toml", "bad.toml"], "bad.toml"),
        (["missing.toml*3"], "missing.toml: no such file"),
        (["small.toml*0"], "from 1 to 100,000"),
        ([], "no service is given"),
        (["--manifest", "missing.csv"], "cannot be read"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2, and the name of the model or option."""
    assert run(["fleet", *arguments, "--memory", "1GiB", *SHORT]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert words in line


@pytest.mark.usefixtures("_models")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the first line must be model,replicas"),
        ("small.toml,2\n", "the first line must be model,replicas"),
        ("model,copies\nsmall.toml,2\n", "got model, copies"),
        ("model,replicas\nsmall.toml,two\n", "node.csv:2: the replicas must be"),
        ("model,replicas\nsmall.toml,1\nsmall.toml,1,9\n", "node.csv:3: a line must be"),
        ("model,replicas\n,1\n", "node.csv:2: a line must be"),
    ],
)
def test_a_fault_in_the_table_names_its_line(
    text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is simulated."""
    Path("node.csv").write_text(text)
    assert run(["fleet", "--manifest", "node.csv", "--memory", "1GiB", *SHORT]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


@pytest.mark.usefixtures("_models")
def test_bad_models_are_left_out_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    """With a note for each; if none is left, the input is bad."""
    assert run(["fleet", "small.toml", "bad.toml", "--skip-bad", "--memory", "1GiB", *SHORT, "--json"]) == 0
    shown = capsys.readouterr()
    assert [one["service"] for one in json.loads(shown.out)["services"]] == ["small.toml"]
    assert "left out: bad.toml" in shown.err
    assert run(["fleet", "bad.toml", "--skip-bad", "--memory", "1GiB", *SHORT]) == 2
