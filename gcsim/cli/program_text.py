"""What ``gcsim whatif`` prints about changes of allocation sites."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gcsim.units import format_mib, format_number, format_percent

if TYPE_CHECKING:
    from gcsim.diagnosis.profiles.allocator_cpu import AllocatorCpu
    from gcsim.metrics import Estimate
    from gcsim.tuning.program_changes import SiteEffect
    from gcsim.tuning.whatif import WhatIf


def allocation_rows(found: "WhatIf") -> tuple[list[list[str]], list[list[str]]]:
    """The rows of allocation per second, in the table of medians and in that of intervals."""
    if not found.sites:
        return [], []
    label, (before, after) = "allocation", found.allocation
    return (
        [[label, _per_second(before.value), _per_second(after.value), *_ratio(before, after)]],
        [[label, *(f"{_per_second(one.low)} to {_per_second(one.high)}" for one in found.allocation)]],
    )


def allocator_lines(allocator: "Sequence[AllocatorCpu] | None", effects: "Sequence[SiteEffect]") -> list[str]:
    """A sentence on the CPU time of the allocator at each site."""
    lines = []
    for one, effect in zip(allocator or (), effects, strict=False):
        place = effect.change.site.place.function
        if one.samples == 0:
            lines.append(f"CPU of the allocator at {place}: the CPU profile has no sample of it.")
            continue
        error = f", ± {format_number(100 * one.rel_sd, 2)} %" if one.samples < 1000 else ""
        lines.append(
            f"CPU of the allocator at {place}: {format_percent(one.share)} of the CPU profile ({one.samples}"
            f" samples{error}); the change saves {format_percent(one.share * effect.saved_objects)}, in addition to GC"
            " CPU. This is not in the table."
        )
    return lines


def allocator_json(
    allocator: "Sequence[AllocatorCpu] | None", effects: "Sequence[SiteEffect]"
) -> list[dict[str, object]] | None:
    """The CPU time of the allocator at each site as a document; None without a CPU profile."""
    if allocator is None:
        return None
    return [
        {
            "function": effect.change.site.place.function,
            "share": one.share,
            "samples": one.samples,
            "saved_share": one.share * effect.saved_objects,
        }
        for one, effect in zip(allocator, effects, strict=True)
    ]


def _per_second(value: float) -> str:
    return f"{format_mib(value)}/s"


def _ratio(before: "Estimate", after: "Estimate") -> tuple[str, str]:
    """after / before; the uncertainty about the service before the change is in both and cancels."""
    ratio = after.value / before.value
    spread = (after.high / after.value) / (before.high / before.value)
    return format_number(ratio), f"{format_number(ratio / spread)} to {format_number(ratio * spread)}"
