"""Memory outside the heap by the runtime's own counts, from captures: ``docs/explanation/memory.md``."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.capture import CapturedRun, RunPlan, load_run
from experiments.validation.matrix import MAIN_GO, MAIN_PROCS
from experiments.validation.observations import captured_plans
from experiments.validation.tables import Lines, table
from gcsim.calibration.evidence import evidence_from
from gcsim.calibration.memory.counted import counted_memory
from gcsim.calibration.memory.measurements import CountedMemory
from gcsim.calibration.window import working_window
from gcsim.capture.runtime_counters import HeapAccounts
from gcsim.cycles import CycleTable
from gcsim.errors import InputError
from gcsim.gctrace import Trace, read_gctrace
from gcsim.goruntime.arithmetic import to_float64
from gcsim.service.parameters import RECOUNT_BASE_SHARE
from gcsim.submodels.process_memory import span_tail_recount_bytes, unfilled_slot_bytes
from gcsim.units import MIB

_HEAD = (
    "program", "heap peak", "metadata and stacks", "unfilled", "of the peak", "into free slots",
    "GOGC alone", "GOGC=100, limited", "GOGC=off", "heapLive over allocated, GOGC=25", "GOGC=100", "difference",
    "by the rule",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Recounted:
    """What heapLive counted beyond what the program allocated under load, over the latter."""

    over_allocated: float  # by MemStats.TotalAlloc
    told_share: float  # by ``span_tail_recount_bytes``, at the slots' share of the run at GOGC=100


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedRun:
    """A first run on the main Go version and GOMAXPROCS whose capture holds the runtime's counts."""

    plan: RunPlan
    run: CapturedRun
    cycles: CycleTable
    memory: CountedMemory


def counts_page(plans: Iterable[RunPlan], folder: Path) -> str:
    """The page."""
    found = counted_runs(plans, folder)
    by_label: dict[str, dict[RunPlan, CountedMemory]] = {}
    for one in found:
        by_label.setdefault(one.plan.label, {})[one.plan] = one.memory
    again = recounted_runs(found)
    body = [
        [*cells, *_recounted_cells(again.get(label, {}))]
        for label, runs in by_label.items()
        if (cells := _cells(label, runs))
    ]
    return "\n".join([*_opening(len(body)), *table(_HEAD, body)]) + "\n"


def counted_runs(plans: Iterable[RunPlan], folder: Path) -> list[CountedRun]:
    """Those of the plans, in their order; without runs that are too short to tell."""
    found = []
    for plan in captured_plans(plans, folder):
        if (plan.go_version, plan.gomaxprocs, plan.repeat) != (MAIN_GO, MAIN_PROCS, 1):
            continue
        run = load_run(folder / f"{plan.name}.result.json")
        if run.info.heap_accounts is None:
            continue
        trace = read_gctrace(run.log)
        memory = _counted(trace, run.info.heap_accounts, plan.gogc)
        if memory is not None:
            found.append(CountedRun(plan=plan, run=run, cycles=trace.cycles, memory=memory))
    return found


def _recounted_cells(at: dict[int, Recounted]) -> list[str]:
    if not at:
        return ["–"] * 4
    short, home = at[25], at[100]
    more, told = short.over_allocated - home.over_allocated, short.told_share - home.told_share
    return [f"{100 * one:.1f} %" for one in (short.over_allocated, home.over_allocated, more, told)]


def _counted(trace: Trace, accounts: HeapAccounts, gogc: int | None) -> CountedMemory | None:
    try:
        evidence = evidence_from(trace).with_gogc(gogc)
        return counted_memory(accounts, evidence.select(working_window(evidence)))
    except InputError:  # too few cycles to calibrate on
        return None


def recounted_runs(runs: Sequence[CountedRun]) -> dict[str, dict[int, Recounted]]:
    """By program and GOGC, 25 and 100 without a limit; programs without both are left out."""
    by_label: dict[str, dict[int, CountedRun]] = {}
    for one in runs:
        if one.plan.gogc in (25, 100) and one.plan.gomemlimit_bytes is None:
            by_label.setdefault(one.plan.label, {})[one.plan.gogc] = one
    return {
        label: {gogc: _recounted(one, at[100].memory.slot_garbage_share) for gogc, one in at.items()}
        for label, at in by_label.items()
        if len(at) == 2
    }


def _recounted(one: CountedRun, slot_garbage_share: float) -> Recounted:
    cycles, run = one.cycles, one.run
    ready = run.result["at_ready"]
    loaded = slice(int(ready["gc_cycles"]) + 1, None)
    grown = (cycles.heap_end_bytes[1:] - cycles.heap_marked_bytes[:-1])[loaded]  # from mark end to mark end
    live = cycles.heap_marked_bytes - (cycles.heap_end_bytes - cycles.heap_start_bytes)
    outside = (cycles.heap_start_bytes[1:] - cycles.heap_marked_bytes[:-1])[loaded]
    told = span_tail_recount_bytes(
        to_float64(outside),
        to_float64(live[:-1][loaded]),
        slot_garbage=slot_garbage_share,
        base_share=RECOUNT_BASE_SHARE,
    )
    seconds = np.ptp(cycles.start_ns[loaded]) * 1e-9
    allocated = run.result["memstats"]["TotalAlloc"] - ready["total_alloc_bytes"]
    allocated *= seconds / run.result["load_seconds"]
    return Recounted(
        over_allocated=float(grown.sum()) / allocated - 1.0, told_share=float(told.sum()) / allocated
    )


def _cells(label: str, runs: dict[RunPlan, CountedMemory]) -> list[str]:
    """One program's row; none where its run at GOGC=100 was not counted."""
    home = next((found for plan, found in runs.items() if _kind(plan) == "home"), None)
    if home is None:
        return []
    share = home.unfilled_slot_bytes / home.heap_peak_bytes
    cells = [
        label, f"{home.heap_peak_bytes / MIB:.0f} MiB", f"{home.outside_spans_bytes / MIB:.1f} MiB",
        f"{home.unfilled_slot_bytes / MIB:.1f} MiB", f"{share:.3f}", f"{home.slot_garbage_share:.2f}",
    ]  # fmt: skip
    for kind in ("gogc", "limit", "off"):
        over = [_over_rule(found, home) for plan, found in runs.items() if _kind(plan) == kind]
        cells.append(f"{np.median(over):.2f} ({min(over):.2f} to {max(over):.2f})" if over else "–")
    return cells


def _kind(plan: RunPlan) -> str:
    if plan.gogc is None:
        return "off"
    if plan.gomemlimit_bytes is not None:
        return "limit"
    return "home" if plan.gogc == 100 else "gogc"


def _over_rule(found: CountedMemory, home: CountedMemory) -> float:
    """Unfilled slots at another setting over those that ``unfilled_slot_bytes`` makes of the run at GOGC=100."""
    rule = unfilled_slot_bytes(
        found.heap_peak_bytes,
        share=home.unfilled_slot_bytes / home.heap_peak_bytes,
        calibrated_peak_bytes=home.heap_peak_bytes,
    )
    return float(found.unfilled_slot_bytes / max(rule, 1.0))


def _opening(programs: int) -> Lines:
    return [
        "# Memory outside the heap, counted",
        "",
        "GOMEMLIMIT counts memory that no gctrace prints: metadata, stacks and free slots. A *free slot* is the "
        "place of a dead object in a span that still holds a live one. `gcsim capture` reads the runtime's own "
        f"counters of this memory. This page compares them with gcsim's rules, for the {programs} programs of the "
        f"validation whose captures hold the counters (Go {MAIN_GO}, {MAIN_PROCS} Ps, first runs). `python -m "
        "experiments.validation counts` generates it.",
        "",
        "GOMEMLIMIT does not count file pages and kernel memory, which a container needs too. A container without room "
        "for the hot file pages stalls and is not killed: [What fills a container](container-memory.md).",
        "",
        "## At GOGC=100 without a limit",
        "",
        "These columns are measurements:",
        "",
        "| column | meaning |",
        "|---|---|",
        "| heap peak | heapLive when marking ends |",
        "| metadata and stacks | memory that GOMEMLIMIT counts outside spans and free pages |",
        "| unfilled | free slots that no allocation has filled when marking ends |",
        "| of the peak | unfilled / heap peak |",
        "| into free slots | share of allocation that goes into free slots of swept spans |",
        "",
        "## Unfilled slots at other settings",
        "",
        "The columns *GOGC alone*, *GOGC=100, limited* and *GOGC=off* show counted unfilled slots over this rule "
        "(`submodels/process_memory.py`), as median and range over settings:",
        "",
        "    unfilled = unfilled at GOGC=100 × (heap peak / heap peak at GOGC=100)^0.25",
        "",
        "gcsim multiplies the rule by 1 for the first two columns and by 1.35 for GOGC=off. Without collections, live "
        "objects spread over many spans, and these spans are never full again.",
        "",
        "## Growth of heapLive that nobody allocated",
        "",
        "When a P takes a span, heapLive grows by the whole span less its objects (`mcache.refill`). The end of "
        "the span (the *span tail*), too small for a slot, is counted each time. For fresh spans that is the same "
        "share at any setting. Spans with free slots are taken again in every cycle, so they count for more where "
        "cycles are short. gcsim's rule (`recounted_bytes`) for each cycle is this, with *slot garbage* the share "
        "of garbage in spans that also hold a live object:",
        "",
        "    recount = (0.8 % + 3.5 % × slot garbage) × live heap",
        "",
        "gcsim attributes the rest of the growth to the program, at every setting. *heapLive over allocated* shows "
        "by how much heapLive grew more than the program allocated, at GOGC=25 and GOGC=100. *difference* is the "
        "first less the second. *by the rule* is the same difference by the rule.",
        "",
        "## By program",
        "",
    ]
