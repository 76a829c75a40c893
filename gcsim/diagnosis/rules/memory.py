"""Memory: fragmentation, memory outside the heap, memory not returned, and constant pointer-free heaps."""

from collections.abc import Iterator

import numpy as np

from gcsim.diagnosis.records import Cause, Sign, Step
from gcsim.diagnosis.subject import Subject
from gcsim.diagnosis.thresholds import (
    BALLAST_BYTES,
    BALLAST_MARK_SECONDS_PER_MIB,
    BALLAST_SCANNED,
    BALLAST_SPREAD,
    FEW_CYCLES,
    FRAGMENTED_BYTES,
    FRAGMENTED_SHARE,
    OUTSIDE_BYTES,
    OUTSIDE_SHARE,
)
from gcsim.units import MIB, format_mib, format_percent, format_seconds

_FEWEST_FOR_BALLAST = 6


def memory_causes(subject: Subject) -> Iterator[Cause]:
    """The causes in the shape of memory."""
    yield from _fragmentation(subject)
    yield from _outside(subject)
    yield from _ballast(subject)


def _fragmentation(subject: Subject) -> Iterator[Cause]:
    """Free slots at the heap's peak, by the runtime's own counts in the side file."""
    accounts = None if subject.info is None else subject.info.heap_accounts
    if accounts is None or len(accounts.seconds) < FEW_CYCLES:
        return
    in_use, free = np.array(accounts.heap_in_use_bytes, float), np.array(accounts.free_slot_bytes, float)
    late = slice(2 * len(in_use) // 3, None)
    slots, spans = float(np.median(free[late])), float(np.median(in_use[late]))
    if slots < max(FRAGMENTED_BYTES, FRAGMENTED_SHARE * spans):
        return
    yield fragmentation_cause(
        spans_bytes=spans,
        object_bytes=spans - slots,
        signs=(
            subject.side_sign(
                f"free slots in spans in use, median of the last third: {format_mib(slots)}",
                value=slots,
                unit="bytes",
            ),
            subject.side_sign(f"spans in use: {format_mib(spans)}", value=spans, unit="bytes"),
        ),
        log=subject.name,
    )


def fragmentation_cause(
    *, spans_bytes: float, object_bytes: float, signs: tuple[Sign, ...], log: str, grows: str = ""
) -> Cause:
    """The finding of spans that hold few objects."""
    return Cause(
        name="fragmentation",
        severity="serious",
        confidence="high",
        sentence=(
            f"Spans in use hold {format_mib(spans_bytes)}, and objects only {format_mib(object_bytes)} of"
            f" it{grows}: a few live objects keep each span, and other sizes cannot use the free slots. RSS"
            " counts the spans; GC does not free them."
        ),
        signs=signs,
        steps=(
            Step(
                text="Find long-lived small objects that are allocated among many short-lived ones of"
                " their size (caches, interned strings, map entries); copy them into one slice, or allocate"
                " them first.",
                command="curl -s localhost:6060/debug/pprof/heap > heap.pb.gz; go tool pprof"
                " -sample_index=inuse_objects -top heap.pb.gz",
            ),
        ),
        log=log,
    )


def _outside(subject: Subject) -> Iterator[Cause]:
    """Resident memory that neither the heap nor its stacks explain."""
    info = subject.info
    read = max((one.highest_rss_bytes or 0 for one in subject.readings), default=0)
    rss = read or ((info.rss_peak_bytes or 0) if info is not None else 0)
    measured = None if info is None or read else info.rss_outside_heap_bytes  # a reading is newer
    heap = subject.heap_peak_bytes + subject.stack_bytes
    outside = float(measured) if measured is not None else float(rss) - 1.15 * heap
    pages = float(info.file_peak_bytes or 0) if info is not None else 0.0
    outside -= pages if measured is not None else 0.0
    if rss <= 0 or outside < max(OUTSIDE_BYTES, OUTSIDE_SHARE * rss):
        return
    yield Cause(
        name="memory-outside-heap",
        severity="worth knowing",
        confidence="high" if measured is not None else "medium",
        sentence=(
            f"Resident memory is {format_mib(rss)}, and the heap with its stacks peaks at {format_mib(heap)}:"
            f" about {format_mib(outside)} lie outside. C libraries, mapped files and free pages of"
            " fragmented spans are not in gctrace, and GOGC does not change them."
        ),
        signs=(
            subject.sign(f"heap peak with stacks {format_mib(heap)}", value=heap, unit="bytes"),
            Sign(
                text=f"resident memory {format_mib(rss)}",
                source=_source_of_rss(subject),
                value=float(rss),
                unit="bytes",
            ),
        ),
        steps=(
            Step(
                text="The memory map and the MemStats show which part it is.",
                command="cat /proc/PID/smaps > smaps; curl -s localhost:6060/debug/vars > vars.json; gcsim diagnose"
                f" {subject.name} smaps vars.json",
            ),
        ),
        log=subject.name,
    )


def _source_of_rss(subject: Subject) -> str:
    named = [one.origin for one in subject.readings if one.highest_rss_bytes]
    return named[0] if named else f"{subject.name}.meta.json"


def _ballast(subject: Subject) -> Iterator[Cause]:
    evidence = subject.window
    if len(evidence) < _FEWEST_FOR_BALLAST or not subject.has_cpu:
        return
    live = float(np.median(evidence.live_bytes))
    spread = float(np.ptp(np.quantile(evidence.live_bytes, (0.1, 0.9)))) / max(live, 1.0)
    if live < BALLAST_BYTES or spread > BALLAST_SPREAD:
        return
    per_mib = float(np.median(evidence.mark_cpu_seconds)) / (live / MIB)
    scanned = evidence.scanned_share
    is_plain = per_mib <= BALLAST_MARK_SECONDS_PER_MIB if scanned is None else scanned <= BALLAST_SCANNED
    if not is_plain:
        return
    row = subject.row(len(evidence) - 1)
    yield Cause(
        name="heap-ballast",
        severity="worth knowing",
        confidence="medium" if scanned is not None else "low",
        sentence=(
            f"The live heap stays at {format_mib(live)}, and marking it costs only"
            f" {format_seconds(float(np.median(evidence.mark_cpu_seconds)))} of CPU a cycle: nearly all of it"
            " holds no pointers and never changes. It is a ballast, or a cache of plain bytes. A ballast"
            " only raises the heap goal; GOMEMLIMIT with a higher GOGC does that without the memory."
        ),
        signs=(
            subject.sign(
                f"{format_mib(float(evidence.heap_marked_bytes[-1]))} marked with"
                f" {format_seconds(float(evidence.mark_cpu_seconds[-1]))} of CPU",
                row=row,
                value=live,
                unit="bytes",
            ),
            *(
                ()
                if scanned is None
                else (
                    subject.sign(
                        f"{format_percent(scanned, 2)} of the marked bytes were scanned (pacer lines)",
                        value=scanned,
                        unit="fraction",
                    ),
                )
            ),
        ),
        steps=(
            Step(
                text="If it is a ballast, remove it and set GOMEMLIMIT and GOGC instead; a heap profile"
                " shows its site.",
                command="curl -s localhost:6060/debug/pprof/heap > heap.pb.gz; gcsim diagnose"
                f" {subject.name} heap.pb.gz",
            ),
        ),
        log=subject.name,
    )
