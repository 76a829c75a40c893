"""Compiled kernels give NumPy's bytes, and leave to NumPy what they cannot do."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import pytest
from example_service import example_service

from gcsim.engine.controllers import HeapTarget
from gcsim.engine.inputs.bounds import finite_arithmetic
from gcsim.engine.lanes import array_program, engine, run
from gcsim.engine.lanes.array_program import ArrayProgram
from gcsim.engine.lanes.kernels import kept_code, native, policy
from gcsim.engine.lanes.limit_watch import LimitWatch
from gcsim.engine.plan import Plan
from gcsim.engine.simulate import lanes_for
from gcsim.errors import InputError
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.tuning.sweep import sweep
from gcsim.units import MIB

pytestmark = pytest.mark.skipif(
    not native.is_available(), reason="needs the extra gcsim[fast] on Linux x86-64"
)

SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.1, 1e-310, 1e150, 2.0**53, 3.5, -7.25, 1 / 3)


class Arrays(NamedTuple):
    """Arguments of one form for each type."""

    x: Any
    y: Any
    i: Any
    j: Any
    b: Any
    c: Any


@pytest.fixture(autouse=True)
def kernels_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Every path is recorded at its first call, and kernels are made at once, with an empty folder of kept code."""
    monkeypatch.setattr(array_program, "_LEAST_CALLS", 0)
    monkeypatch.setattr(array_program, "_RECORDED_EACH", 1)
    for name in ("_SECONDS_PER_VALUE", "_KEPT_SECONDS_PER_VALUE", "_LOADING_SECONDS"):
        monkeypatch.setattr(policy, name, 0.0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    forget()
    yield
    forget()


def forget() -> None:
    """Drops the programs of earlier runs."""
    engine._steady_program.cache_clear()
    run._adding.cache_clear()
    native.forget()


def arrays(lanes: int, seed: int = 0) -> Arrays:
    """Random and special numbers."""
    drawn = np.random.default_rng(seed)
    x, y = drawn.lognormal(0.0, 3.0, (2, lanes)) * drawn.choice([-1.0, 1.0], (2, lanes))
    x[: len(SPECIAL)], y[: len(SPECIAL)] = SPECIAL[:lanes], SPECIAL[::-1][:lanes]
    i, j = drawn.integers(-(2**62), 2**62, (2, lanes))
    i[: lanes // 2] //= 2**40
    return Arrays(x, y, i, j, x > 0.3, y > x)


def made_kernels(program: ArrayProgram[Any, Any, Any]) -> bool:
    """Whether the program has kernels."""
    return program._with_kernels is not None


def compared(function: Callable[[Any], Any], lanes: int) -> ArrayProgram[Any, Any, Any]:
    """The program of a function, after kernels and the function gave the same bytes several times."""
    program = ArrayProgram[Any, Any, Any](lambda _, given: function(given))
    with np.errstate(all="ignore"):
        for seed in range(4):
            given = arrays(lanes, seed)
            before = [one.tobytes() for one in given]
            found, expected = program(None, given, {}), function(given)
            assert [one.tobytes() for one in given] == before
            assert (found.dtype, found.tobytes()) == (expected.dtype, expected.tobytes())
    assert made_kernels(program)
    assert program.policy._refused == 0
    return program


@pytest.mark.parametrize("lanes", [1, 7, 8, 9, 100])
@pytest.mark.parametrize(
    "function",
    [
        lambda a: a.x + a.y - 1.5 * a.x,
        lambda a: a.x * a.y + a.x,  # a fused multiplication and addition would round once
        lambda a: 1.0 / (np.minimum(a.x, a.y) * 2.0 - 1e9),
        lambda a: np.maximum(np.minimum(a.x, 0.0), np.where(a.b, a.y, -0.0)),
        lambda a: np.maximum(-0.0, a.x) + np.floor(a.y * 3.7),
        lambda a: np.where(a.x > a.y, a.i, 3) + a.j * 5,
        lambda a: np.minimum(a.i, a.j) - np.maximum(a.j, 7),
        lambda a: (a.i.view(np.uint64) // np.uint64(100)).view(np.int64),
        lambda a: a.i // 100 + a.j.astype(np.float64).astype(np.int64),
        lambda a: (a.x * 1e3).astype(np.int64),
        lambda a: a.b & (a.x <= a.y) | ~a.c ^ (a.i == a.j),
        lambda a: a.b * a.x + a.c.astype(np.float64) + (a.x != a.y),
        lambda a: np.where((a.i >= a.j) | (a.x < 0.0), a.x, a.i),
        lambda a: np.zeros_like(a.x) + a.x.copy(),
        lambda a: np.exp(np.log2(np.abs(a.x) + 1.0) * 0.3) + a.y,  # NumPy calls between kernels
    ],
)
def test_each_operation_has_numpys_bytes(function: Callable[[Any], Any], lanes: int) -> None:
    """Also with signed zeros, tiny and large numbers, and with fewer lanes than a vector has."""
    compared(function, lanes)


def test_tests_of_arrays_choose_the_branch() -> None:
    """A kernel returns a test that went both ways, and refuses another outcome of one that went one way."""

    def branching(given: Arrays) -> Any:
        if (given.x < -1e300).any():
            return given.x * 2.0
        total = given.x + given.y
        if (total > 0.0).all():
            return total - 1.0
        places = np.flatnonzero(total > 5.0)
        total[places] = given.y[places] * 3.0
        return total * given.x

    program = compared(branching, 40)
    for x, y in ((1.0, 2.0), (-1.0, 0.5), (-2e300, 1.0), (1.0, 9.0), (-2e300, 1.0)):
        given = arrays(40)._replace(x=np.full(40, x), y=np.full(40, y))
        given.x[3] = 0.5
        assert program(None, given, {}).tobytes() == branching(given).tobytes()


@pytest.mark.parametrize(
    "function",
    [
        lambda a: np.where(a.b, a.x / (a.y - a.y), 1.0),  # also where the choice takes the other side
        lambda a: np.minimum(a.x * 1e300 * 1e300, 1.0),
        lambda a: np.sqrt(np.maximum(a.x, 1.0)) + (a.x * 1e200).astype(np.int64),
    ],
)
def test_an_error_of_arithmetic_is_raised_as_by_numpy(function: Callable[[Any], Any]) -> None:
    """The kernel finds division by zero, overflow and undefined results by the processor's flags."""
    program = ArrayProgram[Any, Any, Any](lambda _, given: function(given))
    good = arrays(20)._replace(x=np.full(20, 1e-9), y=np.full(20, 0.0), b=np.zeros(20, np.bool_))
    bad = good._replace(x=np.full(20, 2.0))
    with np.errstate(all="ignore"):
        program(None, good, {})
        program(None, good, {})
    for given in (good, bad):
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            outcomes = [outcome(lambda given=given: program(None, given, {}).tobytes()) for _ in range(3)]
            assert outcomes == [outcome(lambda given=given: function(given).tobytes())] * 3


def outcome(call: Callable[[], Any]) -> Any:
    """The result of a call, or the words of its error."""
    try:
        return call()
    except FloatingPointError as error:
        return str(error)


def test_nan_is_numpys() -> None:
    """An extreme of NaN is NaN, and a comparison with it is false."""

    def extreme(given: Arrays) -> Any:
        return np.maximum(given.x, 1.0) + np.where(given.y < 2.0, 1.0, given.x)

    program = compared(extreme, 9)
    given = arrays(9)
    given.x[2] = given.y[4] = np.nan
    assert program(None, given, {}).tobytes() == extreme(given).tobytes()


def test_other_arrays_are_left_to_numpy() -> None:
    """Strides, another length or type: the results stay, and nothing is read out of place."""

    def both(given: Arrays) -> Any:
        return given.x * 2.0 + given.y

    program = compared(both, 16)
    usual = arrays(16)
    for x in (np.repeat(usual.x, 2)[::2], usual.x[:1], usual.x.astype(np.float32), np.broadcast_to(1.5, 16)):
        given = usual._replace(x=x)
        assert program(None, given, {}).tobytes() == both(given).tobytes()


def test_kernels_that_often_refuse_are_dropped() -> None:
    """They would only add their time."""

    def ratio(given: Arrays) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            return given.x / given.y

    program = ArrayProgram[Any, Any, Any](lambda _, given: ratio(given))
    given = arrays(16)._replace(y=np.zeros(16))
    for _ in range(40):
        assert program(None, given, {}).tobytes() == ratio(given).tobytes()
    assert not made_kernels(program)


SETTINGS = [
    Settings(gogc=gogc, gomemlimit_bytes=limit, gomaxprocs=2, go="1.27")
    for gogc in (15, 100, 400)
    for limit in (None, 120 * MIB, 150 * MIB, 400 * MIB)
]


def bytes_of_run(model: Model, settings: list[Settings], plan: Plan, *, watched: bool) -> list[bytes]:
    """All sums of a run, and the bounds of a watch."""
    found = lanes_for(model, settings, plan)
    if watched:
        found.watch = LimitWatch(found.parameters.lanes)
    with finite_arithmetic(model.name):
        totals = run.run_lanes(found, plan)
    arrays_of = [getattr(totals, f.name) for f in fields(totals)]
    if found.watch is not None:
        arrays_of += [found.watch.least_limit_bytes, found.watch.least_gogc]
    return [one.tobytes() for one in arrays_of]


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize(
    ("loop", "go", "seed"), [("closed", "1.27", 1), ("open", "1.27", 2), ("open", "1.19", 3)]
)
def test_a_run_has_the_bytes_of_the_function(loop: str, go: str, seed: int, watched: bool) -> None:
    """With and without limits and limiter, few replicas and many, on several versions of Go."""
    model = replace(example_service(), loop=loop)
    settings = [replace(one, go=go) for one in SETTINGS]
    for replicas in (1, 7):
        plan = Plan(duration_seconds=10.0, replicas=replicas, seed=seed)
        forget()
        with patch.object(
            ArrayProgram, "__call__", lambda self, fixed, varying, _: self._function(fixed, varying)
        ):
            expected = bytes_of_run(model, settings, plan, watched=watched)
        assert bytes_of_run(model, settings, plan, watched=watched) == expected
        assert bytes_of_run(model, settings, plan, watched=watched) == expected


def test_a_controller_has_the_bytes_of_the_function() -> None:
    """A setting that changes in each cycle."""
    plan = Plan(duration_seconds=10.0, replicas=3, controller=HeapTarget(goal_bytes=300.0 * MIB))
    with patch.object(native, "is_available", lambda: False):
        expected = bytes_of_run(example_service(), SETTINGS[:3], plan, watched=False)
    forget()
    assert bytes_of_run(example_service(), SETTINGS[:3], plan, watched=False) == expected


def test_numbers_out_of_range_are_refused_with_the_same_words() -> None:
    """A run whose numbers overflow names the model and NumPy's error."""

    def words() -> str:
        forget()
        found = lanes_for(example_service(), SETTINGS, replicas=2)
        for _ in range(4):
            found.step()
        huge = np.full(found.parameters.lanes, 1e308)
        found.parameters = replace(found.parameters, mark_cpu_seconds=huge)
        with pytest.raises(InputError) as error, finite_arithmetic("svc"):
            found.step()
        return str(error.value)

    with patch.object(native, "is_available", lambda: False):
        expected = words()
    assert words() == expected
    assert expected.startswith("svc: its numbers")


def test_a_sweep_has_the_same_results() -> None:
    """With a program of NumPy calls, with kernels, and with the machine code that they left."""

    def swept() -> Any:
        forget()
        return sweep(
            example_service(), gogc=[25, 50, 100], gomemlimit_bytes=[None, 160 * MIB], duration_seconds=20.0,
            replicas=3,
        ).finished  # fmt: skip

    with patch.object(native, "is_available", lambda: False):
        expected = swept()
    assert swept() == expected
    assert kept_code.exists()
    with patch.object(kept_code, "write", side_effect=AssertionError("compiled again")):
        assert swept() == expected


def files() -> list[Path]:
    """The files of kept code."""
    folder = kept_code._folder()
    assert folder is not None
    return list(folder.iterdir())


def test_damaged_code_is_compiled_again() -> None:
    """A file that was cut, or changed, is never run."""
    compared(lambda a: a.x * 2.0, 9)
    assert files()
    for damage in (b"", b"x" * 5000, files()[0].read_bytes()[:-1]):
        for one in files():
            one.write_bytes(damage)
        native.forget()
        compared(lambda a: a.x * 2.0, 9)
    assert all(len(one.read_bytes()) > 500 for one in files())


def test_code_in_a_folder_of_others_is_not_read() -> None:
    """A folder into which others may write is not used."""
    compared(lambda a: a.x * 2.0, 9)
    folder = files()[0].parent
    folder.chmod(0o777)
    assert not kept_code.exists()
    for one in files():
        one.write_bytes(b"not code")
    native.forget()
    compared(lambda a: a.x * 2.0, 9)
    assert {one.read_bytes() for one in files()} == {b"not code"}


@pytest.mark.parametrize("place", ["file", "none"])
def test_without_a_folder_nothing_is_kept(
    place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A home that cannot hold the folder costs compiling, and nothing else."""
    (tmp_path / "file").write_text("")
    if place == "file":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    else:
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    compared(lambda a: a.x * 2.0, 9)
    assert not kept_code.exists()


def test_the_folder_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new file removes the old ones when there are too many."""
    monkeypatch.setattr(kept_code, "_MOST_FILES", 3)
    for number in range(8):
        kept_code.write(f"text {number}", b"code")
        assert kept_code.read(f"text {number}") == b"code"
    assert 1 <= len(files()) <= 3


def test_a_compiler_that_fails_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy then makes all calls."""

    def fail(_: str) -> bytes:
        raise RuntimeError("no executable memory")

    monkeypatch.setattr(native, "_machine_code", fail)
    program = ArrayProgram[Any, Any, Any](lambda _, given: given.x * 2.0)
    for _ in range(5):
        assert program(None, arrays(9), {}).tobytes() == (arrays(9).x * 2.0).tobytes()
    assert not made_kernels(program)


def test_a_short_run_does_not_load_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither without kept code nor with it."""
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", "/nonexistent")
    for name in [one for one in sys.modules if one.split(".")[0] == "llvmlite"]:
        monkeypatch.delitem(sys.modules, name)
    for kept in (False, True):
        forget()
        monkeypatch.setattr(kept_code, "exists", lambda kept=kept: kept)
        bytes_of_run(example_service(), SETTINGS[:2], Plan(duration_seconds=5.0, replicas=1), watched=False)
        assert "llvmlite" not in sys.modules
