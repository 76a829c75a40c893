"""Predict the effect of GOGC and GOMEMLIMIT on a Go service, from one gctrace log.

The pipeline in Python: ``read_gctrace`` → ``calibrate`` → ``simulate`` or ``sweep`` → ``recommend``. Names are
imported on first use, so that ``import gcsim`` is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gcsim.api import CalibratedService, calibrate, calibrate_logs, calibrate_service
    from gcsim.calibration.memory.readings.source import MemoryReadings
    from gcsim.calibration.settings.log_settings import Overrides
    from gcsim.engine.simulate import simulate
    from gcsim.errors import InputError
    from gcsim.gctrace import read_gctrace
    from gcsim.service.model import Model
    from gcsim.settings import Settings
    from gcsim.tuning.compare import compare
    from gcsim.tuning.fleet import Service, divide_memory
    from gcsim.tuning.recommend import recommend
    from gcsim.tuning.sweep import sweep

__all__ = [
    "CalibratedService",
    "InputError",
    "MemoryReadings",
    "Model",
    "Overrides",
    "Service",
    "Settings",
    "calibrate",
    "calibrate_logs",
    "calibrate_service",
    "compare",
    "divide_memory",
    "read_gctrace",
    "recommend",
    "simulate",
    "sweep",
]

_MODULE_OF = {
    "InputError": "gcsim.errors",
    "Model": "gcsim.service.model",
    "Service": "gcsim.tuning.fleet",
    "Settings": "gcsim.settings",
    "CalibratedService": "gcsim.api",
    "MemoryReadings": "gcsim.calibration.memory.readings.source",
    "Overrides": "gcsim.calibration.settings.log_settings",
    "calibrate": "gcsim.api",
    "calibrate_logs": "gcsim.api",
    "calibrate_service": "gcsim.api",
    "compare": "gcsim.tuning.compare",
    "divide_memory": "gcsim.tuning.fleet",
    "read_gctrace": "gcsim.gctrace",
    "recommend": "gcsim.tuning.recommend",
    "simulate": "gcsim.engine.simulate",
    "sweep": "gcsim.tuning.sweep",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'gcsim' has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULE_OF])
