"""Verdicts in words on rules of thumb."""

from gcsim.engine.run import Run
from gcsim.tuning.chances import Chances
from gcsim.tuning.feasible import MOST_GC_CPU, container_peak, keeps_limit
from gcsim.units import format_number

_MENTIONED_CHANCE = 0.05  # the interval's own pessimistic end
_NEARLY_ALL = 0.95
_MENTIONED_CORES = 0.1  # of the recommended setting's GC cores, or _LEAST_CORES
_LEAST_CORES = 0.01
_MENTIONED_WASTE = 0.2  # of the container


def verdict_on(
    run: Run,
    odds: Chances,
    reference: Run | None,
    *,
    memory_bytes: float,
    extra_cores: float,
    feasible: bool = True,
) -> str:
    """The judgement of one run against the recommended one, which is None for the recommended run itself.

    ``extra_cores`` are the run's GC cores less those of ``reference``, for the same work. If no setting is feasible,
    ``feasible`` is false and ``reference`` is the nearest miss.
    """
    found = [*_memory(odds), *_collector(run)]
    if found:
        return "; ".join(found)
    unused = 1.0 - container_peak(run).high / memory_bytes
    if reference is None:
        free = f"{_percent(max(unused, 0.0))} of the memory stays free at the pessimistic end"
        return f"fits; {free}" if feasible else f"misses a bound of the recommendation; {free}"
    other = "the recommended setting" if feasible else "the nearest miss"
    scale = max(_MENTIONED_CORES * _cores(reference), _LEAST_CORES)
    if extra_cores > scale:
        cost = f"costs {format_number(extra_cores, 2)} cores more than {other}"
        return f"wastes {_percent(unused)} of the memory and {cost}" if unused > _MENTIONED_WASTE else cost
    alone = ", and uses this memory at any load" if run.settings.gogc is None else ""
    if extra_cores < -scale:
        return f"costs {format_number(-extra_cores, 2)} cores less than {other}{alone}"
    return f"as good as {other}{alone}"


def _memory(odds: Chances) -> list[str]:
    found = []
    if odds.killed > _MENTIONED_CHANCE:
        found.append(f"is killed in {_often(odds.killed)}")
    if odds.stalls > _MENTIONED_CHANCE:
        found.append(f"stalls in {_often(odds.stalls)}, because hot file pages have no room")
    if not found and odds.fits < 1.0 - _MENTIONED_CHANCE:
        found.append(f"does not fit in {_often(1.0 - odds.fits)}")
    return found


def _collector(run: Run) -> list[str]:
    gc_cpu = run.metrics["gc_cpu_fraction"]
    if not keeps_limit(run):
        return [f"cannot keep its own limit and spends {_percent(gc_cpu.value)} of the CPU on GC"]
    if gc_cpu.high > MOST_GC_CPU:
        return [f"may spend {_percent(gc_cpu.high)} of the CPU on GC"]
    return []


def _cores(run: Run) -> float:
    return run.metrics["gc_cpu_fraction"].value * run.settings.gomaxprocs


def _often(share: float) -> str:
    return "nearly all runs" if share >= _NEARLY_ALL else f"{_percent(share)} of the runs"


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f} %"
