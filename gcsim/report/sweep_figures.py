"""The data of figures from finished and recorded runs."""

from collections.abc import Sequence

from gcsim.cycles import CycleTable
from gcsim.engine.run import RecordedRun
from gcsim.report.heap_curve import HeapCurve, heap_curve_data
from gcsim.report.pauses import PauseCurve, pause_curve_data
from gcsim.report.tradeoff import TradeOff, trade_off_data
from gcsim.settings import Settings
from gcsim.tuning.reason import short
from gcsim.tuning.recommend import Recommendation

CURVE_CYCLES = 8  # cycles of the setting with the lowest cycle rate


def about_model(name: str, settings: Settings) -> str:
    """Service, Go version and GOMAXPROCS, for the subtitles of figures."""
    return f"{name}, Go {settings.go}, GOMAXPROCS={settings.gomaxprocs}"


def recommendation_points(found: Recommendation) -> TradeOff:
    """All simulated settings as points, with today's setting and, if feasible, the chosen one."""
    return trade_off_data(
        found.explored,
        chosen=found.run if found.feasible else None,
        today=found.today,
        memory_bytes=found.memory_bytes,
    )


def recorded_curves(recorded: Sequence[RecordedRun]) -> tuple[list[HeapCurve], list[PauseCurve]]:
    """The curves of recorded runs with at least two cycles."""
    drawn = [(run.settings, run.cycles) for run in recorded if len(run.cycles) >= 2]
    seconds = window_seconds([cycles for _, cycles in drawn]) if drawn else 0.0
    curves = [heap_curve_data(cycles, each, label=short(each), seconds=seconds) for each, cycles in drawn]
    return curves, [pause_curve_data(cycles, label=short(each)) for each, cycles in drawn]


def window_seconds(tables: Sequence[CycleTable]) -> float:
    """A duration that shows some of the longest cycles and resolves the shortest ones."""
    periods = [_period_seconds(cycles) for cycles in tables]
    return max(min(CURVE_CYCLES * max(periods), 40 * min(periods)), 3 * max(periods))


def _period_seconds(cycles: CycleTable) -> float:
    return float(cycles.start_ns[-1] - cycles.start_ns[0]) / 1e9 / (len(cycles) - 1)
