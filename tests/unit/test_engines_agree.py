"""The two engines give one answer: each shipped model at ten settings."""

import math

import pytest

from gcsim.engine.run import Run
from gcsim.engine.simulate import simulate
from gcsim.settings import Settings
from gcsim.workload.model import Model, shipped_models

GOGC = (25, 35, 50, 75, 100, 150, 200, 300, 400, 800)
TARGETS = {"heap_peak_mean_bytes": 0.02, "gc_rate_hz": 0.03, "gc_cpu_fraction": 0.05}
REPLICAS = 4


def scatter(run: Run, name: str) -> float:
    """Half the 90 % interval between replicas, relative."""
    estimate = run.metrics[name]
    return 0.5 * math.log(estimate.high / estimate.low) if estimate.low > 0 else math.inf


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


@pytest.mark.parametrize("name", _models())
def test_engines_agree_on_shipped_models(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Peak within 2 %, rate 3 %, GC CPU 5 %, or both replicas' 90 % intervals together where wider."""
    model = Model.load(name)
    base = model.settings
    settings = [Settings(gogc=g, gomaxprocs=base.gomaxprocs, go=base.go) for g in GOGC]
    lanes = simulate(model, settings, duration_seconds=30.0, replicas=REPLICAS)
    events = simulate(model, settings, duration_seconds=30.0, replicas=REPLICAS, engine="des")
    lines, apart = [f"{name}: des / lanes - 1 (allowed)"], []
    for fast, slow in zip(lanes, events, strict=True):
        cells = []
        for metric, target in TARGETS.items():
            difference = slow.metrics[metric].value / fast.metrics[metric].value - 1.0
            allowed = max(target, math.hypot(scatter(fast, metric), scatter(slow, metric)))
            cells.append(f"{metric} {100 * difference:+5.1f} % ({100 * allowed:.1f})")
            if abs(difference) > allowed:
                apart.append(f"GOGC={fast.settings.gogc}: {cells[-1]}")
        lines.append(f"  GOGC={fast.settings.gogc!s:4} " + "  ".join(cells))
    with capsys.disabled():
        print("\n" + "\n".join(lines))
    assert not apart, "\n".join(apart)
