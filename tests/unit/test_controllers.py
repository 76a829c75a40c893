"""A controller changes GOGC and the memory limit at GC commits, in both engines alike."""

import numpy as np
import pytest
from example_service import example_service

from gcsim.engine.controllers import Commit, Controller, FixedSetting, GcSetting
from gcsim.engine.plan import Engine
from gcsim.engine.simulate import replica_metrics
from gcsim.settings import Settings
from gcsim.units import MIB

SECONDS: dict[Engine, float] = {"lanes": 60.0, "des": 4.0}
HIGH = Settings(gogc=400, gomaxprocs=2, go="1.27")


class Sets:
    """Sets one GOGC and one limit at every commit, whatever they were."""

    def __init__(self, gc_percent: int, memory_limit_bytes: int) -> None:
        self.gc_percent, self.memory_limit_bytes = gc_percent, memory_limit_bytes

    def at_commit(self, commit: Commit) -> GcSetting:
        ones = np.ones_like(commit.setting.gc_percent)
        return GcSetting(self.gc_percent * ones, self.memory_limit_bytes * ones)


def metrics(engine: Engine, settings: Settings, controller: Controller) -> dict[str, np.ndarray]:
    return replica_metrics(
        example_service(), [settings], duration_seconds=SECONDS[engine], replicas=2, engine=engine,
        controller=controller,
    )  # fmt: skip


@pytest.mark.parametrize("engine", ["lanes", "des"])
@pytest.mark.parametrize(("gogc", "limit"), [(50, None), (100, 150 * MIB)])
def test_a_setting_made_at_commits_is_as_good_as_one_made_at_the_start(
    engine: Engine, gogc: int, limit: int | None
) -> None:
    """The warm-up's cycles begin at GOGC=400; from the first commit on all runs are those of the asked setting."""
    asked = Settings(gogc=gogc, gomemlimit_bytes=limit, gomaxprocs=2, go="1.27")
    controlled = metrics(engine, HIGH, Sets(gogc, (1 << 63) - 1 if limit is None else limit))
    fixed = metrics(engine, asked, FixedSetting())
    for name in ("gc_rate_hz", "heap_peak_mean_bytes", "heap_goal_mean_bytes"):
        np.testing.assert_allclose(controlled[name], fixed[name], rtol=0.04, err_msg=name)


@pytest.mark.parametrize("engine", ["lanes", "des"])
def test_setting_what_is_set_changes_no_byte(engine: Engine) -> None:
    """An answer with equal values is the fixed setting."""
    fixed, same = metrics(engine, HIGH, FixedSetting()), metrics(engine, HIGH, Sets(400, (1 << 63) - 1))
    for name, values in fixed.items():
        np.testing.assert_array_equal(values, same[name], err_msg=name)
