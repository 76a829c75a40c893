"""The two engines give one answer: each shipped model at five settings of GOGC, and under memory limits."""

from dataclasses import replace

import numpy as np
import pytest

from gcsim.engine.plan import Engine
from gcsim.engine.simulate import replica_metrics
from gcsim.service.model import Model, shipped_models
from gcsim.settings import Settings
from gcsim.units import MIB

GOGC = (25, 50, 100, 200, 800)
# (GOGC, limit over live heap): tight, moderate, roomy
LIMITED = ((100, 1.45), (200, 2.0), (None, 3.5))
METRICS = ("heap_peak_mean_bytes", "gc_rate_hz", "gc_cpu_fraction")
# GC CPU leaves idle workers out: they do 1.4 % of the marking in the closed loop's log, and none in the event engine.
AIM = (0.02, 0.03, 0.05)
# An open loop under a limit is at the aim (+5.0 %), not inside it: the goal moves out while slots are filled. Assists
# answer to where it is; the fast engine's answer to where it will be, and are fewer.
OPEN_LIMITED = (0.02, 0.03, 0.06)
# At the tight limit the GC CPU limiter is on for a third of the time. The event engine plays its turns out, the fast
# one takes them for regular, at debts as of the phase's beginning: GC CPU is 5 to 7 % apart, cycle rate 3 to 5 %.
TIGHT = (0.04, 0.06, 0.10)
# Engines differ more between replicas, each another possible service, than between the cycles of one: many short runs.
REPLICAS = 24
# The suite compares one setting of each model: the tight limit, and GOGC=100; --large compares all.
IN_SUITE = {"order-service": (5, 6), "order-service-open": (2, REPLICAS)}  # place, replicas
SECONDS: dict[Engine, float] = {"lanes": 600.0, "des": 20.0}


def _allowed(model: Model, settings: Settings) -> tuple[float, float, float]:
    if settings.gomemlimit_bytes is None:
        return AIM
    tight = settings.gomemlimit_bytes < 0.9 * LIMITED[1][1] * model.parameters.live_bytes.value
    return TIGHT if tight else OPEN_LIMITED if model.loop == "open" else AIM


def _settings(model: Model) -> list[Settings]:
    base, live = model.settings, model.parameters.live_bytes.value
    unlimited = [Settings(gogc=g, gomaxprocs=base.gomaxprocs, go=base.go) for g in GOGC]
    return unlimited + [
        Settings(
            gogc=gogc,
            gomemlimit_bytes=round(live * times / MIB) * MIB,
            gomaxprocs=base.gomaxprocs,
            go=base.go,
        )
        for gogc, times in LIMITED
    ]


@pytest.mark.parametrize("name", sorted(shipped_models()))
def test_engines_agree_on_shipped_models(name: str, capsys: pytest.CaptureFixture[str], large: bool) -> None:
    """Means over replicas of heap peak, cycle rate and GC CPU differ by no more than is allowed, or than luck makes.

    Luck is two standard errors of the difference of the two means. Replica r is the same service in both engines, so
    the difference is taken replica by replica, and its error is the differences' deviation over the root of their
    number.
    """
    # one by one, requests take the event engine several times as long
    model = replace(Model.load(name), requests=None)
    every = _settings(model)
    place, replicas = IN_SUITE[name]
    settings, replicas = (every, REPLICAS) if large else ([every[place]], replicas)
    fast, slow = (
        replica_metrics(model, settings, duration_seconds=SECONDS[engine], replicas=replicas, engine=engine)
        for engine in SECONDS
    )
    lines, apart = [f"{name}: des / lanes - 1 (two standard errors; allowed)"], []
    for i, one in enumerate(settings):
        cells = []
        for metric, allowed in zip(METRICS, _allowed(model, one), strict=True):
            ratio = slow[metric][i] / fast[metric][i] - 1.0
            luck = 2.0 * float(ratio.std(ddof=1)) / np.sqrt(replicas)
            difference = float(ratio.mean())
            cells.append(f"{metric} {100 * difference:+5.1f} % ({100 * luck:.1f}; {100 * allowed:.1f})")
            if abs(difference) > max(allowed, luck):
                apart.append(f"{one}: {cells[-1]}")
        lines.append(f"  {one!s:60} " + "  ".join(cells))
    with capsys.disabled():
        print("\n" + "\n".join(lines))
    assert not apart, "\n".join(apart)
