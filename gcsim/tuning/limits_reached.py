"""The time at which a growing live heap reaches GOMEMLIMIT or the memory of the container."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gcsim.arrays import FloatArray
from gcsim.engine.inputs.draws import draw_growth, draw_parameters
from gcsim.engine.plan import USUAL_PLAN
from gcsim.engine.run import settings_json
from gcsim.metrics import Estimate
from gcsim.service.model import Model
from gcsim.settings import Settings
from gcsim.submodels.heap_growth import grown_peak_bytes
from gcsim.submodels.process_memory import container_bytes
from gcsim.tuning.reason import short
from gcsim.units import format_mib

LimitName = Literal["GOMEMLIMIT", "memory"]

_REPLICAS = 200
_TIMES = 400
_FIRST_SECONDS, _LAST_SECONDS = 1.0, 10.0 * 365.25 * 86400.0
_UNITS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitReached:
    """One limit of one setting, and the time from the start of a run until growth reaches it."""

    settings: Settings
    limit: LimitName
    limit_bytes: int
    seconds: Estimate  # ``high`` is infinite if some possible growth never reaches the limit

    @property
    def sentence(self) -> str:
        """The time in words."""
        what = (
            f"the live heap reaches the limit of {format_mib(self.limit_bytes)}"
            if self.limit == "GOMEMLIMIT"
            else f"the container's memory reaches the {format_mib(self.limit_bytes)} given"
        )
        return f"At this rate of growth and {short(self.settings)}, {what} after {_span(self.seconds)}."

    def to_json(self) -> dict[str, object]:
        """The entry of a JSON document; ``high`` is null if some possible growth never reaches the limit."""
        times = self.seconds.to_json()
        high = times["high"] if np.isfinite(self.seconds.high) else None
        return {
            "settings": settings_json(self.settings),
            "limit": self.limit,
            "limit_bytes": self.limit_bytes,
            "seconds": {**times, "high": high},
        }


def limits_reached(
    model: Model, settings: Settings, *, memory_bytes: int | None = None, seed: int = USUAL_PLAN.seed
) -> tuple[LimitReached, ...]:
    """The limits that growth makes the service reach at a setting, with the median and 90 % interval of the time.

    Empty for a service without growth, and for limits that at least half of the possible courses never reach or that
    are reached at the start. GOMEMLIMIT is reached when live heap, stacks and the runtime's own memory add up to it.
    The container's memory follows the heap's peaks, which GOMEMLIMIT bounds until the live heap reaches it.
    """
    if not model.growth.extrapolates:
        return ()
    drawn = draw_parameters(model, replicas=_REPLICAS, seed=seed)
    growth = draw_growth(model, drawn, seed=seed)
    assert growth is not None
    times = np.concatenate([[0.0], np.geomspace(_FIRST_SECONDS, _LAST_SECONDS, _TIMES)])
    replica = np.arange(_REPLICAS)
    live = np.stack([growth.factor(np.full(_REPLICAS, time), replica) for time in times])
    live = live * drawn["live_bytes"]
    found = []
    limit = settings.gomemlimit_bytes
    if limit is not None:
        found.append(_reached(settings, "GOMEMLIMIT", limit, times, _go_memory(drawn, live)))
    if memory_bytes is not None:
        resident = _resident(model, settings, drawn, live)
        if resident is not None:
            pages = drawn["file_resident_bytes"]
            container = container_bytes(
                np.maximum(resident - pages, 0.0),
                file_bytes=pages,
                hot_share=drawn["file_hot_share"],
                kernel_bytes=drawn["kernel_bytes"],
            )
            found.append(_reached(settings, "memory", memory_bytes, times, container))
    return tuple(one for one in found if one is not None)


def first_reached(
    model: Model,
    settings: Sequence[Settings],
    *,
    memory_bytes: int | None = None,
    seed: int = USUAL_PLAN.seed,
) -> tuple[LimitReached, ...]:
    """The limit that growth reaches first among several settings; empty if it reaches none."""
    every = [
        one for each in settings for one in limits_reached(model, each, memory_bytes=memory_bytes, seed=seed)
    ]
    return (min(every, key=lambda one: one.seconds.value),) if every else ()


def reached_json(reached: Sequence[LimitReached]) -> dict[str, object]:
    """The key of a JSON document; nothing for a service that reaches no limit."""
    return {"limits_reached": [one.to_json() for one in reached]} if reached else {}


def _go_memory(drawn: dict[str, FloatArray], live: FloatArray) -> FloatArray:
    """Memory that GOMEMLIMIT counts if the heap is the live heap alone, bytes."""
    outside = drawn["metadata_base_bytes"] + drawn["allocated_stack_bytes"]
    return outside + (1.0 + drawn["metadata_share"]) * live


def _resident(
    model: Model, settings: Settings, drawn: dict[str, FloatArray], live: FloatArray
) -> FloatArray | None:
    """Resident memory at the heap's peaks, bytes; None without GOGC and limit, where the heap has no peaks."""
    limit = settings.gomemlimit_bytes
    if settings.gogc is None and limit is None:
        return None
    at_least = drawn["rss_base_bytes"] + drawn["rss_ratio"] * live
    held = np.inf if limit is None else drawn["rss_beside_bytes"] + limit
    if settings.gogc is None:
        return np.maximum(at_least, held)
    ratio = np.full(live.shape[1], 1.0 + settings.gogc / 100.0)
    if model.settings.gogc is not None and model.settings.gomemlimit_bytes is None:
        # peaks exceed the goal by the bytes allocated while marking: as at calibration
        ratio = ratio * drawn["mark_cpu_heap_ratio"] / (1.0 + model.settings.gogc / 100.0)
    roots = drawn["stack_bytes"] + drawn["globals_bytes"]
    peak = grown_peak_bytes(ratio, live, roots)
    return np.maximum(np.minimum(drawn["rss_base_bytes"] + drawn["rss_ratio"] * peak, held), at_least)


def _reached(
    settings: Settings, limit: LimitName, limit_bytes: int, times: FloatArray, memory: FloatArray
) -> LimitReached | None:
    """The times at which the columns of ``memory``, which do not fall, reach the limit."""
    over = memory >= limit_bytes
    first = np.where(over.any(axis=0), times[np.argmax(over, axis=0)], np.inf)
    low, value, high = (float(q) for q in np.quantile(first, (0.05, 0.5, 0.95), method="inverted_cdf"))
    if not 0.0 < value < np.inf:
        return None
    return LimitReached(
        settings=settings, limit=limit, limit_bytes=limit_bytes, seconds=Estimate(value, low, high)
    )


def _span(seconds: Estimate) -> str:
    """A time with its interval, such as "3.2 h (2.1 to 6.0)"; all in the unit of the median."""
    unit, length = next(((u, size) for u, size in _UNITS if seconds.value >= size), _UNITS[-1])
    value, low = (_short(s / length) for s in (seconds.value, seconds.low))
    high = f"to {_short(seconds.high / length)}" if np.isfinite(seconds.high) else "or later, perhaps never"
    return f"{value} {unit} ({low} {high})"


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 20.0 else f"{number:.1f}"
