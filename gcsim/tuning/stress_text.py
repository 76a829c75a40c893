"""The stress test in sentences."""

from collections.abc import Sequence

from gcsim.tuning.feasible import container_peak
from gcsim.tuning.leak import Leak
from gcsim.tuning.stress import Stress, StressTest
from gcsim.units import format_mib, format_percent

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0


def stress_sentences(test: StressTest) -> list[str]:
    """A sentence on the stresses under which the setting holds, one for each other, and one on a leak."""
    held = [name_of(one) for one in test.stresses if one.held]
    found = [f"Under {_join(held)} every constraint still holds."] if held else []
    return [*found, *broken_sentences(test), leak_sentence(test.leak)]


def broken_sentences(test: StressTest) -> list[str]:
    """A sentence on each stress under which the setting does not hold."""
    return [_broken(one) for one in test.stresses if not one.held]


def name_of(stress: Stress) -> str:
    """The stress with its factor."""
    if stress.what == "one P fewer":
        return stress.what
    if stress.what == "CPU quota":
        return f"CPU quota {100 * stress.factor:.0f} %"
    return f"{stress.what} × {stress.factor:g}"


def verdict_of(stress: Stress, *, of_today: bool = False) -> str:
    """Whether the setting holds, breaks a constraint, or is in a death spiral: one word."""
    one = stress.of_today() if of_today else stress
    return "spirals" if one.spiral else "holds" if one.held else "breaks"


def leak_sentence(leak: Leak) -> str:
    """The course of a leak in words."""
    first = "With a leak of 1 MiB a minute"
    if leak.seconds_to_end is None:
        return f"{first} the container is not full with a live heap of its size."
    end = span(leak.seconds_to_end)
    if leak.seconds_to_suffering is None or not leak.suffering_seconds:
        return f"{first} the container is full after about {end}, without a warning by GC CPU."
    return (
        f"{first}, GC takes more than {format_percent(leak.suffering_gc_cpu, 2)} of the CPU after about"
        f" {span(leak.seconds_to_suffering)}, and the container is full after {end}: the service suffers for"
        f" {span(leak.suffering_seconds)}."
    )


def span(seconds: float) -> str:
    """A time in minutes, hours or days."""
    for name, size in (("d", _DAY), ("h", _HOUR)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds / _MINUTE:.0f} min"


def _broken(stress: Stress) -> str:
    run = stress.run
    peak, cpu = format_mib(container_peak(run).value), format_percent(run.metrics["gc_cpu_fraction"].value, 2)
    verdict = "GC is in a death spiral" if stress.spiral else "it no longer holds"
    return f"Under {name_of(stress)}, {verdict}: peak {peak}, GC CPU {cpu}."


def _join(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
