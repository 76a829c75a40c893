"""A recorded program gives the bytes of its function, and runs the function where it cannot record it."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import pytest
from example_service import example_service

from gcsim.arrays import FloatArray
from gcsim.engine.lanes import array_program
from gcsim.engine.lanes.array_program import ArrayProgram
from gcsim.engine.lanes.engine import LaneEngine
from gcsim.engine.lanes.kernels import native
from gcsim.engine.lanes.limit_watch import LimitWatch
from gcsim.engine.lanes.run import run_lanes
from gcsim.engine.simulate import lanes_for
from gcsim.settings import Settings
from gcsim.units import MIB


@pytest.fixture(autouse=True)
def recorded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call with an unknown branch is recorded, and NumPy makes the calls of programs."""
    monkeypatch.setattr(native, "is_available", lambda: False)
    monkeypatch.setattr(array_program, "_LEAST_CALLS", 0)
    monkeypatch.setattr(array_program, "_RECORDED_EACH", 1)


@dataclass(frozen=True, kw_only=True)
class Point:
    """A record with an array and a number."""

    x: FloatArray
    scale: float


class Pair(NamedTuple):
    """A record of two arrays."""

    a: FloatArray
    b: FloatArray


def arrays(lanes: int, seed: int = 0) -> Pair:
    """Two arrays of random numbers from -1 to 1."""
    drawn = np.random.default_rng(seed).uniform(-1.0, 1.0, (2, lanes))
    return Pair(drawn[0], drawn[1])


def same(found: Any, expected: Any) -> bool:
    """Whether two records hold the same bytes."""
    if isinstance(found, np.ndarray):
        return found.dtype == expected.dtype and found.tobytes() == expected.tobytes()
    if isinstance(found, tuple):
        return all(same(one, other) for one, other in zip(found, expected, strict=True))
    names = [f.name for f in fields(found)]
    return all(same(getattr(found, name), getattr(expected, name)) for name in names)


def mixed(fixed: Point, varying: Pair) -> Pair:
    """Every kind of operation that a cycle of the lane engine has."""
    base = np.sqrt(np.maximum(fixed.x, 0.0)) * fixed.scale
    total = varying.a + base
    whole = (total * 1000.0).astype(np.int64)
    parts = (whole * 3).view(np.uint64) // np.uint64(7)
    quotient = np.divide(total, np.abs(varying.b) + 0.5)
    high = quotient > 0.1
    result = np.zeros_like(total)
    if high.any():
        places = np.flatnonzero(high)
        result[places] = quotient[places] ** 0.25
    first = varying.a[:1]
    if (varying.b > -2.0).all():
        result = result + np.where(high, first, 2)
    return Pair(result - parts.view(np.int64), np.minimum(result, varying.b))


@pytest.mark.parametrize("lanes", [1, 2, 300])
def test_a_program_has_the_bytes_of_its_function(lanes: int) -> None:
    """Also with another number of lanes than the recorded one, and other values."""
    program = ArrayProgram(mixed)
    for size in (5, lanes, 7):
        fixed, kept = Point(x=arrays(size, 9).a, scale=1.7), {}
        for seed in range(4):
            given = arrays(size, seed)
            before = given.a.tobytes(), given.b.tobytes()
            assert same(program(fixed, given, kept), mixed(fixed, given))
            assert (given.a.tobytes(), given.b.tobytes()) == before
    assert program.recordable


def test_a_branch_that_no_call_took_is_recorded() -> None:
    """The outcome of a test may differ from call to call."""
    program = ArrayProgram(mixed)
    fixed, kept = Point(x=np.ones(3), scale=1.0), {}
    for a in (np.full(3, -5.0), np.full(3, 5.0), np.array([-5.0, 5.0, 5.0]), np.full(3, -5.0)):
        given = Pair(a, np.array([0.1, -0.2, 0.3]))
        assert same(program(fixed, given, kept), mixed(fixed, given))


def test_values_of_fixed_arguments_are_computed_once() -> None:
    """They are kept between calls, and a new set of them starts empty."""
    program = ArrayProgram(lambda fixed, varying: Pair(np.sqrt(fixed) * varying, varying))
    kept: dict[int, Any] = {}
    for _ in range(3):
        program(np.array([4.0, 9.0]), np.array([1.0, 10.0]), kept)
    assert [2.0, 3.0] in [value.tolist() for value in kept.values()]
    found = program(np.array([16.0]), np.array([1.0]), {})
    assert found.a.tolist() == [4.0]


def test_errors_are_handled_as_in_the_function() -> None:
    """A division by zero raises unless the function says otherwise."""

    def quietly(_: None, varying: Pair) -> Pair:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = varying.a / varying.b
        return Pair(ratio, 1.0 / varying.a)

    program = ArrayProgram(quietly)
    one, zero = np.ones(2), np.zeros(2)
    with np.errstate(divide="raise", invalid="raise"):
        for _ in range(2):
            assert np.isinf(program(None, Pair(one, zero), {}).a).all()
        with pytest.raises(FloatingPointError):
            program(None, Pair(zero, one), {})


@pytest.mark.parametrize(
    "function",
    [
        lambda _, varying: varying + np.arange(float(varying.size)),
        lambda _, varying: varying * float(varying.sum()),
        lambda _, varying: varying if varying[0] > varying.tolist()[1] else -varying,
        lambda _, varying: np.maximum(varying, 0.0, out=np.zeros_like(varying)),
        lambda _, varying: varying.reshape(1, -1)[0] * 2.0,
    ],
)
def test_a_function_that_cannot_be_recorded_runs_as_it_is(function: Callable[..., FloatArray]) -> None:
    """A program never takes a value of one call for a constant of all calls."""
    program = ArrayProgram(function)
    for seed in range(3):
        given = arrays(4, seed).a
        assert same(program(None, given, {}), function(None, given))
    assert not program.recordable


@pytest.mark.parametrize("loop", ["closed", "open"])
@pytest.mark.parametrize("go", ["1.19", "1.20", "1.27"])
def test_the_engine_has_the_bytes_of_the_cycle(loop: str, go: str) -> None:
    """With and without limits, limiter and watch, the program of a cycle changes nothing."""
    model = replace(example_service(), loop=loop)
    limits = (None, 120 * MIB, 400 * MIB)
    settings = [
        Settings(gogc=gogc, gomemlimit_bytes=limit, gomaxprocs=2, go=go)
        for gogc in (15, 100)
        for limit in limits
    ]

    def run() -> tuple[Any, ...]:
        engine = lanes_for(model, settings, replicas=3)
        engine.watch = LimitWatch(engine.parameters.lanes)
        totals = run_lanes(engine, duration_seconds=10.0)
        return totals, engine.watch.least_limit_bytes, engine.watch.least_gogc

    with patch.object(
        ArrayProgram, "__call__", lambda self, fixed, varying, _: self._function(fixed, varying)
    ):
        expected = run()
    assert same(run(), expected)
    engine = lanes_for(model, settings, replicas=3)
    for _ in range(3):
        engine.step()
    program = _program_of(engine)
    assert program.recordable
    assert program.paths > 0


def _program_of(engine: LaneEngine) -> ArrayProgram[Any, Any, Any]:
    found = engine._program
    assert found is not None
    return found
